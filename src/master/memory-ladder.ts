import type { App } from '../apps/app.js';
import type { Clock } from '../clock.js';
import {
  decideLadder,
  type LadderDecision,
  type LadderPool,
  type LadderStep,
  type Rung,
} from '../policy/memory-ladder.js';
import { MIN_AGE_MS } from '../policy/recycle.js';
import type { Pool } from '../pool/pool.js';
import { ownBytes } from '../pool/sizing.js';
import type { Worker } from '../worker/worker.js';
import type { Box } from './box.js';
import { cleanUpAll } from './cleanups.js';
import type { DecisionLog } from './decisions.js';
import type { LadderRow } from './supervisor.js';

const KEPT_STEPS = 20;
const SUBJECT = 'box';

export interface MemoryLadderDependencies {
  clock: Clock;
  box: Box;
  apps: () => readonly App[];
  decisions: DecisionLog;
  warn: (text: string) => void;
  /** Whether it may be unloaded at all: it is a model that nothing keeps, and idle. */
  mayEvict: (pool: Pool) => boolean;
  /** Unloads an idle model at once. */
  evict: (pool: Pool, reason: string) => Promise<void>;
}

interface Resident {
  app: App;
  pool: Pool;
}

/** Carries out what the ladder decides about the memory of the whole box, and measures what each step brought. */
export class MemoryLadder {
  #last: LadderStep | null = null;
  /** Of the latest step, until it is measured. */
  #row: LadderRow | null = null;
  #rows: LadderRow[] = [];

  constructor(private readonly deps: MemoryLadderDependencies) {}

  /** Newest last. */
  get rows(): readonly LadderRow[] {
    return this.#rows;
  }

  /** After each look at the box's memory. */
  tick(): void {
    const { box, clock, decisions } = this.deps;
    const thresholds = box.ladderThresholds();
    if (!thresholds) return;
    const now = clock.now();
    if (this.#last && box.usedBytes !== null) this.#last.lowestBytes = Math.min(this.#last.lowestBytes, box.usedBytes);
    this.#measure(now);
    if (this.#last && box.usedBytes !== null) this.#last.lowestBytes = Math.min(this.#last.lowestBytes, box.usedBytes);
    const residents = this.#residents();
    // Below the first rung nothing is asked of them: with many models, who may go is not cheap to say.
    const isCalm = (box.usedShare ?? 0) < thresholds.cleanup;
    const pools = isCalm ? [] : residents.map((resident) => this.#facts(resident, residents.length, now));
    const facts = { usedBytes: box.usedBytes, limitBytes: box.limitBytes, pools };
    const decision = decideLadder(facts, this.#last, thresholds, now);
    if (decision.action === 'hold') {
      if ((box.usedShare ?? 0) >= thresholds.cleanup) decisions.add(SUBJECT, 'memory', decision);
      return;
    }
    this.#climb(decision, decision.action, residents, now);
  }

  #climb(decision: LadderDecision, rung: Rung, residents: readonly Resident[], now: number): void {
    const { box, decisions, warn, clock } = this.deps;
    const beforeBytes = box.usedBytes as number;
    const act = this.#act(decision, rung, residents);
    if (!act) return;
    // Nothing is waited for in an emergency: what the step before has brought until now is what it brought.
    this.#conclude(now);
    const { targets } = decision;
    const step: LadderStep = { rung, targets, firedAt: now, beforeBytes, lowestBytes: beforeBytes, doneAt: null };
    this.#last = step;
    // A worker's own recycling has said so itself.
    if (rung === 'trim' || rung === 'emergency') {
      const named: Record<string, string> = targets.length > 0 ? { targets: targets.join(' ') } : {};
      decisions.add(SUBJECT, 'memory', { ...decision, numbers: { ...decision.numbers, ...named } });
    }
    this.#row = {
      time: new Date(clock.wall()).toISOString(),
      rung,
      targets,
      before_bytes: Math.round(beforeBytes),
      after_bytes: null,
      freed_bytes: null,
      took_ms: null,
    };
    this.#rows = [...this.#rows.slice(1 - KEPT_STEPS), this.#row];
    act
      .catch((error: Error) => warn(`memory: ${rung}: ${error.message}`))
      .finally(() => {
        step.doneAt = clock.now();
      });
  }

  /** Null where what was decided can't be done now. */
  #act(decision: LadderDecision, rung: Rung, residents: readonly Resident[]): Promise<unknown> | null {
    const { apps } = this.deps;
    switch (rung) {
      case 'trim':
        return cleanUpAll(apps(), 'trim');
      case 'recycle': {
        const found = find(residents, decision.targets[0]);
        return found?.pool.recycling.replace(found.worker, 'memory', withMemory(decision, found.worker)) || null;
      }
      case 'emergency': {
        const unloading = residents.filter(({ pool }) => decision.targets.includes(pool.name));
        const why = 'it is idle, and the memory of the box runs out';
        return Promise.all([
          cleanUpAll(apps(), 'emergency'),
          ...unloading.map(({ pool }) => this.deps.evict(pool, why)),
        ]);
      }
      case 'kill': {
        const found = find(residents, decision.targets[0]);
        if (!found) return null;
        found.pool.recycling.kill(found.worker, 'memory', withMemory(decision, found.worker));
        return Promise.resolve();
      }
    }
  }

  /** The first look after a step is over shows what it brought. */
  #measure(now: number): void {
    const doneAt = this.#last?.doneAt ?? null;
    if (doneAt !== null && now > doneAt) this.#conclude(doneAt);
  }

