import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppRow } from '../master/supervisor.js';
import { ProcessTrees } from '../sensing/process-trees.js';
import { ClosedLoop, type Tally } from './closed-loop.js';
import type { Target } from './target.js';

export interface Measurement extends Tally {
  clients: number;
  /** Of all workers together, the most that was seen; null: not measured. */
  memoryBytes: number | null;
  /** Of all workers together, 100 being one core. */
  cpuPercent: number | null;
  /** Of all cores, whoever used them: the clients too. */
  boxCpuPercent: number | null;
  /** 0..1 of this process's event loop, in which the clients are. */
  ownUtilisation: number;
}

export interface MeasurePlan {
  clients: number;
  warmUpMs: number;
  durationMs: number;
  /** Without an answer by then, it goes on for this long at most. */
  patienceMs: number;
  row: () => AppRow;
  signal: AbortSignal;
  onPhase: (phase: 'warming' | 'measuring', ms: number) => void;
}

/** Memory in the rows changes once a second. */
const LOOK_MS = 250;

/** Puts the target under load until it is warm, and then measures what comes back. @throws AbortError */
export async function measure(target: Target, plan: MeasurePlan): Promise<Measurement> {
  const { clients, signal } = plan;
  const connection = target.connect(clients);
  const loop = new ClosedLoop(connection.ask, clients);
  try {
    plan.onPhase('warming', plan.warmUpMs);
    await sleep(plan.warmUpMs, undefined, { signal });
    plan.onPhase('measuring', plan.durationMs);
    const use = new Use(plan.row);
    loop.open();
    const openedAt = performance.now();
    for (;;) {
      const leftMs = openedAt + plan.durationMs - performance.now();
      if (leftMs <= 0 && (loop.answered || leftMs <= -plan.patienceMs)) break;
      await sleep(leftMs <= 0 ? LOOK_MS : Math.min(LOOK_MS, leftMs), undefined, { signal });
      use.look();
    }
    return { ...loop.close(), clients, ...use.summary() };
  } finally {
    const stopped = loop.stop();
    // Who breaks it off has no use for the answers that are still to come.
    if (!signal.aborted) await stopped;
    connection.close();
  }
}

/** What the workers, the box and this process use from its making on. */
class Use {
  readonly #memory: number[] = [];
  readonly #utilisation = performance.eventLoopUtilization();
  readonly #ticks = cpuTicks();
  // The rows tell of whole seconds, which may have begun before: the processes themselves are asked.
  readonly #trees = new ProcessTrees();
  readonly #pids: readonly number[];

  constructor(private readonly row: () => AppRow) {
    this.#pids = [...new Set(row().workers.map((worker) => worker.pid))].filter((pid) => pid !== null);
    this.#cpu();
  }

  look(): void {
    const memory = sumOfAll(this.row().workers.map((worker) => worker.memory_bytes));
    if (memory !== null) this.#memory.push(memory);
  }

  summary(): Pick<Measurement, 'memoryBytes' | 'cpuPercent' | 'boxCpuPercent' | 'ownUtilisation'> {
    const before = this.#ticks;
    const after = cpuTicks();
    const total = after.total - before.total;
    return {
      memoryBytes: this.#memory.length === 0 ? null : Math.max(...this.#memory),
      cpuPercent: this.#cpu(),
      boxCpuPercent: total > 0 ? 100 * (1 - (after.idle - before.idle) / total) : null,
      ownUtilisation: performance.eventLoopUtilization(this.#utilisation).utilization,
    };
  }

  /** Of all workers since the last call; null the first time, and where one of them is gone. */
  #cpu(): number | null {
    try {
      const samples = this.#trees.sample(this.#pids, performance.now());
      return sumOfAll(this.#pids.map((pid) => samples.get(pid)?.cpuPercent ?? null));
    } catch {
      // Without /proc it is not known.
      return null;
    }
  }
}

/** Null unless all are known: a part would look like the whole. */
function sumOfAll(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return values.length === 0 ? null : sum;
}

function cpuTicks(): { total: number; idle: number } {
  let total = 0;
  let idle = 0;
  for (const { times } of os.cpus()) {
    total += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { total, idle };
}
