import type { PolicyDecision } from '../policy/decision.js';
import { decideWorkerCleanup } from '../policy/worker-cleanup.js';
import type { Worker } from '../worker/worker.js';

/** Asks workers that come near their memory limit to clean up, and says what that brought. */
export class Trimming {
  /** Cleanups whose effect the next look at the worker's memory will show. */
  readonly #measuring = new Map<Worker, { level: string; beforeBytes: number; answered: boolean }>();

  constructor(private readonly decided: (subject: string, policy: string, decision: PolicyDecision) => void) {}

  /** A worker of a pool whose workers take messages. */
  check(worker: Worker, now: number): void {
    const bytes = worker.readings.latestBytes;
    if (bytes === null) return;
    this.#measure(worker, bytes);
    if (worker.state !== 'ready' || worker.condemned) return;
    const limitBytes = worker.limits.maxMemoryBytes;
    const decision = decideWorkerCleanup({ bytes, limitBytes, last: worker.cleaning.last }, now);
    if (decision.action === 'hold') return;
    this.decided(worker.id, 'memory', decision);
    const cleanup = { level: decision.action, beforeBytes: bytes, answered: false };
    this.#measuring.set(worker, cleanup);
    void worker.cleaning.ask(decision.action).then((answer) => {
      if (answer) cleanup.answered = true;
      else this.#measuring.delete(worker);
    });
  }

  #measure(worker: Worker, bytes: number): void {
    const cleanup = this.#measuring.get(worker);
    const { last } = worker.cleaning;
    if (!cleanup?.answered || !last) return;
    this.#measuring.delete(worker);
    last.afterBytes = bytes;
    this.decided(worker.id, 'memory', {
      action: 'freed',
      reason: `what its ${cleanup.level} brought`,
      numbers: { before_bytes: cleanup.beforeBytes, after_bytes: bytes, freed_bytes: cleanup.beforeBytes - bytes },
    });
  }
}
