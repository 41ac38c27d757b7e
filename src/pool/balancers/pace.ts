/** A worker that gets slow is noticed after a few batches; it is believed to be fast again after some twenty. */
const RISE = 0.25;
const FALL = 0.05;
/** So much later, what was measured counts for a third: a slow worker that gets no work is tried again. */
const FORGET_MS = 10_000;
const MEAN_WEIGHT = 0.1;
const NEUTRAL = 1;
/** One time of 0 (a clock is only so fine), or one of an hour, must not count for ever, nor be divided by. */
const MOST = 50;
const LEAST = 1 / MOST;

/** Response times of one worker, relative to what its pool takes for such batches: 1 is like the others, 5 is five times slower. */
export class Pace {
  /** Batches that were measured. */
  samples = 0;
  /** Moving average that rises and falls alike; null: nothing was measured. For judging, not for routing. */
  mean: number | null = null;
  #peak = NEUTRAL;
  #at = 0;

  observe(measured: number, now: number): void {
    const relative = Math.min(MOST, Math.max(LEAST, measured));
    this.mean = this.mean === null ? relative : this.mean + MEAN_WEIGHT * (relative - this.mean);
    const elapsed = this.samples === 0 ? Number.POSITIVE_INFINITY : now - this.#at;
    const forgotten = 1 - Math.exp(-elapsed / FORGET_MS);
    this.#peak += Math.max(forgotten, relative > this.#peak ? RISE : FALL) * (relative - this.#peak);
    this.#at = now;
    this.samples++;
  }

  /** What to expect of it. One without samples is expected to be like the others. */
  at(now: number): number {
    if (this.samples === 0) return NEUTRAL;
    return NEUTRAL + (this.#peak - NEUTRAL) * Math.exp(-Math.max(0, now - this.#at) / FORGET_MS);
  }
}
