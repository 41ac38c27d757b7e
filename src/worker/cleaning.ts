import type { Clock, Timer } from '../clock.js';
import type { CleanedMessage, CleanupRequest, ToWorker } from './protocol.js';

/** A cleanup that takes longer than this is not waited for: its worker has other things to do, or is stuck. */
export const CLEANUP_DEADLINE_MS = 5000;
/** For so long a replacement waits for what a cleanup brings: longer, and a breach of the limit would go on. */
const PATIENCE_MS = 1500;

interface Pending {
  level: CleanupRequest;
  answer: Promise<CleanedMessage | null>;
  resolve: (answer: CleanedMessage | null) => void;
  timer: Timer;
}

/** Asks one worker to give memory back, one cleanup of a level at a time. */
export class Cleaning {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #askedAt = 0;

  constructor(
    private readonly clock: Clock,
    private readonly send: (message: ToWorker) => void,
  ) {}

  /** Whether one runs that is worth waiting for. */
  hopeful(now: number): boolean {
    return this.#pending.size > 0 && now - this.#askedAt < PATIENCE_MS;
  }

  /** Joins one of the same level that runs. Null: no answer in time, or the worker is gone. */
  ask(level: CleanupRequest): Promise<CleanedMessage | null> {
    for (const pending of this.#pending.values()) if (pending.level === level) return pending.answer;
    const id = ++this.#lastId;
    let resolve!: Pending['resolve'];
    const answer = new Promise<CleanedMessage | null>((done) => {
      resolve = done;
    });
    const timer = this.clock.setTimeout(() => this.#settle(id, null), CLEANUP_DEADLINE_MS);
    this.#pending.set(id, { level, answer, resolve, timer });
    this.#askedAt = this.clock.now();
    this.send({ type: 'cleanup', id, level });
    return answer;
  }

  received(message: CleanedMessage): void {
    this.#settle(message.id, message);
  }

  /** Its process is gone, and with it what was asked of it. */
  lost(): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, null);
  }

  #settle(id: number, answer: CleanedMessage | null): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    pending.timer.cancel();
    pending.resolve(answer);
  }
}
