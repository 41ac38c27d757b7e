/** Counters of many subjects in sum, second by second: what was counted within the last minutes, without keeping what was when. */

/** Timers come late, and sometimes a little early: this near to a step is one. */
const STEP_TOLERANCE = 0.95;

export interface Counted<K extends string> {
  /** What the counts are of: the window, up to a step more, or less where the history is shorter. */
  spanMs: number;
  counts: Record<K, number>;
}

export interface HistoryOptions {
  /** How far apart samples are kept. Default: a second. */
  stepMs?: number;
  /** The longest window. Default: an hour. */
  longestMs?: number;
}

export class History<K extends string> {
  readonly #keys: readonly K[];
  readonly #stepMs: number;
  readonly #capacity: number;
  /** When each sample was taken, and what had been counted by then: places are used in turn. */
  readonly #times: Float64Array;
  readonly #sums: Float64Array;
  /** Samples taken so far. */
  #taken = 0;
  #total: Float64Array;
  readonly #last = new Map<string, Readonly<Record<K, number>>>();

  /** @param startedAt when all counters began */
  constructor(keys: readonly K[], startedAt: number, { stepMs = 1000, longestMs = 3_600_000 }: HistoryOptions = {}) {
    this.#keys = keys;
    this.#stepMs = stepMs * STEP_TOLERANCE;
    // One more than the window has steps: its beginning is a sample too.
    this.#capacity = Math.ceil(longestMs / this.#stepMs) + 2;
    this.#times = new Float64Array(this.#capacity);
    this.#sums = new Float64Array(this.#capacity * keys.length);
    this.#total = new Float64Array(keys.length);
    this.#keep(startedAt);
  }

  /**
   * @param counters by subject, each counting up from 0. One that is lower than before has begun anew; a subject that is gone and comes
   * back has, too.
   */
  add(at: number, counters: ReadonlyMap<string, Readonly<Record<K, number>>>): void {
    for (const [subject, now] of counters) {
      const before = this.#last.get(subject);
      for (const [index, key] of this.#keys.entries()) {
        const value = now[key];
        const since = before === undefined || value < before[key] ? 0 : before[key];
        this.#total[index] = (this.#total[index] as number) + value - since;
      }
      this.#last.set(subject, now);
    }
    for (const subject of this.#last.keys()) if (!counters.has(subject)) this.#last.delete(subject);
    if (at - this.#timeOf(this.#taken - 1) >= this.#stepMs) this.#keep(at);
  }

  /** What was counted from `windowMs` before `now` up to the latest `add`. */
  over(windowMs: number, now: number): Counted<K> {
    const from = this.#newestUntil(now - windowMs);
    const counts = {} as Record<K, number>;
    for (const [index, key] of this.#keys.entries())
      counts[key] = (this.#total[index] as number) - (this.#sums[this.#placeOf(from, index)] as number);
    return { spanMs: now - this.#timeOf(from), counts };
  }

  #keep(at: number): void {
    const sample = this.#taken++;
    this.#times[sample % this.#capacity] = at;
    for (const [index, sum] of this.#total.entries()) this.#sums[this.#placeOf(sample, index)] = sum;
  }

  /** The number of the newest sample that is not younger than `at`; of the oldest one where all are. */
  #newestUntil(at: number): number {
    let low = Math.max(0, this.#taken - this.#capacity);
    let high = this.#taken - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#timeOf(middle) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #timeOf(sample: number): number {
    return this.#times[sample % this.#capacity] as number;
  }

  #placeOf(sample: number, index: number): number {
    return (sample % this.#capacity) * this.#keys.length + index;
  }
}
