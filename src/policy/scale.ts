import type { PolicyDecision } from './decision.js';
import type { PressureLevel } from './pressure.js';
import { Damping } from './scale/damping.js';
import { type Demand, DemandEstimate } from './scale/demand.js';
import { LoadHistory } from './scale/load.js';
import { Recovery } from './scale/recovery.js';
import { ThroughputLearning } from './scale/throughput.js';

/** Between which sizes, and how. All times in ms. */
export interface ScaleLimits {
  min: number;
  max: number;
  headroom: number;
  /** Mean requests in flight and queued a worker; null: the offered load decides. */
  target: number | null;
  upWindowMs: number;
  upCooldownMs: number;
  downWindowMs: number;
}

/** One tick, normally a second after the last. Null where nothing is known: then that part decides nothing. */
export interface ScaleFacts {
  /** Requests that came since the last tick. */
  arrivals: number | null;
  /** Requests that were answered since the last tick, and the worker time that they took together. */
  completed: number;
  busyMs: number;
  /** Now. */
  queued: number;
  /** False: requests may also wait where nobody counts them, as on a shared socket. Missing: false until a queue was seen. */
  countsQueue?: boolean;
  inFlight: number;
  /** Workers that serve, and that boot. */
  ready: number;
  booting: number;
  /** The size that the pool wants to have now. */
  desired: number;
  /** Workers that nothing would be lost with if they went now. */
  idle: number;
  /** Requests that one worker serves at a time. */
  concurrency: number;
  /** What a request has from its arrival to its answer. */
  deadlineMs: number;
  /** From start to ready, as measured; null before the first. */
  bootMs: number | null;
  /** How many workers more the memory has room for (box and app limit); null: not known. */
  memoryRoom: number | null;
  /** 0..1 of the box's cores (or quota); null: not known. */
  cpuShare: number | null;
  /** How many there are; null or missing: not known, and then a full CPU lets nothing grow. */
  cores?: number | null;
  /** 0..1 of the time in which some task waited for a CPU (PSI); null: not known. */
  cpuWait: number | null;
  pressure: PressureLevel | null;
  /** This pool has more of the memory than its fair share. */
  overFairShare: boolean;
}

/** What keeps the size from what demand asks for. */
export type ScaleHold = 'memory' | 'cpu' | 'cooldown' | 'learning' | 'window' | 'pressure' | 'busy' | 'min' | 'max';

export interface ScaleDecision extends PolicyDecision<'grow' | 'shrink'> {
  /** The size from now on. */
  desired: number;
  /** What demand alone asks for, before gates and limits. */
  target: number;
  heldBy: ScaleHold | null;
}

/** Demand above the present size by less than this is no reason to grow. */
const TOLERANCE = 0.1;
const MOST_GROWTH = 2;
const TICK_MS = 1000;
/** No amount is larger: sums of what can't be true must not overflow. */
const MOST = 1e12;

/** The size of one pool: call once a tick with what was seen since the last. Holds its own history; no clock, no I/O. */
export class Scaler {
  readonly #load = new LoadHistory();
  readonly #demand = new DemandEstimate();
  readonly #learning = new ThroughputLearning();
  readonly #damping = new Damping();
  readonly #recovery = new Recovery();
  #before: { at: number; ready: number; queued: number } | null = null;

  constructor(private limits: ScaleLimits) {}

  configure(limits: ScaleLimits): void {
    this.limits = limits;
  }

  /** Measured throughput by size, requests a second; for `describe`. */
  learned(): { size: number; perSecond: number }[] {
    return this.#learning.list();
  }

  decide(given: ScaleFacts, now: number): ScaleDecision {
    const facts = cleaned(given);
    const spanMs = this.#before === null ? TICK_MS : Math.max(1, now - this.#before.at);
    this.#learn(facts, spanMs, now);
    this.#before = { at: now, ready: facts.ready, queued: facts.queued };
    this.#recovery.see(facts.pressure === 'critical', now);

    const least = Math.max(1, this.limits.min);
    if (facts.pressure === 'critical' && facts.overFairShare && facts.desired > least)
      return this.#fallBack(facts, least, now);
    if (facts.arrivals === null) return this.#hold('arrivals are not known', facts, facts.desired, null, {});

    this.#load.add(facts, facts.arrivals, spanMs);
    const demand = this.#demand.of(this.#load, facts, this.limits, spanMs, now);
    this.#damping.see(wholeWorkers(demand.lasting), this.limits, now);
    const ceiling = this.#learning.ceiling();
    if (ceiling !== null && facts.desired > Math.max(ceiling, this.limits.min))
      return this.#shrinkBack(facts, demand, now);
    return demand.workers > facts.desired * (1 + TOLERANCE)
      ? this.#grow(facts, demand, ceiling, now)
      : this.#shrink(facts, demand, now);
  }

