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
  cpuShare: number | null;
}

/** Service time comes from at least so many answers: from further back than its window where that had fewer. */
const LEAST_ANSWERS = 20;
const KEPT_TICKS = 300;

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

  /** Worker time of one request; null while nothing was answered. */
  serviceMs(windowMs: number): number | null {
    let completed = 0;
    let busyMs = 0;
    let spanMs = 0;
    for (let i = this.#ticks.length - 1; i >= 0 && (spanMs < windowMs || completed < LEAST_ANSWERS); i--) {
      const tick = this.#ticks[i]!;
      completed += tick.completed;
      busyMs += tick.busyMs;
      spanMs += tick.spanMs;
    }
    return completed === 0 ? null : busyMs / completed;
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

  /** Null where it was never known. */
  cpuShare(windowMs: number): number | null {
    return this.#mean(windowMs, (tick) => tick.cpuShare);
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
