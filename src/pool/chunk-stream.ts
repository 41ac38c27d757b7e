import type { JobResult } from './job.js';

/** While more lies here, what was read is told so many at a time: a message for each chunk would cost as much as the chunk. */
const TELL_AFTER = 16;

/**
 * The chunks of one streamed prediction on their way from its worker to its one reader. Its size is bounded by the worker, which sends no
 * more than the window of `STREAM_WINDOW` before it is told what was read.
 */
export class ChunkStream implements AsyncIterableIterator<unknown, JobResult> {
  #chunks: unknown[] = [];
  /** Read, and the worker does not know it yet. */
  #untold = 0;
  #begun = false;
  #result: JobResult | null = null;
  #reader: { resolve: (step: IteratorResult<unknown, JobResult>) => void; reject: (error: Error) => void } | null =
    null;
  #onRead: (more: number) => void = () => {};

  /** @param cancel called once, when the reader leaves before the end */
  constructor(private readonly cancel: () => void) {}

  /** Something has been read: this prediction can't be begun again. */
  get begun(): boolean {
    return this.#begun;
  }

  /** It is with a worker from now on. @param onRead called with each chunk that is read, and with how many the worker may send for it now */
  connect(onRead: (more: number) => void): void {
    this.#onRead = onRead;
  }

  /** It is going to be run again: what came and was not read is void. */
  restart(): void {
    this.#onRead = () => {};
    this.#chunks = [];
    this.#untold = 0;
  }

  push(chunk: unknown): void {
    if (this.#result) return;
    this.#chunks.push(chunk);
    this.#serve();
  }

  /** How the prediction ended; what came before is still to be read. */
  end(result: JobResult): void {
    this.#result ??= result;
    this.#serve();
  }

  /** One call at a time. The result is the iterator's last value. @throws SupError that ended the prediction */
  next(): Promise<IteratorResult<unknown, JobResult>> {
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#serve();
    });
  }

  async return(value?: unknown): Promise<IteratorResult<unknown, JobResult>> {
    if (!this.#result) this.cancel();
    this.#chunks = [];
    return { done: true, value: (this.#result ?? value) as JobResult };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #serve(): void {
    const reader = this.#reader;
    if (!reader) return;
    if (this.#chunks.length > 0) {
      this.#reader = null;
      this.#begun = true;
      reader.resolve({ done: false, value: this.#chunks.shift() });
      this.#took();
    } else if (this.#result) {
      this.#reader = null;
      if (this.#result.ok) reader.resolve({ done: true, value: this.#result });
      else reader.reject(this.#result.error);
    }
  }

  #took(): void {
    if (this.#result) return;
    this.#untold++;
    // With nothing left here the worker may be waiting, whatever the number.
    const tell = this.#chunks.length === 0 || this.#untold >= TELL_AFTER;
    const more = tell ? this.#untold : 0;
    this.#untold -= more;
    this.#onRead(more);
  }
}
