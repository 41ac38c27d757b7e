import { act, hold, type PolicyDecision } from './decision.js';
import type { PressureLevel } from './pressure.js';
import { DemandEstimate } from './scale/demand.js';
import { LoadHistory } from './scale/load.js';
import { ThroughputLearning } from './scale/throughput.js';
import { WindowMaximum } from './scale/window.js';

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

/** Growth stops at this share of the cores: more workers would only share what is there. */
const CPU_FULL = 0.85;
/** Less than this above or below the present size is no reason to move. */
const TOLERANCE = 0.1;
/** An idle worker is kept for as long as this many boots take. */
const BOOTS_HELD = 15;
/** A growth this soon after a shrink shows that the shrink was a mistake. */
const FLAP_SHARE = 0.375;
const MAX_PENALTY = 8;
/** A penalty is halved after this long without another flap. */
const FORGIVEN_MS = 15 * 60_000;
/** After critical pressure nothing grows for this long, doubled for each time that it comes back. */
const RECOVERY_MS = 30_000;
const TICK_MS = 1000;

/** The size of one pool: call once a tick with what was seen since the last. Holds its own history; no clock, no I/O. */
export class Scaler {
  readonly #load = new LoadHistory();
  readonly #learning = new ThroughputLearning();
  readonly #demand = new DemandEstimate();
  readonly #demands = new WindowMaximum();
  #seenAt: number | null = null;
  #before = { ready: 0, queued: 0 };
  #grewAt: number | null = null;
  #shrankAt: number | null = null;
  #penalty = 1;
  #flappedAt = 0;
  #criticalAt: number | null = null;
  #wasCritical = false;
  #recoveryMs = RECOVERY_MS;

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
    const spanMs = this.#seenAt === null ? TICK_MS : Math.max(0, now - this.#seenAt);
    this.#seenAt = now;
    if (facts.arrivals !== null && spanMs > 0) this.#load.add({ ...facts, arrivals: facts.arrivals, spanMs });
    this.#learn(facts, spanMs, now);

    const emergency = this.#emergency(facts, now);
    if (emergency) return emergency;
    if (facts.arrivals === null) return { ...hold('arrivals are not known'), ...this.#keep(facts), heldBy: null };

    const { workers, steady, reserve, numbers } = this.#demand.of(this.#load, facts, this.limits, spanMs, now);
    const target = Math.min(Math.ceil(workers - 1e-9), Number.MAX_SAFE_INTEGER);
    this.#demands.add(Math.ceil(steady), now);
    this.#forgive(now);
    const { desired } = facts;
    if (workers - desired > TOLERANCE * desired) return this.#up(facts, target, numbers, now);
    if (target >= desired) return this.#hold('at its size', facts, target, null, numbers);
    return this.#down(facts, target, Math.ceil(reserve), numbers, now);
  }

