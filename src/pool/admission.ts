import type { Clock } from '../clock.js';
import type { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { Backlog } from './backlog.js';
import { queueFull } from './failures.js';
import type { Overload } from './overload.js';

export interface AdmissionDependencies {
  clock: Clock;
  backlog: Backlog;
  overload: Overload;
  config: () => { model: string; queueMax: number };
  /** How long what is queued takes to work off. */
  drainSeconds: () => number;
  decide: (decision: PolicyDecision) => void;
}

/** A refusal is news when there was none for this long: under load a queue is full and not full again many times a second. */
const REFUSAL_NEWS_MS = 10_000;

/** Whether the queue takes a job. */
export class Admission {
  #refusedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly deps: AdmissionDependencies) {}

  fits(inputs: number): boolean {
    return this.deps.backlog.size + inputs <= this.deps.config().queueMax;
  }

  /** Null: it may come in. */
  refusal(inputs: number, priority: number): SupError | null {
    const { clock, backlog, config, overload, decide, drainSeconds } = this.deps;
    if (this.fits(inputs)) return overload.refusal(inputs, priority);
    const { model, queueMax: limit } = config();
    const queued = backlog.size;
    const now = clock.now();
    if (now - this.#refusedAt > REFUSAL_NEWS_MS)
      decide({ action: 'refuse', reason: 'queue full', numbers: { queued, limit, inputs } });
    this.#refusedAt = now;
    return queueFull(model, queued, limit, drainSeconds());
  }
}
