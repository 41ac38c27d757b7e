import type { ModelHealthConfig } from '../config/types.js';
import type { AppMode } from '../master/supervisor.js';
import type { StallFacts } from '../policy/stall.js';
import type { Backend, Instance } from '../worker/backend.js';
import type { FromWorker } from '../worker/protocol.js';
import type { Readiness } from '../worker/readiness.js';
import type { Fault, Worker } from '../worker/worker.js';
import type { Demand } from './sizing.js';

/** What the workers of a pool do: predictions, requests on a shared socket, or their own thing. */
export interface Work {
  readonly mode: AppMode;
  /** No heartbeat for this long is a wedged event loop; null where workers don't beat. */
  readonly wedgeMs: number | null;
  /** Its workers take our messages, `cleanup` among them. */
  readonly speaks: boolean;
  /** Start the new one before the old one is stopped. */
  readonly overlap: boolean;
  readonly exitGraceMs: number;
  /** It got ready. */
  admit(worker: Worker): void;
  /** Takes its work away; resolves when it is idle. `last`: nobody else is there to take work. */
  drain(worker: Worker, last: boolean): Promise<void>;
  end(worker: Worker, instance: Instance): void;
  lost(worker: Worker, fault: Fault): void;
  message(worker: Worker, message: FromWorker): void;
  /** Monotonic ms until which a blocked loop is work and not a wedge; null: no such thing in flight. */
  busyUntil(worker: Worker): number | null;
  /** Where the master knows better than the last heartbeat. */
  inFlight?(worker: Worker): number;
  /** Inputs that wait for a worker, where there is a queue. */
  queued?(): number;
  /** How well its workers serve, where predictions pass the master. */
  readonly service?: Service;
  /** What its size is to follow; without it the size is fixed. */
  demand?(): Demand;
}

/** What a pool knows of how its workers serve, and what it can do about it. */
export interface Service {
  readonly config: ModelHealthConfig;
  /** How long work waits for a fuller batch at most. */
  readonly maxDelayMs: number;
  /** Whether all workers get alike work, so that their times can be compared. */
  readonly comparable: boolean;
  /** What one input takes; null: not known. */
  readonly usualMs: number | null;
  /** Its times relative to what such batches take here; null: none came back. */
  pace(worker: Worker): { relative: number; batches: number } | null;
  /** It is not well: no more work for it, until it is admitted again. What it has it finishes. */
  suspend(worker: Worker): void;
  /** It gets no more than so many batches at once; null: as many as any other. */
  limit(worker: Worker, batches: number | null): void;
  /** The queue; null: nothing waits, or nobody could take it. */
  movement(): StallFacts | null;
}

/** How the workers of one generation are made. */
export interface Blueprint {
  readonly backend: Backend;
  readonly readiness: Readiness;
}
