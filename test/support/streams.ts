import { once } from 'node:events';
import http from 'node:http';
import { serverEvents } from '../../src/cli/sse.js';

export interface Received {
  event: string;
  data: unknown;
}

/** A streamed prediction as a client of the inference port sees it. */
export class StreamClient {
  readonly #events: AsyncGenerator<{ event: string; data: string }>;

  private constructor(readonly response: http.IncomingMessage) {
    this.#events = serverEvents(response);
  }

  /** Resolves with the head of the answer. `model` may be `model/version`. */
  static async open(port: number, model: string, inputs: unknown, more: object = {}): Promise<StreamClient> {
    const sent = http.request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: `/predict/${model}/stream`,
      headers: { 'content-type': 'application/json' },
      agent: false,
      timeout: 30_000,
    });
    sent.end(JSON.stringify({ inputs, ...more }));
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    return new StreamClient(response);
  }

  async next(): Promise<Received | null> {
    const step = await this.#events.next();
    return step.done ? null : { event: step.value.event, data: JSON.parse(step.value.data) };
  }

  async rest(): Promise<Received[]> {
    const events: Received[] = [];
    for (let event = await this.next(); event; event = await this.next()) events.push(event);
    return events;
  }

  leave(): void {
    this.response.destroy();
  }
}
