/**
 * How many predictions may be run again because their worker died: a share of what came lately. Where every worker dies of
 * something that no retry cures, each request would else cost two workers, and the load would double when least can be borne.
 */
const SHARE = 0.2;
const WINDOW_MS = 10_000;
/** Counted in slices: old ones go as wholes. */
const SLICES = 10;
const SLICE_MS = WINDOW_MS / SLICES;
/** So that a pool with little to do still follows a worker that dies. */
const FLOOR = 10;

interface Slice {
  /** Number of the slice since time began. */
  number: number;
  requests: number;
  retries: number;
}

export interface RetryBudgetNumbers {
  retries: number;
  requests: number;
  limit: number;
}

export class RetryBudget {
  readonly #slices: Slice[] = Array.from({ length: SLICES }, () => ({ number: -1, requests: 0, retries: 0 }));

  request(inputs: number, now: number): void {
    this.#slice(now).requests += inputs;
  }

  /**
   * Whether one more may be retried; then it is counted.
   * @param perWorker inputs that one worker may hold: what dies with a single one is never too much
   */
  take(perWorker: number, now: number): boolean {
    const { retries, limit } = this.numbers(perWorker, now);
    if (retries + 1 > limit) return false;
    this.#slice(now).retries++;
    return true;
  }

  /** Of the window that ends now. */
  numbers(perWorker: number, now: number): RetryBudgetNumbers {
    const newest = Math.floor(now / SLICE_MS);
    let requests = 0;
    let retries = 0;
    for (const slice of this.#slices) {
      if (slice.number <= newest - SLICES) continue;
      requests += slice.requests;
      retries += slice.retries;
    }
    return { retries, requests, limit: Math.max(FLOOR, perWorker, Math.floor(requests * SHARE)) };
  }

  #slice(now: number): Slice {
    const number = Math.floor(now / SLICE_MS);
    const slice = this.#slices[number % SLICES] as Slice;
    if (slice.number !== number) {
      slice.number = number;
      slice.requests = 0;
      slice.retries = 0;
    }
    return slice;
  }
}
