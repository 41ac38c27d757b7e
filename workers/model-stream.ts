import { serialize } from 'node:v8';
import { messageOf } from '../src/errors.js';
import { type ChunkMessage, STREAM_WINDOW } from '../src/worker/protocol.js';
import type { Context } from './model-context.js';

/** Where the chunks of a stream go. */
export interface Sink {
  /** The next one is asked for when this has resolved. @throws where the chunk can't be taken */
  push(chunk: unknown): void | Promise<void>;
  /** Nobody wants chunks any more: lets go whoever waits in `push`. */
  close(): void;
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === 'function';
}

/**
 * Runs a stream to its end. When its batch is aborted, it is ended by `return()`, and that is waited for: until then it is at work.
 * @throws what the stream throws, or why it was aborted
 */
export async function pump(stream: AsyncIterable<unknown>, context: Context, sink: Sink): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]();
  let ended: Promise<unknown> | null = null;
  let letGo: () => void = () => {};
  const end = (): Promise<unknown> => {
    ended ??= (async () => iterator.return?.())();
    return ended;
  };
  context.whenAborted(() => {
    sink.close();
    // What can be ended while a step of it is pending ends that step too, or doesn't: then its own end counts.
    if (iterator.return) end().then(letGo, letGo);
  });
  // Not Promise.race: with one promise that lasts it would keep every chunk until the end.
  const step = () =>
    new Promise<IteratorResult<unknown> | null>((resolve, reject) => {
      letGo = () => resolve(null);
      iterator.next().then(resolve, reject);
    });
  for (;;) {
    if (context.reason) {
      await end();
      throw context.reason;
    }
    const next = await step();
    if (context.reason) continue;
    if (next === null || next.done) return;
    try {
      await sink.push(next.value);
    } catch (error) {
      await end();
      throw error;
    }
  }
}

/** For those who want the answer as a whole. */
export class Collected implements Sink {
  readonly chunks: unknown[] = [];

  push(chunk: unknown): void {
    this.chunks.push(chunk);
  }

  close(): void {}
}

/** Sends chunks, and stops while too much of what it sent is unread. */
export class ChunkWindow implements Sink {
  /** Sizes of what is unread, oldest first. */
  readonly #unread: number[] = [];
  #unreadBytes = 0;
  #closed = false;
  #onRoom: (() => void) | null = null;

  constructor(
    private readonly batch: number,
    private readonly post: (message: ChunkMessage) => void,
  ) {}

  async push(value: unknown): Promise<void> {
    const bytes = bytesOf(value);
    this.post({ type: 'chunk', batch: this.batch, value });
    this.#unread.push(bytes);
    this.#unreadBytes += bytes;
    while (this.#full)
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
  }

  more(chunks: number): void {
    for (const bytes of this.#unread.splice(0, chunks)) this.#unreadBytes -= bytes;
    this.#onRoom?.();
  }

  close(): void {
    this.#closed = true;
    this.#onRoom?.();
  }

  get #full(): boolean {
    if (this.#closed) return false;
    return this.#unread.length >= STREAM_WINDOW.chunks || this.#unreadBytes >= STREAM_WINDOW.bytes;
  }
}

/** About as much as the chunk takes on its way. @throws TypeError for what no message can carry */
function bytesOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer) return value.byteLength;
  try {
    return serialize(value).byteLength;
  } catch (error) {
    throw new TypeError(`predict yielded what cannot be sent: ${messageOf(error)}`);
  }
}
