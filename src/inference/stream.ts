/** `POST /predict/{model}/stream`: chunks as server-sent events, while the model makes them. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { SseStream } from '../control/sse.js';
import { SupError } from '../errors.js';
import type { PredictStream, StreamEnd, Supervisor } from '../master/supervisor.js';
import { addressed, type InPath, wanted } from './addressed.js';

export function streamRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  for (const url of ['/predict/:model/stream', '/predict/:model/:version/stream'])
    app.post<InPath>(url, async (request, reply) => {
      const body = addressed(request);
      const stream = await supervisor.stream({ ...wanted(supervisor, body, request), input: body.inputs });
      await sendStream(reply, stream, {
        chunk: (chunk) => ['chunk', chunk],
        done: (end) => ['done', { model: stream.model, version: stream.version, ...end }],
        error: (error) => ['error', error],
      });
      return reply;
    });
}

/** Name and data of an event; without a name it is a plain `data:` line. */
export type StreamEvent = readonly [name: string | null, data: unknown];

/** How the parts of a stream look on the wire. */
export interface StreamFormat {
  chunk(chunk: unknown): StreamEvent;
  /** Null: the end of the connection says it. */
  done(end: StreamEnd | undefined): StreamEvent | null;
  error(error: SupError): StreamEvent;
}

/**
 * Takes the answer over once there is something to send; what goes wrong before is an ordinary error. Asks for the next chunk when the
 * client has taken the last one.
 * @throws SupError
 */
export async function sendStream(reply: FastifyReply, stream: PredictStream, format: StreamFormat): Promise<void> {
  let step = await stream.next();
  let text: string | null;
  try {
    text = written(step, format);
  } catch (error) {
    void stream.return();
    throw error;
  }
  reply.hijack();
  const events = new SseStream(reply.raw);
  events.onEnd(() => void stream.return());
  try {
    for (;;) {
      if (text !== null) events.write(text);
      if (step.done) break;
      if (events.congested) await events.drained();
      step = await stream.next();
      text = written(step, format);
    }
  } catch (error) {
    events.write(textOf(format.error(asSupError(error))));
  }
  events.end();
}

function written(step: Awaited<ReturnType<PredictStream['next']>>, format: StreamFormat): string | null {
  const event = step.done ? format.done(step.value) : format.chunk(step.value);
  return event && textOf(event);
}

/** The text of an error that is not ours is not for clients. */
function asSupError(error: unknown): SupError {
  return error instanceof SupError ? error : new SupError('SUP_INTERNAL', 'internal error');
}

/** @throws SupError SUP_MODEL_ERROR for what JSON can't hold */
function textOf([name, data]: StreamEvent): string {
  let json: string;
  try {
    json = JSON.stringify(data) ?? 'null';
  } catch (error) {
    throw new SupError('SUP_MODEL_ERROR', `a chunk can't be written as JSON: ${(error as Error).message}`);
  }
  return `${name === null ? '' : `event: ${name}\n`}data: ${json}\n\n`;
}