  #grow(facts: ScaleFacts, demand: Demand, ceiling: number | null, now: number): ScaleDecision {
    const { limits } = this;
    const { desired, memoryRoom } = facts;
    const target = wholeWorkers(demand.workers);
    const stop = (by: ScaleHold, reason: string) => this.#hold(reason, facts, target, by, demand.numbers);
    if (desired >= limits.max) return stop('max', 'at its largest size');
    if (facts.pressure === 'critical') return stop('pressure', 'memory pressure is critical');
    if (this.#recovery.isUnderWay(now)) return stop('pressure', 'memory pressure was critical just now');
    if (facts.pressure === 'high' && memoryRoom === null)
      return stop('pressure', 'memory pressure is high, and what a worker takes is not known');
    if (memoryRoom === 0) return stop('memory', 'memory has no room for another worker');
    const cpuIsFull = this.#load.cpuIsFull(limits.upWindowMs);
    if (cpuIsFull && !fewerThanCores(facts))
      return stop('cpu', 'the CPU is full: another worker would only wait for it');
    if ((ceiling !== null && desired >= ceiling) || this.#learning.isDoubtful(desired, now))
      return stop('learning', 'more workers have answered no more requests');
    if (!this.#damping.mayGrow(limits, now)) return stop('cooldown', 'has just grown');

    const bounds: [number, ScaleHold | null][] = [
      [target, null],
      [Math.max(desired * MOST_GROWTH, desired + 1), 'cooldown'],
      [limits.max, 'max'],
      [desired + (memoryRoom ?? Number.POSITIVE_INFINITY), 'memory'],
      [ceiling ?? Number.POSITIVE_INFINITY, 'learning'],
      [cpuIsFull ? desired + 1 : Number.POSITIVE_INFINITY, 'cpu'],
    ];
    const [size, heldBy] = bounds.reduce((least, bound) => (bound[0] < least[0] ? bound : least));
    this.#damping.grew(limits, facts.bootMs, now);
    return this.#resize('grow', facts, size, `the load asks for ${target}`, target, heldBy, demand.numbers);
  }

  #shrink(facts: ScaleFacts, demand: Demand, now: number): ScaleDecision {
    const { limits } = this;
    const { desired, idle } = facts;
    const target = wholeWorkers(demand.workers);
    const stop = (by: ScaleHold | null, reason: string) => this.#hold(reason, facts, target, by, demand.numbers);
    if (target >= desired) return stop(null, 'has the size that the load asks for');
    if (desired <= limits.min) return stop('min', 'at its smallest size');
    const windowMs = this.#damping.windowMs(limits, facts.bootMs);
    const needed = Math.max(this.#damping.needed(windowMs, now), wholeWorkers(demand.reserve), limits.min);
    if (needed >= desired)
      return stop('window', 'needed within the down window, or when the load jumps as it did lately');
    if (!this.#damping.mayShrink(limits, facts.bootMs, now))
      return stop('cooldown', 'was resized just now, or too often within the last hour');
    if (idle === 0) return stop('busy', 'no worker is idle');

    const size = Math.max(needed, Math.ceil(desired / MOST_GROWTH), desired - idle);
    const heldBy =
      size === needed ? (needed === limits.min ? 'min' : null) : size === desired - idle ? 'busy' : 'window';
    this.#damping.shrank(now);
    const seconds = Math.round(windowMs / 1000);
    return this.#resize('shrink', facts, size, `no more than ${needed} were needed for ${seconds} s`, target, heldBy, {
      ...demand.numbers,
      window_seconds: seconds,
    });
  }

  /** The last worker that was added brought nothing. It is drained like any other, but where all are busy it can't be an idle one. */
  #shrinkBack(facts: ScaleFacts, demand: Demand, now: number): ScaleDecision {
    const target = wholeWorkers(demand.workers);
    if (!this.#damping.mayShrink(this.limits, facts.bootMs, now))
      return this.#hold(
        'was resized just now, or too often within the last hour',
        facts,
        target,
        'cooldown',
        demand.numbers,
      );
    this.#damping.shrank(now);
    const size = facts.desired - 1;
    return this.#resize(
      'shrink',
      facts,
      size,
      'more workers have answered no more requests',
      target,
      'learning',
      demand.numbers,
    );
  }

  /** Memory is about to end and this pool has more of it than it should: at once, whether they are busy or not. */
  #fallBack(facts: ScaleFacts, size: number, now: number): ScaleDecision {
    this.#damping.shrank(now);
    const reason = 'memory pressure is critical, and it has more than its fair share';
    return this.#resize('shrink', facts, size, reason, facts.desired, 'pressure', {});
  }

  #learn(
    { ready, desired, booting, queued, completed, busyMs, cpuWait, concurrency }: ScaleFacts,
    spanMs: number,
    now: number,
  ): void {
    // One request that waits may have come just now; one for each slot, twice, says that none was idle in between.
    const full = ready * Math.max(1, concurrency);
    const before = this.#before;
    const steady = before !== null && before.ready === ready && ready === desired && booting === 0 && ready > 0;
    const saturated = steady && before.queued >= full && queued >= full;
    this.#learning.add(saturated ? { size: ready, spanMs, completed, busyMs, cpuWait } : null, now);
  }

  #resize(
    action: 'grow' | 'shrink',
    { desired: from }: ScaleFacts,
    desired: number,
    why: string,
    target: number,
    heldBy: ScaleHold | null,
    numbers: Demand['numbers'],
  ): ScaleDecision {
    const reason = `from ${from} to ${desired}: ${why}`;
    const all = { ...numbers, demand: target, from, desired, held_by: heldBy };
    return { action, reason, numbers: all, desired, target, heldBy };
  }

  #hold(
    reason: string,
    { desired }: ScaleFacts,
    target: number,
    heldBy: ScaleHold | null,
    numbers: Demand['numbers'],
  ): ScaleDecision {
    const all = { ...numbers, demand: target, desired, held_by: heldBy };
    return { action: 'hold', reason, numbers: all, desired, target, heldBy };
  }
}

