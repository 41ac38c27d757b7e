import type { Clock } from '../clock.js';
import type { AppConfig } from '../config/schema.js';
import type { PolicyDecision } from '../policy/decision.js';
import { CLOSE_SHARE, decideRecycle } from '../policy/recycle.js';
import type { Worker } from '../worker/worker.js';

export interface RecyclingDependencies {
  clock: Clock;
  config: () => AppConfig;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** Neither stopping nor on trial. */
  isServing: (worker: Worker) => boolean;
  /** Whether the pool can start one more replacement now, and for this worker. */
  mayReplace: (worker: Worker) => boolean;
  /** Whether the box's memory has room for one more worker of this size. */
  hasRoom: (bytes: number) => boolean;
  replace: (worker: Worker, how: Replacing) => Promise<void>;
}

export interface Replacing {
  /** What comes shares no process with what goes. */
  afresh: boolean;
  /** There is no room for both. */
  oldFirst: boolean;
}

/** The old worker serves while its replacement fails: there is no hurry. */
const FIRST_RETRY_MS = 1000;

/** Replaces the workers that the recycle policy finds due, and counts them. */
export class Recycling {
  #count = 0;
  /** Replacements that failed in a row, and when the next one may be tried: a limit stays reached meanwhile. */
  #failed = 0;
  #notBefore = 0;

  constructor(private readonly deps: RecyclingDependencies) {}

  get count(): number {
    return this.#count;
  }

  /** One was replaced by hand. */
  add(): void {
    this.#count++;
  }

  check(worker: Worker, now: number): void {
    if (worker.state !== 'ready' || worker.condemned || !this.deps.isServing(worker)) return;
    const { users, requests, bootMs } = worker;
    const { memoryBytes, bornWithBytes } = worker.readings;
    const facts = { users, requests, bootMs, memoryBytes, bornWithBytes, ageMs: worker.ageMs(now) };
    const decision = decideRecycle(facts, worker.limits);
    switch (decision.action) {
      case 'kill':
        this.kill(worker, 'recycle', decision);
        return;
      case 'recycle':
        // What it is being asked to give back may bring it below its limit.
        if (isForMemory(decision) && worker.cleaning.hopeful(now)) return;
        this.replace(worker, 'recycle', decision);
        return;
      case 'hold':
        if (decision.numbers.born_with_bytes) this.deps.decided(worker.id, 'recycle', decision);
    }
  }

  /** Whether its memory is so near the limit that the next sample should not wait a second. */
  memoryClose(worker: Worker): boolean {
    const latest = worker.readings.latestBytes;
    const limit = worker.limits.maxMemoryBytes;
    return latest !== null && limit !== null && latest > limit * CLOSE_SHARE;
  }

  /** Ends it now; its restart is its pool's. */
  kill(worker: Worker, policy: string, decision: PolicyDecision): void {
    this.#count++;
    this.deps.decided(worker.id, policy, decision);
    worker.kill('supervisor', `${worker.id} was killed: ${decision.reason}`);
  }

  /** For a policy's reason. False where it can't be replaced now; else the promise resolves when it was, or was not. */
  replace(worker: Worker, policy: string, decision: PolicyDecision): Promise<void> | false {
    const { clock, decided, mayReplace, hasRoom, replace } = this.deps;
    if (!mayReplace(worker) || clock.now() < this.#notBefore) return false;
    const forMemory = isForMemory(decision);
    const oldFirst = forMemory && !hasRoom(worker.readings.bornWithBytes ?? worker.readings.latestBytes ?? 0);
    const reason = oldFirst ? `${decision.reason}; it goes first, since there is no room for both` : decision.reason;
    decided(worker.id, policy, { ...decision, reason });
    return replace(worker, { afresh: forMemory, oldFirst }).then(
      () => {
        this.#count++;
        this.#failed = 0;
      },
      (error: Error) => {
        const retryInMs = this.#backOff();
        decided(worker.id, policy, {
          action: 'failed',
          reason: oldFirst ? error.message : `the old worker stays: ${error.message}`,
          numbers: { ...decision.numbers, retry_in_ms: retryInMs },
        });
      },
    );
  }

  #backOff(): number {
    const longestMs = Math.max(FIRST_RETRY_MS, this.deps.config().restart.maxBackoffMs);
    const retryInMs = Math.min(longestMs, FIRST_RETRY_MS * 2 ** this.#failed++);
    this.#notBefore = this.deps.clock.now() + retryInMs;
    return retryInMs;
  }
}

function isForMemory(decision: PolicyDecision): boolean {
  return decision.numbers.memory_bytes !== undefined;
}
