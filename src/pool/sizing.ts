import type { Clock } from '../clock.js';
import type { ScaleConfig } from '../config/schema.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { PressureLevel } from '../policy/pressure.js';
import { CPU_FULL } from '../policy/scale/load.js';
import { type ScaleDecision, type ScaleHold, Scaler } from '../policy/scale.js';
import type { Worker } from '../worker/worker.js';
import type { Pool } from './pool.js';

/** What the box leaves to its pools. Null: not known. */
export interface BoxFacts {
  /** 0..1 of the cores that we may use, and the share from which on nothing grows. */
  cpuShare: number | null;
  cpuHigh: number;
  /** That we may use. */
  cores: number | null;
  /** 0..1 of the time in which some task waited for a CPU. */
  cpuWait: number | null;
  pressure: PressureLevel | null;
  /** What may still be taken before memory is critical. */
  roomBytes: number | null;
  /** What a pool without a limit of its own should have. */
  fairBytes: number | null;
}

/** Requests and worker time since the pool was made. */
export interface Demand {
  arrivals: number;
  completed: number;
  busyMs: number;
}

export interface SizingConfig {
  workers: { min: number; max: number };
  scale: ScaleConfig;
  concurrency: number;
  deadlineMs: number;
  /** Of the whole pool; null: its fair share. */
  memoryBytes: number | null;
}

export interface SizingDependencies {
  clock: Clock;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** It could not have the size that was decided. */
  failed: (error: Error) => void;
}

/** What a person may want to change something about; that a size waits for its window is no news. */
const REFUSALS: ReadonlySet<ScaleHold> = new Set(['memory', 'cpu', 'learning', 'pressure', 'max']);
/** Above this share of its time a worker is at work, whatever its last beat said of requests. */
const IDLE_UTILISATION = 0.2;
/** And above this it has no time for more. */
const SATURATED_UTILISATION = 0.95;

/** Follows a pool's demand: once a tick it tells the policy what was seen, and asks the pool for what it decided. */
export class Sizing {
  readonly #scaler: Scaler;
  #before: Demand | null = null;
  #latest: ScaleDecision | null = null;

  constructor(
    private readonly pool: Pool,
    private config: SizingConfig,
    private readonly deps: SizingDependencies,
  ) {
    this.#scaler = new Scaler(limitsOf(config));
  }

  get latest(): ScaleDecision | null {
    return this.#latest;
  }

  learned(): { size: number; perSecond: number }[] {
    return this.#scaler.learned();
  }

  configure(config: SizingConfig): void {
    this.config = config;
    this.#scaler.configure(limitsOf(config));
  }

  /** @param pinned an operator has fixed the size: what is seen is learned from, nothing is done */
  tick(box: BoxFacts, pinned: boolean): void {
    const { pool, deps } = this;
    const demand = pool.work.demand?.() ?? null;
    const before = this.#before;
    this.#before = demand;
    // Nothing to compare with yet, or asleep: what wakes it is a request.
    if (demand === null || before === null || pool.phase !== 'running' || pool.desired === 0) {
      this.#latest = null;
      return;
    }
    const decision = this.#scaler.decide(
      {
        arrivals: demand.arrivals - before.arrivals,
        completed: demand.completed - before.completed,
        busyMs: demand.busyMs - before.busyMs,
        queued: pool.work.queued?.() ?? this.#waiting(),
        countsQueue: pool.work.queued !== undefined,
        cores: box.cores,
        ...this.#workers(),
        desired: pool.desired,
        concurrency: this.config.concurrency,
        deadlineMs: this.config.deadlineMs,
        ...this.#memory(box),
        // The policy knows one share at which the CPU is full; the configuration may want another.
        cpuShare: box.cpuShare === null ? null : (box.cpuShare * CPU_FULL) / box.cpuHigh,
        cpuWait: box.cpuWait,
        pressure: box.pressure,
      },
      deps.clock.now(),
    );
    if (pinned) {
      this.#latest = null;
      return;
    }
    this.#latest = decision;
    if (decision.action !== 'hold') {
      deps.decided(pool.name, 'scale', decision);
      pool.resize(decision.desired).catch(deps.failed);
    } else if (decision.heldBy !== null && REFUSALS.has(decision.heldBy)) deps.decided(pool.name, 'scale', decision);
  }

  #workers() {
    const active = this.pool.active();
    const ready = active.filter((w) => w.state === 'ready');
    const boots = active.map((w) => w.bootMs).filter((ms) => ms > 0);
    return {
      inFlight: active.reduce((sum, w) => sum + this.pool.inFlight(w), 0),
      ready: ready.length,
      booting: active.filter((w) => w.state === 'starting').length,
      idle: ready.filter((w) => this.#isIdle(w)).length,
      bootMs: boots.length === 0 ? null : Math.max(...boots),
    };
  }

  /** Where no queue is counted: what is in flight beyond one in each loop that never rests waits for that loop. */
  #waiting(): number {
    return this.pool
      .active()
      .filter(({ readings: { vitals } }) => vitals !== null && vitals.utilisation >= SATURATED_UTILISATION)
      .reduce((sum, worker) => sum + Math.max(0, this.pool.inFlight(worker) - 1), 0);
  }

  /** What the master has sent it counts exactly; of an http worker there is only what its last beat said. */
  #isIdle(worker: Worker): boolean {
    if (this.pool.inFlight(worker) === 0) return true;
    const { vitals } = worker.readings;
    return this.pool.work.inFlight === undefined && vitals !== null && vitals.utilisation < IDLE_UTILISATION;
  }

  #memory({ roomBytes, fairBytes }: BoxFacts): { memoryRoom: number | null; overFairShare: boolean } {
    const sizes = this.pool
      .active()
      .map(ownBytes)
      .filter((bytes) => bytes !== null);
    const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
    const share = this.config.memoryBytes ?? fairBytes;
    const overFairShare = share !== null && total > share;
    // Those that boot have no size yet, and will take theirs.
    const coming = this.pool.active().length - sizes.length;
    const size = percentile95(sizes);
    const left = [roomBytes, this.config.memoryBytes === null ? null : this.config.memoryBytes - total].filter(
      (bytes) => bytes !== null,
    );
    if (size === null || size === 0 || left.length === 0) return { memoryRoom: null, overFairShare };
    return { memoryRoom: Math.max(0, Math.floor(Math.min(...left) / size) - coming), overFairShare };
  }
}

/** Its part of the box's memory. */
export function ownBytes(worker: Worker): number | null {
  const { tree, latestBytes } = worker.readings;
  return worker.thread === null ? (tree?.ownBytes ?? null) : latestBytes;
}

function percentile95(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? null;
}

function limitsOf({ workers, scale }: SizingConfig) {
  // Down to zero is another policy's: this one keeps what serves.
  return { min: Math.max(1, workers.min), max: workers.max, ...scale };
}
