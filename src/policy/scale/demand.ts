import { LearnedHeadroom } from './headroom.js';
import type { LoadHistory } from './load.js';
import { WindowMaximum, WindowMinimum } from './window.js';

export interface DemandLimits {
  headroom: number;
  target: number | null;
  upWindowMs: number;
}

export interface DemandFacts {
  queued: number;
  ready: number;
  booting: number;
  desired: number;
  concurrency: number;
  deadlineMs: number;
  bootMs: number | null;
}

export interface Demand {
  /** Workers, not rounded. */
  workers: number;
  /** Without what only drains the backlog. */
  steady: number;
  /** Fewer than this could not be doubled to what the load has lately jumped to. */
  reserve: number;
  numbers: Record<string, number | null>;
}

/** Service time changes slowly: from more answers than the arrival rate, so that it adds little noise. */
const SERVICE_WINDOW_MS = 15_000;
const TARGET_WINDOW_MS = 3000;
const SATURATION_WINDOW_MS = 3000;
/** Workers that are at work for this share of the time may hide requests that wait where nobody counts them. */
const SATURATED = 0.95;
const SATURATED_GROWTH = 1.5;
/** Standard deviations that the latest ticks alone must be off before they count for more than the whole window. */
const SURE = 3;
/** A rise within this time is a jump: too fast to be followed by one growth after the other. */
const JUMP_MS = 15_000;
const JUMP_MEMORY_MS = 30 * 60_000;
/** Before so much has been seen, nothing is concluded from how many requests there were at once. */
const CROWD_WINDOW_MS = 30_000;
const CPU_FULL = 0.85;
const RESERVE = 0.5;

/** How many workers the load asks for, before limits and gates. */
export class DemandEstimate {
  readonly #headroom = new LearnedHeadroom();
  readonly #low = new WindowMinimum();
  readonly #jumps = new WindowMaximum();
  readonly #service = new WindowMinimum();
  /** Requests to a shared socket wait where nobody counts them. */
  #countsQueue = false;

  of(load: LoadHistory, facts: DemandFacts, limits: DemandLimits, spanMs: number, now: number): Demand {
    const slots = Math.max(1, facts.concurrency);
    const measuredMs = load.serviceMs(SERVICE_WINDOW_MS) ?? 0;
    const serviceMs = this.#ownService(measuredMs, load, now);
    const rate = arrivalRate(load, limits.upWindowMs);
    const offered = rate * serviceMs;
    const headroom = this.#headroom.value(limits.headroom);
    const staffed = (a: number) => (a + headroom * Math.sqrt(a)) / slots;
    const long = facts.queued * serviceMs > 3 * serviceMs * Math.max(1, facts.ready) * slots;
    const drain = long ? (facts.queued * serviceMs) / Math.max(1, facts.deadlineMs / 2) / slots : 0;
    this.#low.add(offered, now);
    this.#jumps.add(offered - (this.#low.over(JUMP_MS, now) ?? offered), now);
    this.#low.forget(JUMP_MS, now);
    this.#jumps.forget(JUMP_MEMORY_MS, now);
    const jump = this.#jumps.over(JUMP_MEMORY_MS, now) ?? 0;

    let workers = staffed(offered) + drain;
    if (limits.target !== null && limits.target > 0) workers = load.inSystem(TARGET_WINDOW_MS) / limits.target;
    this.#headroom.see(
      { queued: facts.queued, serviceMs, slots: facts.ready * slots, deadlineMs: facts.deadlineMs },
      facts.booting === 0 && facts.desired >= staffed(offered),
      limits.headroom,
      spanMs,
    );
    if (facts.queued > 0) this.#countsQueue = true;
    const utilisation = load.utilisation(SATURATION_WINDOW_MS, slots);
    if (utilisation !== null && utilisation >= SATURATED && !this.#countsQueue)
      workers = Math.max(workers, facts.ready * SATURATED_GROWTH);
    const most = this.#crowd(load, offered, slots);
    workers = Math.min(workers, most);
    return {
      workers,
      steady: Math.min(staffed(offered), most),
      reserve: staffed(offered + jump) * RESERVE,
      numbers: {
        arrivals_per_second: rounded(rate * 1000),
        service_ms: rounded(serviceMs),
        offered_load: rounded(offered),
        backlog: facts.queued,
        headroom: rounded(headroom),
        jump: rounded(jump),
      },
    };
  }

  /** No more workers than there were requests at once. Only where those were counted: a mean below the busy workers is none. */
  #crowd(load: LoadHistory, offered: number, slots: number): number {
    const most = load.mostInSystem(CROWD_WINDOW_MS);
    if (most === null || load.inSystem(CROWD_WINDOW_MS) < 0.8 * offered) return Number.POSITIVE_INFINITY;
    return most / slots;
  }

  /** On a full CPU, requests take longer because workers wait for each other: then the least that was seen lately counts. */
  #ownService(measuredMs: number, load: LoadHistory, now: number): number {
    const cpu = load.cpuShare(SERVICE_WINDOW_MS);
    const full = cpu !== null && cpu >= CPU_FULL;
    if (!full) {
      if (measuredMs > 0) this.#service.add(measuredMs, now);
      this.#service.forget(JUMP_MEMORY_MS, now);
      return measuredMs;
    }
    return Math.min(measuredMs, this.#service.over(JUMP_MEMORY_MS, now) ?? measuredMs);
  }
}

/** Requests a ms: of the whole window, or of its latest part where that is surely above it. */
function arrivalRate(load: LoadHistory, windowMs: number): number {
  let rate = 0;
  const whole = load.arrivals(windowMs);
  if (whole.spanMs > 0) rate = whole.count / whole.spanMs;
  for (let partMs = windowMs / 5; partMs < windowMs; partMs += windowMs / 5) {
    const part = load.arrivals(partMs);
    const surely = (part.count - SURE * Math.sqrt(part.count)) / part.spanMs;
    if (surely > rate) return part.count / part.spanMs;
  }
  return rate;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
