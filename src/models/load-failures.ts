import type { Clock } from '../clock.js';
import { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { Worker } from '../worker/worker.js';
import type { Loads } from './loads.js';
import type { MemoryLedger } from './memory-ledger.js';
import type { Model } from './model.js';

export interface LoadFailuresDependencies {
  clock: Clock;
  loads: Loads;
  ledger: MemoryLedger<Model>;
  /** How long nobody but an operator tries again. */
  cooldownMs: () => number;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** Its queue may have to open or close. */
  changed: (model: Model) => void;
}

/** On demand, one try is enough: what keeps a model from loading is remembered until the cooldown is over, and told to whoever asks. */
export class LoadFailures {
  constructor(private readonly deps: LoadFailuresDependencies) {}

  /** A worker of a model that is not ready did not boot. */
  add(model: Model, worker: Worker): void {
    const { clock, loads, ledger, cooldownMs, decided, changed } = this.deps;
    const { pool } = model;
    const error = new SupError('SUP_WORKER_BOOT_FAILED', worker.lastFailure ?? `${worker.id} did not start`);
    const now = clock.now();
    model.counts.failures++;
    model.failure = { error, at: now, until: now + cooldownMs() };
    model.loadedAt = null;
    decided(model.name, 'load', {
      action: 'failed',
      reason: error.message,
      numbers: { cooldown_ms: cooldownMs() },
    });
    loads.fail(model, error);
    ledger.forget(model);
    // Not in this turn: the worker is about to plan its restart.
    setImmediate(() => {
      if (pool.phase === 'running' && pool.active().includes(worker) && !model.isReady) pool.setSize(0);
      changed(model);
    });
  }

  /** Those whose cooldown is over: requests may try again. */
  expire(models: readonly Model[]): void {
    const now = this.deps.clock.now();
    for (const model of models) {
      if (model.failure === null || model.failure.until > now) continue;
      model.failure = null;
      this.deps.decided(model.name, 'load', { action: 'hold', reason: 'its load may be tried again', numbers: {} });
      this.deps.changed(model);
    }
  }
}
