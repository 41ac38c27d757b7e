/** One tick of what a pool was asked for and did. */
export interface LoadTick {
  /** How long the tick took. */
  spanMs: number;
  arrivals: number;
  completed: number;
  /** Worker time of what was completed. */
  busyMs: number;
  /** At its end. */
  queued: number;
  inFlight: number;
  ready: number;
  /** 0..1; null: not known. */
  cpuShare: number | null;
  cpuWait: number | null;
}

/** Service time comes from so many answers at least, from further back than its window where that had fewer, up to so many windows. */
const ENOUGH_ANSWERS = 20;
const LONGEST_SEARCH = 4;
const KEPT_TICKS = 120;
/** From this share of the cores on, or with tasks that wait for one for this share of the time, workers are in each other's way. */
export const CPU_FULL = 0.85;
const CPU_WAIT = 0.5;

/** The latest ticks of a pool's load, and what they come to over a window. */
export class LoadHistory {
  #ticks: LoadTick[] = [];
  #seenMs = 0;
  #calmServiceMs: number | null = null;

  add(seen: Omit<LoadTick, 'arrivals' | 'spanMs'>, arrivals: number, spanMs: number): void {
    const { completed, busyMs, queued, inFlight, ready, cpuShare, cpuWait } = seen;
    this.#ticks.push({ spanMs, arrivals, completed, busyMs, queued, inFlight, ready, cpuShare, cpuWait });
    this.#seenMs += spanMs;
    if (this.#ticks.length >= 2 * KEPT_TICKS) this.#ticks = this.#ticks.slice(-KEPT_TICKS);
  }

  /** Requests that came within the window, and how long that was. */
  arrivals(windowMs: number): { count: number; spanMs: number } {
    let count = 0;
    let spanMs = 0;
    for (let i = this.#begin(windowMs); i < this.#ticks.length; i++) {
      const tick = this.#ticks[i]!;
      count += tick.arrivals;
      spanMs += tick.spanMs;
    }
    return { count, spanMs };
  }

  /**
   * Worker time of one request; null while nothing was answered. Where workers wait for a core, requests take longer the more
   * workers there are, and so would ask for still more: ticks in which the CPU was contended don't count, once there were others.
   */
  serviceMs(windowMs: number): number | null {
    this.#calmServiceMs = this.#serviceMs(windowMs, (tick) => !contended(tick)) ?? this.#calmServiceMs;
    return this.#calmServiceMs ?? this.#serviceMs(windowMs, () => true);
  }

  #serviceMs(windowMs: number, counts: (tick: LoadTick) => boolean): number | null {
    let completed = 0;
    let busyMs = 0;
    let spanMs = 0;
    for (let i = this.#ticks.length - 1; i >= 0; i--) {
      if (spanMs >= windowMs && (completed >= ENOUGH_ANSWERS || spanMs >= LONGEST_SEARCH * windowMs)) break;
      const tick = this.#ticks[i]!;
      spanMs += tick.spanMs;
      if (!counts(tick)) continue;
      completed += tick.completed;
      busyMs += tick.busyMs;
    }
    return completed === 0 ? null : busyMs / completed;
  }

  /** The CPU is full, in the latest tick or over the window; false where it is not known. */
  cpuIsFull(windowMs: number): boolean {
    const latest = this.#ticks.at(-1)?.cpuShare ?? 0;
    return Math.max(latest, this.#mean(windowMs, (tick) => tick.cpuShare) ?? 0) >= CPU_FULL;
  }

  /** Requests that were in flight and queued at once: their mean and their most. Zero before the first tick. */
  crowd(windowMs: number): { mean: number; most: number; spanMs: number } {
    let most = 0;
    let weighted = 0;
    let spanMs = 0;
    for (let i = this.#begin(windowMs); i < this.#ticks.length; i++) {
      const tick = this.#ticks[i]!;
      const crowd = tick.inFlight + tick.queued;
      if (crowd > most) most = crowd;
      weighted += crowd * tick.spanMs;
      spanMs += tick.spanMs;
    }
    return { mean: spanMs === 0 ? 0 : weighted / spanMs, most, spanMs };
  }

  /** Share of their time that the workers were at work; null before the window is full, and where none was ready. */
  utilisation(windowMs: number, slots: number): number | null {
    if (this.#seenMs < windowMs) return null;
    return this.#mean(windowMs, ({ busyMs, ready, spanMs }) =>
      ready === 0 ? null : busyMs / (ready * slots * spanMs),
    );
  }

  /** Where the window begins in the list of ticks. */
  #begin(windowMs: number): number {
    let i = this.#ticks.length;
    for (let spanMs = 0; i > 0 && spanMs < windowMs; i--) spanMs += this.#ticks[i - 1]!.spanMs;
    return i;
  }

  #mean(windowMs: number, of: (tick: LoadTick) => number | null): number | null {
    let weighted = 0;
    let knownMs = 0;
    for (let i = this.#begin(windowMs); i < this.#ticks.length; i++) {
      const tick = this.#ticks[i]!;
      const value = of(tick);
      if (value === null) continue;
      weighted += value * tick.spanMs;
      knownMs += tick.spanMs;
    }
    return knownMs === 0 ? null : weighted / knownMs;
  }
}

function contended({ cpuShare, cpuWait }: LoadTick): boolean {
  return (cpuShare ?? 0) >= CPU_FULL || (cpuWait ?? 0) >= CPU_WAIT;
}
