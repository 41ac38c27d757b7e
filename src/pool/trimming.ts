import type { PolicyDecision } from '../policy/decision.js';
import { decideWorkerCleanup, type WorkerCleanupFacts } from '../policy/worker-cleanup.js';
import type { Worker } from '../worker/worker.js';

/** The latest cleanup that a worker was asked for because of its own limit. */
interface Asked {
  last: NonNullable<WorkerCleanupFacts['last']>;
  beforeBytes: number;
  /** The next look at its memory shows what it brought. */
  answered: boolean;
  /** Of the life that it belongs to. */
  startedAt: number;
}

/** Asks workers that come near their memory limit to clean up, and says what that brought. */
export class Trimming {
  readonly #asked = new WeakMap<Worker, Asked>();

  constructor(private readonly decided: (subject: string, policy: string, decision: PolicyDecision) => void) {}

  /** A worker of a pool whose workers take messages. */
  check(worker: Worker, now: number): void {
    const bytes = worker.readings.latestBytes;
    if (bytes === null) return;
    const asked = this.#latest(worker);
    if (asked) this.#measure(worker, asked, bytes);
    if (worker.state !== 'ready' || worker.condemned) return;
    const limitBytes = worker.limits.maxMemoryBytes;
    const decision = decideWorkerCleanup({ bytes, limitBytes, last: asked?.last ?? null }, now);
    if (decision.action === 'hold') return;
    this.decided(worker.id, 'memory', decision);
    const cleanup: Asked = {
      last: { level: decision.action, at: now, afterBytes: null },
      beforeBytes: bytes,
      answered: false,
      startedAt: worker.startedAt,
    };
    this.#asked.set(worker, cleanup);
    void worker.cleaning.ask(decision.action).then((answer) => {
      cleanup.answered = answer !== null;
    });
  }

  #latest(worker: Worker): Asked | null {
    const asked = this.#asked.get(worker);
    return asked?.startedAt === worker.startedAt ? asked : null;
  }

  #measure(worker: Worker, { last, beforeBytes, answered }: Asked, bytes: number): void {
    if (!answered || last.afterBytes !== null) return;
    last.afterBytes = bytes;
    this.decided(worker.id, 'memory', {
      action: 'freed',
      reason: `what its ${last.level} brought`,
      numbers: { before_bytes: beforeBytes, after_bytes: bytes, freed_bytes: beforeBytes - bytes },
    });
  }
}
