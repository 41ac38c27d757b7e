/** Never planned with less: a pool without any reserve queues for ever. */
const LEAST = 0.5;
/** Given back for each minute in which nobody waited long, and taken for each tick in which somebody did. */
const LOWERED_A_MINUTE = 0.1;
const RAISED_A_TICK = 0.1;
/** A wait is long from so many service times on, or half of the deadline, whichever comes first. */
const LONG_WAIT_SERVICES = 3;
const MINUTE_MS = 60_000;

/**
 * How many workers (in units of √a) a pool really needs in hand over its offered load a. Square-root staffing knows nothing of
 * deadlines and of how even the arrivals are: so begin with what is configured, go down while nobody waits, and up when somebody does.
 */
export class LearnedHeadroom {
  #value: number | null = null;

  value(configured: number): number {
    return this.#value === null ? configured : Math.min(this.#value, configured);
  }

  /** @param enough the pool has as many workers as was thought to be enough, and all of them serve */
  see(
    { queued, serviceMs, slots, deadlineMs }: { queued: number; serviceMs: number; slots: number; deadlineMs: number },
    enough: boolean,
    configured: number,
    spanMs: number,
  ): void {
    const value = this.value(configured);
    const waitMs = slots === 0 ? 0 : (queued * serviceMs) / slots;
    if (waitMs > Math.min(LONG_WAIT_SERVICES * serviceMs, deadlineMs / 2)) {
      if (enough) this.#value = Math.min(configured, value + RAISED_A_TICK);
    } else this.#value = Math.max(Math.min(LEAST, configured), value - (LOWERED_A_MINUTE * spanMs) / MINUTE_MS);
  }
}
