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
  /** `afresh`: what comes shares no process with what goes. */
  replace: (worker: Worker, afresh: boolean) => Promise<void>;
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
    const { users, requests, bootMs, memoryBytes, bornWithBytes } = worker;
    const facts = { users, requests, bootMs, memoryBytes, bornWithBytes, ageMs: worker.ageMs(now) };
    const decision = decideRecycle(facts, worker.limits);
    switch (decision.action) {
      case 'kill':
        this.#count++;
        this.deps.decided(worker.id, 'recycle', decision);
        worker.kill('supervisor', `${worker.id} was killed: ${decision.reason}`);
        return;
      case 'recycle':
        this.#recycle(worker, decision);
        return;
      case 'hold':
        if (decision.numbers.born_with_bytes) this.deps.decided(worker.id, 'recycle', decision);
    }
  }

  /** Whether its memory is so near the limit that the next sample should not wait a second. */
  memoryClose(worker: Worker): boolean {
    const latest = worker.memoryBytes.at(-1) ?? null;
    const limit = worker.limits.maxMemoryBytes;
    return latest !== null && limit !== null && latest > limit * CLOSE_SHARE;
  }

  #recycle(worker: Worker, decision: PolicyDecision): void {
    const { clock, decided, mayReplace, replace } = this.deps;
    if (!mayReplace(worker) || clock.now() < this.#notBefore) return;
    decided(worker.id, 'recycle', decision);
    replace(worker, decision.numbers.memory_bytes !== undefined).then(
      () => {
        this.#count++;
        this.#failed = 0;
      },
      (error: Error) => {
        const retryInMs = this.#backOff();
        decided(worker.id, 'recycle', {
          action: 'failed',
          reason: `the old worker stays: ${error.message}`,
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