  #up(facts: ScaleFacts, target: number, numbers: ScaleDecision['numbers'], now: number): ScaleDecision {
    const { limits } = this;
    const { desired } = facts;
    const stop = (reason: string, by: ScaleHold) => this.#hold(reason, facts, target, by, numbers);
    if (desired >= limits.max) return stop('at its largest size', 'max');
    if (facts.pressure === 'critical' || this.#recovers(now))
      return stop('memory pressure is or was critical', 'pressure');
    if (facts.memoryRoom === null && facts.pressure === 'high') return stop('memory pressure is high', 'pressure');
    if (facts.memoryRoom === 0) return stop('memory has no room for another worker', 'memory');
    const cpu = this.#load.cpuShare(limits.upWindowMs);
    if ((cpu !== null && cpu >= CPU_FULL) || (facts.cpuShare !== null && facts.cpuShare >= CPU_FULL))
      return stop('the CPU is busy', 'cpu');
    const ceiling = this.#learning.ceiling();
    if (ceiling !== null && desired >= ceiling) return stop('more workers did not answer more requests', 'learning');
    if (this.#grewAt !== null && now - this.#grewAt < limits.upCooldownMs) return stop('grew just now', 'cooldown');

    const wanted: [number, ScaleHold | null][] = [
      [target, null],
      [Math.max(desired * 2, desired + 1), 'cooldown'],
      [limits.max, 'max'],
      [desired + (facts.memoryRoom ?? Number.POSITIVE_INFINITY), 'memory'],
      [Math.max(ceiling ?? Number.POSITIVE_INFINITY, desired), 'learning'],
    ];
    const [size, heldBy] = wanted.reduce((least, one) => (one[0] < least[0] ? one : least));
    this.#flap(now);
    this.#grewAt = now;
    return {
      ...act('grow', `grow from ${desired} to ${size}: demand is ${target}`, {
        ...numbers,
        demand: target,
        from: desired,
        desired: size,
      }),
      desired: size,
      target,
      heldBy,
    };
  }

  #down(
    facts: ScaleFacts,
    target: number,
    reserve: number,
    numbers: ScaleDecision['numbers'],
    now: number,
  ): ScaleDecision {
    const { limits } = this;
    const { desired } = facts;
    const windowMs = this.#downWindowMs(facts) * this.#penalty;
    this.#demands.forget(limits.downWindowMs * MAX_PENALTY, now);
    const stop = (reason: string, by: ScaleHold) => this.#hold(reason, facts, target, by, numbers);
    if (desired <= limits.min) return stop('at its smallest size', 'min');
    const needed = Math.max(reserve, this.#demands.over(windowMs, now) ?? target);
    if (needed >= desired) return stop('needed within the down window', 'window');
    const since = Math.max(this.#grewAt ?? 0, this.#shrankAt ?? 0);
    if ((this.#grewAt !== null || this.#shrankAt !== null) && now - since < limits.upCooldownMs)
      return stop('resized just now', 'cooldown');
    if (facts.idle === 0) return stop('no worker is idle', 'busy');
    const size = Math.max(needed, limits.min, Math.ceil(desired / 2), desired - facts.idle);
    if (size >= desired) return stop('at its size', 'window');
    this.#shrankAt = now;
    return {
      ...act(
        'shrink',
        `shrink from ${desired} to ${size}: demand was at most ${needed} for ${Math.round(windowMs / 1000)} s`,
        {
          ...numbers,
          demand: target,
          from: desired,
          desired: size,
          window_ms: windowMs,
        },
      ),
      desired: size,
      target,
      heldBy: size > needed ? (size === limits.min ? 'min' : 'busy') : null,
    };
  }

  #downWindowMs({ bootMs }: ScaleFacts): number {
    const { downWindowMs } = this.limits;
    if (bootMs === null) return downWindowMs;
    return Math.min(downWindowMs, Math.max(downWindowMs / 4, BOOTS_HELD * bootMs));
  }

  /** Memory is about to end, and this pool has more of it than it should: one worker, at once, busy or not. */
  #emergency(facts: ScaleFacts, now: number): ScaleDecision | null {
    const critical = facts.pressure === 'critical';
    if (critical && !this.#wasCritical) {
      const again = this.#criticalAt !== null && now - this.#criticalAt < this.#recoveryMs * 2;
      this.#recoveryMs = again ? Math.min(this.#recoveryMs * 2, RECOVERY_MS * MAX_PENALTY * 2) : RECOVERY_MS;
    }
    this.#wasCritical = critical;
    if (critical) this.#criticalAt = now;
    const least = Math.max(1, this.limits.min);
    if (!critical || !facts.overFairShare || facts.desired <= least) return null;
    this.#shrankAt = now;
    return {
      ...act(
        'shrink',
        `shrink from ${facts.desired} to ${least}: memory pressure is critical and it has more than its fair share`,
        {
          from: facts.desired,
          desired: least,
        },
      ),
      desired: least,
      target: facts.desired,
      heldBy: 'pressure',
    };
  }

  #recovers(now: number): boolean {
    return this.#criticalAt !== null && now - this.#criticalAt < this.#recoveryMs;
  }

  #learn(facts: ScaleFacts, spanMs: number, now: number): void {
    const { ready, desired, booting, queued, completed, busyMs, cpuWait } = facts;
    const same = booting === 0 && ready === desired && ready === this.#before.ready;
    // One request that waits may have come just now; one for each slot says that none was idle since.
    const full = ready * Math.max(1, facts.concurrency);
    const saturated = same && queued >= full && this.#before.queued >= full && spanMs > 0;
    this.#before = { ready, queued };
    this.#learning.add(saturated ? { size: ready, spanMs, completed, busyMs, cpuWait } : null, now);
  }

  /** Each growth soon after a shrink doubles the time that it waits before it shrinks again. */
  #flap(now: number): void {
    if (this.#shrankAt === null || now - this.#shrankAt > this.limits.downWindowMs * FLAP_SHARE) return;
    this.#penalty = Math.min(MAX_PENALTY, this.#penalty * 2);
    this.#flappedAt = now;
  }

  #forgive(now: number): void {
    if (this.#penalty === 1 || now - this.#flappedAt < FORGIVEN_MS) return;
    this.#penalty /= 2;
    this.#flappedAt = now;
  }

  #keep({ desired }: ScaleFacts): { desired: number; target: number } {
    return { desired, target: desired };
  }

  #hold(
    reason: string,
    { desired }: ScaleFacts,
    target: number,
    heldBy: ScaleHold | null,
    numbers: ScaleDecision['numbers'],
  ): ScaleDecision {
    return { ...hold(reason, { ...numbers, demand: target, desired }), desired, target, heldBy };
  }
}

/** What cannot be is not known. */
function cleaned(facts: ScaleFacts): ScaleFacts {
  const count = (value: number) => (Number.isFinite(value) && value > 0 ? value : 0);
  const known = (value: number | null) => (value !== null && Number.isFinite(value) && value >= 0 ? value : null);
  return {
    ...facts,
    arrivals: known(facts.arrivals),
    completed: count(facts.completed),
    busyMs: count(facts.busyMs),
    queued: count(facts.queued),
    inFlight: count(facts.inFlight),
    ready: count(facts.ready),
    booting: count(facts.booting),
    desired: count(facts.desired),
    idle: count(facts.idle),
    concurrency: count(facts.concurrency),
    deadlineMs: count(facts.deadlineMs),
    bootMs: known(facts.bootMs),
    memoryRoom: known(facts.memoryRoom),
    cpuShare: known(facts.cpuShare),
    cpuWait: known(facts.cpuWait),
  };
}
