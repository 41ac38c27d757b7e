import type { Requests } from './pool.js';
import { Random } from './random.js';

/** Requests of a stretch of time, in order. */
export interface Chunk {
  untilMs: number;
  at: Float64Array;
  serviceMs: Float64Array;
}

/** How much is asked for: offered load (mean busy workers) at a time, constant within each second. */
export type OfferedLoad = (seconds: number) => number;

const CHUNK_MS = 600_000;
const STEP_MS = 1000;

/** Poisson arrivals of a changing rate, with exponential service times. Made in chunks that all policies of a run share. */
export function* poissonChunks(load: OfferedLoad, serviceMs: number, endMs: number, seed: number): Generator<Chunk> {
  const random = new Random(seed);
  // Arrivals of unit rate, stretched by what the rate has come to by then.
  let left = random.exponential(1);
  for (let from = 0; from < endMs; from += CHUNK_MS) {
    const untilMs = Math.min(from + CHUNK_MS, endMs);
    const requests = new RequestList();
    for (let second = from; second < untilMs; second += STEP_MS) {
      const perMs = Math.max(0, load(second / 1000)) / serviceMs;
      const span = Math.min(STEP_MS, untilMs - second);
      let position = 0;
      while (perMs * (span - position) > left) {
        position += left / perMs;
        left = random.exponential(1);
        requests.add(second + position, random.exponential(serviceMs));
      }
      left -= perMs * (span - position);
    }
    yield requests.chunk(untilMs);
  }
}

/** Grows as it needs to. */
class RequestList {
  #at = new Float64Array(4096);
  #serviceMs = new Float64Array(4096);
  #length = 0;

  add(at: number, serviceMs: number): void {
    if (this.#length === this.#at.length) {
      this.#at = doubled(this.#at);
      this.#serviceMs = doubled(this.#serviceMs);
    }
    this.#at[this.#length] = at;
    this.#serviceMs[this.#length++] = serviceMs;
  }

  chunk(untilMs: number): Chunk {
    return { untilMs, at: this.#at.subarray(0, this.#length), serviceMs: this.#serviceMs.subarray(0, this.#length) };
  }
}

function doubled(list: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(list.length * 2);
  larger.set(list);
  return larger;
}

/** Arrivals at given times (ms, ascending) with exponential service times, and the time that the last of them may take. */
export function* recordedChunks(
  at: Float64Array,
  serviceMs: number,
  deadlineMs: number,
  seed: number,
): Generator<Chunk> {
  const random = new Random(seed);
  const untilMs = Math.ceil(((at.at(-1) ?? 0) + deadlineMs) / STEP_MS) * STEP_MS;
  yield { untilMs, at, serviceMs: at.map(() => random.exponential(serviceMs)) };
}

/** One policy's place in the shared arrivals. */
export class ChunkedRequests implements Requests {
  #chunk: Chunk = { untilMs: 0, at: new Float64Array(0), serviceMs: new Float64Array(0) };
  #next = 0;

  load(chunk: Chunk): void {
    this.#chunk = chunk;
    this.#next = 0;
  }

  get at(): number {
    return this.#next < this.#chunk.at.length ? this.#chunk.at[this.#next]! : Number.POSITIVE_INFINITY;
  }
  get serviceMs(): number {
    return this.#chunk.serviceMs[this.#next]!;
  }

  take(): void {
    this.#next++;
  }
}

/** Clients that send their next request as soon as the last was answered. */
export class ClosedLoop implements Requests {
  readonly #random: Random;
  /** When each client sends; it is away while it waits for an answer. */
  #ready: number[] = [];
  #clients = 0;
  serviceMs = 0;

  constructor(
    private readonly meanServiceMs: number,
    seed: number,
  ) {
    this.#random = new Random(seed);
    this.serviceMs = this.#random.exponential(meanServiceMs);
  }

  /** More begin at once; fewer as they get their answers. */
  setClients(count: number, now: number): void {
    for (let i = this.#clients; i < count; i++) this.#ready.push(now);
    this.#leaving = Math.max(0, this.#leaving + this.#clients - count);
    this.#clients = count;
  }
  #leaving = 0;

  get at(): number {
    return this.#ready[0] ?? Number.POSITIVE_INFINITY;
  }

  take(): void {
    this.#ready.shift();
    this.serviceMs = this.#random.exponential(this.meanServiceMs);
  }

  done(now: number): void {
    if (this.#leaving > 0) this.#leaving--;
    else this.#ready.push(now);
  }
}
