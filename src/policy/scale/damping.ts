import { WindowMaximum } from './window.js';

export interface DampingLimits {
  upCooldownMs: number;
  downWindowMs: number;
}

/** An idle worker is kept for as long as so many boots take, but no longer than the down window and no shorter than a quarter of it. */
const BOOTS_KEPT = 15;
const SHORTEST = 1 / 4;
const MOST_PENALTY = 4;
/** Without another flap for this long, the penalty is halved. */
const FORGIVEN_MS = 15 * 60_000;
/** After so many resizes within an hour the pool only grows: a worker too many costs less than a pool that never rests. */
const MOST_RESIZES = 40;
const HOUR_MS = 60 * 60_000;

/** When a pool may change its size again, so that it follows the load and not its noise. */
export class Damping {
  readonly #demands = new WindowMaximum();
  #resizes: number[] = [];
  #grewAt = Number.NEGATIVE_INFINITY;
  #shrankAt = Number.NEGATIVE_INFINITY;
  #penalty = 1;
  #penaltyAt = 0;

  see(demand: number, limits: DampingLimits, now: number): void {
    this.#demands.add(demand, now);
    this.#demands.forget(limits.downWindowMs * MOST_PENALTY, now);
    this.#resizes = this.#resizes.filter((at) => now - at < HOUR_MS);
    if (this.#penalty === 1 || now - this.#penaltyAt < FORGIVEN_MS) return;
    this.#penalty /= 2;
    this.#penaltyAt = now;
  }

  mayGrow({ upCooldownMs }: DampingLimits, now: number): boolean {
    return now - this.#grewAt >= upCooldownMs;
  }

  /** Not before those that were added last have shown what they are good for. */
  mayShrink({ upCooldownMs }: DampingLimits, bootMs: number | null, now: number): boolean {
    if (this.#resizes.length >= MOST_RESIZES || now - this.#shrankAt < upCooldownMs) return false;
    return now - this.#grewAt >= Math.max(upCooldownMs, bootMs ?? 0);
  }

  /** How long a demand counts after it was last there. */
  windowMs({ downWindowMs }: DampingLimits, bootMs: number | null): number {
    const kept = bootMs === null ? downWindowMs : Math.max(downWindowMs * SHORTEST, BOOTS_KEPT * bootMs);
    return Math.min(downWindowMs, kept) * this.#penalty;
  }

  /** The largest demand within the window. */
  needed(windowMs: number, now: number): number {
    return this.#demands.over(windowMs, now) ?? 0;
  }

  /** A growth this soon after a shrink says that the shrink was a mistake: the next one waits twice as long. */
  grew(limits: DampingLimits, bootMs: number | null, now: number): void {
    if (now - this.#shrankAt < this.windowMs(limits, bootMs) / this.#penalty) {
      this.#penalty = Math.min(MOST_PENALTY, this.#penalty * 2);
      this.#penaltyAt = now;
    }
    this.#grewAt = now;
    this.#resizes.push(now);
  }

  shrank(now: number): void {
    this.#shrankAt = now;
    this.#resizes.push(now);
  }
}
