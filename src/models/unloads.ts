import type { Clock } from '../clock.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { MemoryLedger } from './memory-ledger.js';
import type { Model } from './model.js';

export interface UnloadsDependencies {
  clock: Clock;
  ledger: MemoryLedger<Model>;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** Its queue may have to open or close. */
  changed: (model: Model) => void;
  /** The last worker of one has ended. */
  gone: () => void;
}

/** Takes models out of memory. What is in flight is finished, what is queued loads them again. */
export class Unloads {
  constructor(private readonly deps: UnloadsDependencies) {}

  /** Does nothing to one that is not loaded. @param policy whose decision it is */
  begin(model: Model, policy: string, reason: string, numbers: PolicyDecision['numbers'] = {}): void {
    const { pool } = model;
    if (!model.loaded) return;
    const { clock, ledger, decided, changed, gone } = this.deps;
    const size = model.measured();
    model.learnSize();
    decided(model.name, policy, {
      action: 'unload',
      reason,
      numbers: { ...numbers, memory_bytes: size.bytes === null ? null : Math.round(size.bytes) },
    });
    ledger.leaves(model, size);
    model.counts.unloads++;
    model.loadedAt = null;
    pool.setSize(0);
    const unloading = pool.gone().finally(() => {
      if (model.unloading === unloading) model.unloading = null;
      ledger.left(model, clock.now());
      gone();
    });
    model.unloading = unloading;
    changed(model);
  }
}
