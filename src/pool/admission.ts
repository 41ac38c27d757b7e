import type { Clock } from '../clock.js';
import type { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { Backlog } from './backlog.js';
import { queueFull } from './failures.js';
import type { Ledger } from './ledger.js';
import type { Slots } from './slots.js';

export interface AdmissionDependencies {
  clock: Clock;
  backlog: Backlog;
  ledger: Ledger;
  slots: Slots;
  config: () => { model: string; queueMax: number };
  decide: (decision: PolicyDecision) => void;
}

/** A refusal is news when there was none for this long: under load a queue is full and not full again many times a second. */
const REFUSAL_NEWS_MS = 10_000;
const MAX_RETRY_AFTER_SECONDS = 60;

/** Whether the queue takes a job. */
export class Admission {
  #refusedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly deps: AdmissionDependencies) {}

  fits(inputs: number): boolean {
    return this.deps.backlog.size + inputs <= this.deps.config().queueMax;
  }

  /** Null: it may come in. */
  refusal(inputs: number): SupError | null {
    if (this.fits(inputs)) return null;
    const { clock, backlog, config, decide } = this.deps;
    const { model, queueMax: limit } = config();
    const queued = backlog.size;
    const now = clock.now();
    if (now - this.#refusedAt > REFUSAL_NEWS_MS)
      decide({ action: 'refuse', reason: 'queue full', numbers: { queued, limit, inputs } });
    this.#refusedAt = now;
    return queueFull(model, queued, limit, this.#drainSeconds(queued));
  }

  #drainSeconds(queued: number): number {
    const { ledger, slots } = this.deps;
    const seconds = (queued * (ledger.costMs ?? 0)) / Math.max(1, slots.active) / 1000;
    return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, Math.ceil(seconds)));
  }
}
