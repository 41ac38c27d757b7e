import type { SupError } from '../errors.js';
import type { Outcome } from '../worker/protocol.js';
import { Deadlines } from './deadlines.js';
import { modelError } from './failures.js';
import type { Item, Job, JobResult } from './job.js';

export interface DispatcherStats {
  /** Inputs now. */
  queued: number;
  inFlight: number;
  /** Inputs since the start; each ends as one of the six that follow. */
  requests: number;
  succeeded: number;
  modelErrors: number;
  expired: number;
  cancelled: number;
  refused: number;
  lost: number;
  /** How often an input was queued again because its worker went away. */
  retries: number;
  batches: number;
  /** Inputs that workers gave back, whoever still waited for them. */
  completed: number;
  /** Sum over all batches that came back. */
  computeMs: number;
  /** Sum over all inputs that were answered. */
  queueMs: number;
}

export type Ending = 'succeeded' | 'modelErrors' | 'expired' | 'cancelled' | 'refused' | 'lost';

const COST_WEIGHT = 0.1;

/** Every input's end goes through here, and is counted. */
export class Ledger {
  readonly deadlines = new Deadlines();
  readonly counts: Omit<DispatcherStats, 'queued' | 'inFlight'> = {
    requests: 0,
    succeeded: 0,
    modelErrors: 0,
    expired: 0,
    cancelled: 0,
    refused: 0,
    lost: 0,
    retries: 0,
    batches: 0,
    completed: 0,
    computeMs: 0,
    queueMs: 0,
  };
  /** Moving average of what one input costs a worker; null: nothing is known yet. */
  costMs: number | null = null;

  constructor(private readonly model: () => string) {}

  cameBack(inputs: number, computeMs: number): void {
    this.counts.completed += inputs;
    this.counts.computeMs += computeMs;
    const costMs = computeMs / inputs;
    this.costMs = this.costMs === null ? costMs : this.costMs + COST_WEIGHT * (costMs - this.costMs);
  }

  answer(item: Item, outcome: Outcome | undefined, worker: string, computeMs: number): void {
    if (outcome?.ok) {
      this.counts.succeeded++;
      const queueMs = (item.batch?.sentAt ?? item.queuedAt) - item.queuedAt;
      this.counts.queueMs += queueMs;
      this.#settle(item, { ok: true, output: outcome.output, worker, queueMs, computeMs });
      return;
    }
    const { name, message } = outcome ?? { name: 'Error', message: 'the worker left this input unanswered' };
    this.fail(item, 'modelErrors', modelError(this.model(), worker, name, message));
  }

  fail(item: Item, ending: Ending, error: SupError): void {
    this.counts[ending]++;
    this.#settle(item, { ok: false, error });
  }

  /** A job that was never accepted. */
  refuse(inputs: number, error: SupError): JobResult[] {
    this.counts[error.code === 'SUP_CANCELLED' ? 'cancelled' : 'refused'] += inputs;
    return Array.from({ length: inputs }, () => ({ ok: false, error }));
  }

  #settle(item: Item, result: JobResult): void {
    const job: Job = item.job;
    job.settle(item, result);
    if (job.pending === 0) this.deadlines.settled(job);
  }
}
