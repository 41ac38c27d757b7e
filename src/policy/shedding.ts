/**
 * When there is more work than the workers can do, after CoDel: not a long queue is the sign, since a burst makes one too, but one
 * that stays. Pure: time is an argument.
 */

/** Of what is left of a deadline once the answer itself is paid for: so long may it wait. The other half is for what was not foreseen. */
const WAIT_SHARE = 0.5;
/** Timers and the event loop are not finer than this. */
const MIN_TARGET_MS = 5;

/** How long something with this deadline may wait; `serviceMs`: what the answer itself takes. */
export function waitTargetMs(timeoutMs: number, serviceMs: number): number {
  return Math.max(MIN_TARGET_MS, (timeoutMs - serviceMs) * WAIT_SHARE);
}

export class Shedding {
  /** From when on what waits longest has waited too long, without a break. */
  #lateSince: number | null = null;
  #startedAt: number | null = null;
  #refusedAt = 0;
  #intervalMs = MIN_TARGET_MS;

  get active(): boolean {
    return this.#startedAt !== null;
  }

  /** When it has to be looked at again, although nothing happens; null: not at all. */
  get dueAt(): number | null {
    return this.active ? this.#refusedAt + this.#intervalMs : null;
  }

  /**
   * A batch has left. `waitedMs`: of what has waited longest of the rest, cold starts not counted; null: nothing is left.
   * Returns whether it starts now.
   *
   * A queue that is late must be late for as long as one target before it counts. A burst that can be answered in time is late
   * for less: what is left of its deadline then, one target, is enough for the rest of it.
   */
  left(waitedMs: number | null, targetMs: number, now: number): boolean {
    if (waitedMs === null || waitedMs <= targetMs) {
      this.#lateSince = null;
      return false;
    }
    this.#lateSince ??= now;
    if (this.active || now - this.#lateSince < targetMs) return false;
    this.#startedAt = now;
    this.#refusedAt = now;
    this.#intervalMs = targetMs;
    return true;
  }

  refused(now: number): void {
    this.#refusedAt = now;
  }

  /** Returns how long it lasted where it ends now: nothing had to be refused for an interval, and the queue is in time. */
  ended(now: number): number | null {
    if (this.#startedAt === null || this.#lateSince !== null || now < this.#refusedAt + this.#intervalMs) return null;
    return this.reset(now);
  }

  /** Whatever was seen says nothing any more. Returns how long it lasted, if it was active. */
  reset(now: number): number | null {
    const lastedMs = this.#startedAt === null ? null : now - this.#startedAt;
    this.#startedAt = null;
    this.#lateSince = null;
    return lastedMs;
  }
}
