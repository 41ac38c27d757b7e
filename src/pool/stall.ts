import type { PolicyDecision } from '../policy/decision.js';
import { decideStall } from '../policy/stall.js';
import type { Service } from './work.js';

export interface StallDependencies {
  service: Service | undefined;
  /** A fresh one takes over from the worker of this name. */
  replace: (worker: string, decision: PolicyDecision) => void;
}

/** Watches that the queue moves: a pool whose workers are all well, and answer nothing, is not well. */
export class Stall {
  /** Why it stands still, if it does. */
  reason: string | null = null;

  constructor(private readonly deps: StallDependencies) {}

  tick(): void {
    const { service, replace } = this.deps;
    const movement = service?.movement() ?? null;
    this.reason = null;
    if (!service || !movement) return;
    const limits = { wedgeMs: service.config.wedgeMs, maxDelayMs: service.maxDelayMs };
    const { worker, stalled, ...decision } = decideStall(movement, limits);
    if (!stalled || worker === null) return;
    const { queued, still_ms: stillMs } = decision.numbers;
    this.reason = `its queue stands still: ${queued} waiting, nothing moved for ${Math.round(Number(stillMs) / 1000)} s`;
    replace(worker, decision);
  }
}
