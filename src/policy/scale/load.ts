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

/** Service time comes from at least so many answers: from further back than its window where that had fewer. */
const LEAST_ANSWERS = 20;
const KEPT_TICKS = 300;
/** From this share of the cores on, or with tasks that wait for one for this share of the time, workers are in each other's way. */
const CPU_FULL = 0.85;
const CPU_WAIT = 0.5;

/** The latest ticks of a pool's load, and what they come to over a window. */
export class LoadHistory {
  #ticks: LoadTick[] = [];

  add(tick: LoadTick): void {
    this.#ticks.push(tick);
    if (this.#ticks.length >= 2 * KEPT_TICKS) this.#ticks = this.#ticks.slice(-KEPT_TICKS);
  }

  /** Requests that came within the window, and how long that was. */
  arrivals(windowMs: number): { count: number; spanMs: number } {
    let count = 0;
    let spanMs = 0;
    for (const tick of this.#latest(windowMs)) {
      count += tick.arrivals;
      spanMs += tick.spanMs;
    }
    return { count, spanMs };
  }

  /**
   * Worker time of one request; null while nothing was answered. Where workers wait for a core, requests take longer the more
   * workers there are, and so would ask for still more: ticks in which the CPU was contended count only if there are no others.
   */
  serviceMs(windowMs: number): number | null {
    return this.#serviceMs(windowMs, (tick) => !contended(tick)) ?? this.#serviceMs(windowMs, () => true);
  }

  #serviceMs(windowMs: number, counts: (tick: LoadTick) => boolean): number | null {
    let completed = 0;
    let busyMs = 0;
    let spanMs = 0;
    for (let i = this.#ticks.length - 1; i >= 0 && (spanMs < windowMs || completed < LEAST_ANSWERS); i--) {
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

  /** Mean number of requests in flight and queued. */
  inSystem(windowMs: number): number {
    return this.#mean(windowMs, (tick) => tick.inFlight + tick.queued) ?? 0;
  }

  /** The most that were in flight and queued at once; null before the window is full. */
  mostInSystem(windowMs: number): number | null {
    let most = 0;
    let spanMs = 0;
    for (const tick of this.#latest(windowMs)) {
      most = Math.max(most, tick.inFlight + tick.queued);
      spanMs += tick.spanMs;
    }
    return spanMs < windowMs ? null : most;
  }

  /** Share of their time that the workers were at work; null where none was ready. */
  utilisation(windowMs: number, slots: number): number | null {
    return this.#mean(windowMs, ({ busyMs, ready, spanMs }) =>
      ready === 0 ? null : busyMs / (ready * slots * spanMs),
    );
  }

  *#latest(windowMs: number): Generator<LoadTick> {
    let spanMs = 0;
    for (let i = this.#ticks.length - 1; i >= 0 && spanMs < windowMs; i--) {
      yield this.#ticks[i]!;
      spanMs += this.#ticks[i]!.spanMs;
    }
  }

  #mean(windowMs: number, of: (tick: LoadTick) => number | null): number | null {
    let weighted = 0;
    let knownMs = 0;
    for (const tick of this.#latest(windowMs)) {
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
