/** Never planned with less: the arrival rate is only known within its noise. */
const LEAST = 0.5;
/** Taken away in each minute in which nobody waits long, and given back at each tick at which somebody does. */
const LOWERED_A_MINUTE = 0.1;
const RAISED_A_TICK = 0.1;
const MINUTE_MS = 60_000;

/**
 * How much a pool really needs in hand over its offered load a, in units of √a. Square-root staffing knows nothing of deadlines,
 * nor how even the arrivals are: so this begins with what is configured, goes down while nobody waits, and up when somebody does.
 */
export class LearnedHeadroom {
  #learned = Number.POSITIVE_INFINITY;

  value(configured: number): number {
    return Math.min(this.#learned, configured);
  }

  /** A tick in which nobody, or somebody, had to wait long although the pool had the size that was planned. */
  see(longWait: boolean, configured: number, spanMs: number): void {
    const value = this.value(configured);
    this.#learned = longWait
      ? value + RAISED_A_TICK
      : Math.max(Math.min(LEAST, configured), value - (LOWERED_A_MINUTE * spanMs) / MINUTE_MS);
  }
}
