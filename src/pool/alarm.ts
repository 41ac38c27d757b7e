import type { Clock, Timer } from '../clock.js';

/** What setTimeout can hold; a longer wait is looked at again then. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One timer for many times: it rings at the earliest that it was set to, or before, and whoever hears it looks what is due. */
export class Alarm {
  #timer: Timer | null = null;
  #at = Number.POSITIVE_INFINITY;
  #off = false;

  constructor(
    private readonly clock: Clock,
    private readonly ring: () => void,
  ) {}

  /** Monotonic ms. */
  set(at: number): void {
    if (at >= this.#at || this.#off) return;
    this.#timer?.cancel();
    this.#at = at;
    const ms = Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(at - this.clock.now())));
    this.#timer = this.clock.setTimeout(() => {
      this.#timer = null;
      this.#at = Number.POSITIVE_INFINITY;
      this.ring();
    }, ms);
  }

  /** For good. */
  off(): void {
    this.#off = true;
    this.#timer?.cancel();
  }
}
