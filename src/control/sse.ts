/**
 * One client's stream of server-sent events. better-sse writes the wire format; its sessions don't fit: they send without
 * looking at what is still unsent, and one that disconnects before its first turn keeps its ping timer for ever.
 */
import type { ServerResponse } from 'node:http';
import { createEventBuffer } from 'better-sse';
import type { FastifyReply } from 'fastify';
import type { HttpApp } from '../http/app.js';

const PING_MS = 15_000;
/** What one slow client may hold in our memory; further events are dropped and counted. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/** Takes the answer over from Fastify. */
export function openStream(http: HttpApp, reply: FastifyReply): SseStream {
  reply.hijack();
  const stream = new SseStream(reply.raw);
  http.streams.add(stream);
  stream.onEnd(() => http.streams.delete(stream));
  return stream;
}

export class SseStream {
  readonly #response: ServerResponse;
  readonly #onEnd: (() => void)[] = [];
  #ended = false;
  #skipped = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
    // One stream, one connection: when it ends, nothing is left to wait for.
    response.shouldKeepAlive = false;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    const ping = setInterval(() => {
      if (!this.congested) response.write(':ping\n\n');
    }, PING_MS);
    this.onEnd(() => clearInterval(ping));
    response.on('drain', () => this.#tellSkipped());
    response.on('close', () => this.#finish());
    if (response.destroyed) this.#finish();
  }

  /** The callback runs once, when the client went away or the server ends the stream; at once if that has been. */
  onEnd(callback: () => void): void {
    if (this.#ended) callback();
    else this.#onEnd.push(callback);
  }

  get congested(): boolean {
    return this.#response.writableLength > MAX_UNSENT_BYTES;
  }

  /** Resolves when the client has read what is unsent, or is gone. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#response.off('drain', done);
        resolve();
      };
      this.#response.on('drain', done);
      this.onEnd(done);
    });
  }

  send(event: string, data: unknown): void {
    if (this.#ended) return;
    if (this.congested) this.#skipped += 1;
    else {
      this.#tellSkipped();
      this.#write(event, data);
    }
  }

  /** An event as it goes over the wire, in any case: for those who look at `congested` themselves. */
  write(text: string): void {
    if (!this.#ended) this.#response.write(text);
  }

  /** Tells the client, before the next event, that so many were dropped. */
  skipped(count: number): void {
    this.#skipped += count;
    if (!this.congested) this.#tellSkipped();
  }

  end(): void {
    if (this.#ended) return;
    this.#response.end();
    this.#finish();
  }

  #tellSkipped(): void {
    if (this.#skipped === 0 || this.#ended) return;
    this.#write('skipped', { count: this.#skipped });
    this.#skipped = 0;
  }

  #write(event: string, data: unknown): void {
    this.#response.write(createEventBuffer().event(event).data(data).dispatch().read());
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const callback of this.#onEnd.splice(0)) callback();
  }
}