/**
 * With a backlog and fewer workers than cores it is not this pool alone that fills the CPU: one worker more gets it a larger part
 * of it. Whether that answers more requests is measured, as of any size.
 */
function fewerThanCores({ desired, cores, queued, ready, concurrency }: ScaleFacts): boolean {
  return cores != null && desired < cores && queued >= Math.max(1, ready) * Math.max(1, concurrency);
}

function wholeWorkers(workers: number): number {
  // Sums of fractions that should be whole are a little more.
  return Math.min(Math.ceil(workers - 1e-9), Number.MAX_SAFE_INTEGER);
}

/** What can't be is not known, or nothing. */
function cleaned(facts: ScaleFacts): ScaleFacts {
  const amount = (value: number) => (Number.isFinite(value) && value > 0 ? Math.min(value, MOST) : 0);
  const count = (value: number) => Math.floor(amount(value));
  const known = (value: number | null) =>
    value !== null && Number.isFinite(value) && value >= 0 ? Math.min(value, MOST) : null;
  const memoryRoom = known(facts.memoryRoom);
  return {
    arrivals: known(facts.arrivals),
    completed: count(facts.completed),
    busyMs: amount(facts.busyMs),
    queued: count(facts.queued),
    countsQueue: facts.countsQueue,
    inFlight: count(facts.inFlight),
    ready: count(facts.ready),
    booting: count(facts.booting),
    desired: count(facts.desired),
    idle: count(facts.idle),
    concurrency: count(facts.concurrency),
    deadlineMs: amount(facts.deadlineMs),
    bootMs: known(facts.bootMs),
    memoryRoom: memoryRoom === null ? null : Math.floor(memoryRoom),
    cpuShare: known(facts.cpuShare),
    cores: known(facts.cores ?? null),
    cpuWait: known(facts.cpuWait),
    pressure: facts.pressure,
    overFairShare: facts.overFairShare,
  };
}
