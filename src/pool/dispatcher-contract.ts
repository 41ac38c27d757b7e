import type { Clock } from '../clock.js';
import type { BalancerName } from '../config/types.js';
import type { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { Company } from './company.js';

export interface DispatcherConfig {
  /** `intents@v1`, for messages. */
  model: string;
  /** Batches in flight in one worker. */
  concurrency: number;
  timeoutMs: number;
  /** `preferred`: sizes, ascending. */
  batching: { maxSize: number; maxDelayMs: number; preferred: readonly number[] };
  /** Inputs. */
  queueMax: number;
  /** Waiting this long raises a priority by one; 0: never. */
  ageingMs: number;
  /** Refuse what would wait too long when more comes than the workers can do. */
  shedding: boolean;
  /** Whether a prediction may be run again when its worker went away. */
  idempotent: boolean;
  wedgeMs: number;
  strategy: BalancerName;
}

export interface DispatcherDependencies {
  clock: Clock;
  /** Of all the models whose workers may share hosts with these. Default: there are no others. */
  company?: Company;
  onDecision?: (decision: PolicyDecision) => void;
  /** Runs the callback once what this turn of the event loop has to read has been read; setImmediate unless given. */
  defer?: (callback: () => void) => void;
}

/** `loading`: requests wait, `limitMs` at most. */
export type Availability = { kind: 'up' } | { kind: 'loading'; limitMs: number } | { kind: 'down'; error: SupError };

/** How a worker leaves: it finishes what it has, or it is gone, by its own fault or by the supervisor's. */
export type Leaving = 'draining' | 'dead-own-fault' | 'dead-by-supervisor';
