import type { SupError } from '../errors.js';
import type { ChunkStream } from './chunk-stream.js';
import type { Batch } from './slots.js';

/** Told when nobody waits any more. */
export interface Cancellable {
  handleEvent(): void;
}

/** Tells that nobody waits any more. Any AbortSignal is one. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: Cancellable): void;
  removeEventListener(type: 'abort', listener: Cancellable): void;
}

export interface JobRequest {
  inputs: readonly unknown[];
  /** Higher runs first; equal ones in the order in which they came. */
  priority: number;
  /** From submit to answer; null: the pool's own. */
  timeoutMs: number | null;
  /** Aborted when nobody waits for the answer any more. */
  signal: CancelSignal | null;
  /** Where the answer to the one input goes as it comes; the result then has no output. */
  stream?: ChunkStream;
  /** What `consistent_hash` keeps together: one for all inputs, or one for each; null: nothing is. */
  key: string | readonly string[] | null;
  /** Called once, within `submit`, when no worker is there to take the job. */
  onWait?: () => void;
}

/** How one input ended. */
export type JobResult =
  | { ok: true; output: unknown; worker: string; queueMs: number; computeMs: number }
  | { ok: false; error: SupError };

/** One `submit`: settles when each of its inputs has. */
export class Job implements Cancellable {
  readonly items: Item[] = [];
  readonly results: JobResult[];
  pending: number;
  /** Monotonic ms; while it waits for a load, the end of that wait. */
  deadline: number;
  /** What its own deadline had left when it began to wait for a load; null: it does not. */
  #leftMs: number | null = null;
  /** When a chunk last came or was read; null before the first one. */
  flowedAt: number | null = null;
  /** It is among the running deadlines. */
  timed = false;

  constructor(
    readonly request: JobRequest,
    readonly timeoutMs: number,
    readonly submittedAt: number,
    private readonly resolve: (results: JobResult[]) => void,
    private readonly onCancel: (job: Job) => void,
  ) {
    this.pending = request.inputs.length;
    this.results = new Array(this.pending);
    this.deadline = submittedAt + timeoutMs;
    // The job itself listens: no closure for each of them.
    request.signal?.addEventListener('abort', this);
  }

  handleEvent(): void {
    this.onCancel(this);
  }

  settle(item: Item, result: JobResult): void {
    item.settled = true;
    this.results[item.index] = result;
    if (--this.pending > 0) return;
    this.request.signal?.removeEventListener('abort', this);
    this.resolve(this.results);
  }

  get isFrozen(): boolean {
    return this.#leftMs !== null;
  }

  /** Its time stands still from now on, for so long at most. */
  freeze(now: number, limitMs: number): void {
    if (this.#leftMs !== null) return;
    this.#leftMs = this.deadline - now;
    this.deadline = now + limitMs;
  }

  /** A stream's time is counted anew from each sign of life. Whether it has any left. */
  extend(now: number): boolean {
    if (this.flowedAt === null || this.flowedAt + this.timeoutMs <= now) return false;
    this.deadline = this.flowedAt + this.timeoutMs;
    for (const item of this.items) if (item.batch) item.batch.deadline = this.deadline;
    return true;
  }

  thaw(now: number): void {
    if (this.#leftMs === null) return;
    this.deadline = now + this.#leftMs;
    this.#leftMs = null;
  }
}

/** One input: it is queued, or in a batch, or settled. */
export class Item {
  settled = false;
  /** Where it is in flight; null while it is queued. */
  batch: Batch | null = null;
  sentAt = 0;
  /** It runs in a batch of one on an otherwise idle domain. */
  solo = false;
  /** Its worker died by its own fault once already. */
  retried = false;
  /** How often the supervisor took its worker away. */
  evictions = 0;
  /** Known only to those that the quarantine has or had to do with. */
  hash: string | null = null;
  /** Of its key; null: it has none, or it does not matter. */
  keyHash: number | null = null;

  constructor(
    readonly job: Job,
    readonly index: number,
    public input: unknown,
    readonly queuedAt: number,
  ) {}

  get priority(): number {
    return this.job.request.priority;
  }
}
