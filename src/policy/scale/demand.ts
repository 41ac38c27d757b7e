import { LearnedHeadroom } from './headroom.js';
import { JumpMemory } from './jumps.js';
import type { LoadHistory } from './load.js';

export interface DemandLimits {
  headroom: number;
  target: number | null;
  upWindowMs: number;
}

export interface DemandFacts {
  queued: number;
  countsQueue?: boolean;
  ready: number;
  booting: number;
  desired: number;
  concurrency: number;
  deadlineMs: number;
}

/** In workers, not rounded. */
export interface Demand {
  /** What the load and its backlog ask for. */
  workers: number;
  /** The same without the backlog: that is gone before an idle worker would be. */
  lasting: number;
  /** With fewer than this, doubling would not be enough for a jump such as there was lately. */
  reserve: number;
  numbers: Record<string, number | null>;
}

/** Longer than the window of the arrivals: service times change slowly, and so add little noise. */
const SERVICE_WINDOW_MS = 15_000;
const TARGET_WINDOW_MS = 3000;
const SATURATION_WINDOW_MS = 3000;
const CROWD_WINDOW_MS = 30_000;
const CROWD_LEAST_MS = 10_000;
/** Standard deviations by which the latest arrivals alone must be off the mean before they replace it. */
const SURE = 3;
/** A queue that takes more service times than this to work off is a backlog; a shorter one comes and goes by chance. */
const BACKLOG_SERVICES = 3;
/** Workers that are at work for this share of the time may have more to do than anybody sees. */
const SATURATED = 0.95;
const SATURATED_GROWTH = 1.5;
/** Mean number of requests at once ÷ offered load, below which those requests were not all seen (they are equal: Little's law). */
const COUNTED = 0.8;

/** How many workers the load asks for, before gates and limits. */
export class DemandEstimate {
  readonly #headroom = new LearnedHeadroom();
  readonly #jumps = new JumpMemory();
  #sawQueue = false;

  of(load: LoadHistory, facts: DemandFacts, limits: DemandLimits, spanMs: number, now: number): Demand {
    const slots = Math.max(1, facts.concurrency);
    const serviceMs = load.serviceMs(SERVICE_WINDOW_MS) ?? 0;
    const ratePerMs = arrivalRate(load, limits.upWindowMs);
    const offered = ratePerMs * serviceMs;
    const headroom = this.#headroom.value(limits.headroom);
    const jump = this.#jumps.see(offered, now);
    const planned = (offered + headroom * Math.sqrt(offered)) / slots;
    const numbers = {
      arrivals_per_second: rounded(ratePerMs * 1000),
      service_ms: rounded(serviceMs),
      offered_load: rounded(offered),
      headroom: rounded(headroom),
      backlog: facts.queued,
      jump: rounded(jump),
    };

    const waitMs = (facts.queued * serviceMs) / (Math.max(1, facts.ready) * slots);
    const backlog = waitMs > Math.min(BACKLOG_SERVICES * serviceMs, facts.deadlineMs / 2);
    // Only a wait that more workers would have spared says something of how many are needed.
    const asPlanned = facts.booting === 0 && facts.desired >= planned && !load.cpuIsFull(limits.upWindowMs);
    if (asPlanned || !backlog) this.#headroom.see(backlog, limits.headroom, spanMs);

    if (limits.target !== null && limits.target > 0) {
      const workers = load.crowd(TARGET_WINDOW_MS).mean / limits.target;
      return { workers, lasting: workers, reserve: 0, numbers };
    }
    const draining = backlog ? (facts.queued * serviceMs) / Math.max(1, facts.deadlineMs / 2) / slots : 0;
    const most = mostOfUse(load, offered, slots);
    return {
      workers: Math.min(Math.max(planned + draining, this.#unseen(load, facts, slots)), most),
      lasting: Math.min(planned, most),
      reserve: (offered + jump) / slots / 2,
      numbers,
    };
  }

  /** Where the queue can't be seen, workers that never rest stand for it. */
  #unseen(load: LoadHistory, { queued, countsQueue, ready }: DemandFacts, slots: number): number {
    if (queued > 0) this.#sawQueue = true;
    if (countsQueue ?? this.#sawQueue) return 0;
    const utilisation = load.utilisation(SATURATION_WINDOW_MS, slots);
    return utilisation !== null && utilisation >= SATURATED ? ready * SATURATED_GROWTH : 0;
  }
}

/** Requests a ms: over the whole window, or over its latest part once that is surely another rate. */
function arrivalRate(load: LoadHistory, windowMs: number): number {
  const whole = load.arrivals(windowMs);
  const rate = whole.spanMs > 0 ? whole.count / whole.spanMs : 0;
  for (const share of [0.2, 0.4, 0.6, 0.8]) {
    const { count, spanMs } = load.arrivals(windowMs * share);
    const expected = rate * spanMs;
    if (Math.abs(count - expected) > SURE * Math.sqrt(Math.max(count, expected))) return count / spanMs;
  }
  return rate;
}

/** No more workers than there were requests at once: a single client that waits for each answer keeps one busy, not two. */
function mostOfUse(load: LoadHistory, offered: number, slots: number): number {
  const { mean, most, spanMs } = load.crowd(CROWD_WINDOW_MS);
  return spanMs >= CROWD_LEAST_MS && mean >= COUNTED * offered ? most / slots : Number.POSITIVE_INFINITY;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
