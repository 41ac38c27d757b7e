import { type Chunk, ChunkedRequests } from './arrivals.js';
import { quantileOf } from './histogram.js';
import { type PoolSettings, SimPool } from './pool.js';
import type { Contender, RuleFacts, SizingRule } from './rules/rule.js';

const TICK_MS = 1000;
/** As in the configuration's defaults: what is above it is critical, so nothing grows into it. */
const CRITICAL_SHARE = 0.85;
const MOST_SIZE = 1024;

export interface BoxSettings extends PoolSettings {
  /** Null: there is always room. */
  memory: { limitMib: number; workerMib: number } | null;
}

export interface Outcome {
  /** Share of all requests that were answered within their deadline. */
  goodput: number;
  worker_seconds: number;
  resizes: number;
  resizes_per_hour: number;
  p99_ms: number | null;
  peak_workers: number;
  /** So many or fewer were wanted for 95 % of the time. */
  p95_workers: number | null;
}

/** One contender's run through the arrivals. */
export class Run {
  readonly pool: SimPool;
  readonly #requests = new ChunkedRequests();
  readonly #rule: SizingRule;
  #desired: number;
  #resizes = 0;
  readonly #sizes = new Uint32Array(MOST_SIZE + 1);
  #booted = false;

  constructor(
    readonly contender: Contender,
    private readonly box: BoxSettings,
    private readonly warmUpMs: number,
  ) {
    this.pool = new SimPool(box, this.#requests, contender.first);
    this.pool.countFrom = warmUpMs;
    this.#rule = contender.create();
    this.#desired = contender.first;
  }

  /** @param saw called after each tick */
  play(chunk: Chunk, saw?: (facts: RuleFacts) => void): void {
    this.#requests.load(chunk);
    const everyMs = this.contender.everyMs ?? TICK_MS;
    while (this.pool.now < chunk.untilMs) {
      const tick = this.pool.advance(Math.min(this.pool.now + everyMs, chunk.untilMs));
      if (tick.booting > 0) this.#booted = true;
      const facts: RuleFacts = {
        tick,
        now: this.pool.now,
        desired: this.#desired,
        deadlineMs: this.box.deadlineMs,
        cores: this.box.cores,
        bootMs: this.#booted ? this.box.bootMs : null,
        memoryRoom: this.#memoryRoom(),
        memoryShare: this.#memoryShare(),
      };
      saw?.(facts);
      if (this.pool.now > this.warmUpMs) this.#sizes[Math.min(MOST_SIZE, this.#desired)]!++;
      const size = this.#fitting(this.#rule(facts));
      if (size === this.#desired) continue;
      if (this.pool.now > this.warmUpMs) this.#resizes++;
      this.#desired = size;
      this.pool.resize(size);
    }
  }

  outcome(): Outcome {
    const { pool } = this;
    const hours = Math.max(0, pool.now - this.warmUpMs) / 3_600_000;
    return {
      goodput: pool.arrivals === 0 ? 1 : pool.good / pool.arrivals,
      worker_seconds: pool.workerMs / 1000,
      resizes: this.#resizes,
      resizes_per_hour: hours === 0 ? 0 : this.#resizes / hours,
      p99_ms: quantileOf(pool.latencies, 0.99),
      peak_workers: pool.peakWorkers,
      p95_workers: quantileOf(this.#sizes, 0.95),
    };
  }

  #memoryRoom(): number | null {
    const { memory } = this.box;
    if (memory === null) return null;
    const leftMib = memory.limitMib * CRITICAL_SHARE - this.pool.workers * memory.workerMib;
    return Math.max(0, Math.floor(leftMib / memory.workerMib));
  }

  #memoryShare(): number | null {
    const { memory } = this.box;
    return memory === null ? null : (this.pool.workers * memory.workerMib) / memory.limitMib;
  }

  /** What does not fit into the box is not started, whoever asks: rules without a gate are not punished for it. */
  #fitting(size: number): number {
    const { memory } = this.box;
    return memory === null ? size : Math.min(size, Math.floor(memory.limitMib / memory.workerMib));
  }
}

/** All contenders through the same arrivals. */
export function race(
  contenders: readonly Contender[],
  chunks: Iterable<Chunk>,
  box: BoxSettings,
  warmUpMs: number,
): Outcome[] {
  const runs = contenders.map((contender) => new Run(contender, box, warmUpMs));
  for (const chunk of chunks) for (const run of runs) run.play(chunk);
  return runs.map((run) => run.outcome());
}