  /** What the latest step has brought by now. */
  #conclude(doneAt: number): void {
    const { box, decisions } = this.deps;
    const row = this.#row;
    const step = this.#last;
    if (!row || !step || box.usedBytes === null) return;
    this.#row = null;
    row.after_bytes = Math.round(box.usedBytes);
    row.freed_bytes = row.before_bytes - row.after_bytes;
    row.took_ms = Math.round(doneAt - step.firedAt);
    const { before_bytes, after_bytes, freed_bytes, took_ms } = row;
    decisions.add(SUBJECT, 'memory', {
      action: 'freed',
      reason: `what the ${step.rung} brought`,
      numbers: { before_bytes, after_bytes, freed_bytes, took_ms },
    });
  }

  #residents(): Resident[] {
    return this.deps
      .apps()
      .flatMap((app) => [...app.pools.values()].map((pool) => ({ app, pool })))
      .filter(({ pool }) => pool.phase === 'running' && pool.workers.length > 0);
  }

  #facts({ app, pool }: Resident, pools: number, now: number): LadderPool {
    const { limitBytes } = this.deps.box;
    const { config } = app;
    return {
      name: pool.name,
      fairBytes: config.limits.memoryBytes ?? (limitBytes ?? 0) / pools,
      unloadable: isIdle(pool) && this.deps.mayEvict(pool),
      workers: pool.workers.map((worker) => ({
        id: worker.id,
        bytes: ownBytes(worker) ?? 0,
        replaceable: pool.isReplaceable(worker) && worker.ageMs(now) >= Math.max(MIN_AGE_MS, 2 * worker.bootMs),
        killable: worker.pid !== null && !worker.condemned,
      })),
    };
  }
}

/** One that loads is not: somebody waits for it, or will. */
function isIdle(pool: Pool): boolean {
  return (
    pool.desired > 0 &&
    pool.readyCount() > 0 &&
    (pool.work.queued?.() ?? 0) === 0 &&
    pool.workers.every((worker) => pool.inFlight(worker) === 0)
  );
}

function find(residents: readonly Resident[], id: string | undefined): { pool: Pool; worker: Worker } | null {
  for (const { pool } of residents) {
    const worker = pool.workers.find((w) => w.id === id);
    if (worker) return { pool, worker };
  }
  return null;
}

/** What is replaced for memory comes afresh, in a host of its own. */
function withMemory(decision: LadderDecision, worker: Worker): LadderDecision {
  return { ...decision, numbers: { ...decision.numbers, memory_bytes: worker.readings.latestBytes } };
}
