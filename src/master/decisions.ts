import type { Clock } from '../clock.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { Decision } from './supervisor.js';

const KEPT = 2000;

/** What the supervisor did by itself, and why: the last rows in memory, and each one to its listeners. */
export class DecisionLog {
  readonly #rows: Decision[] = [];
  /** Last reason of a `hold`, by policy and subject: it is news only when it changes. */
  readonly #held = new Map<string, string>();
  readonly #listeners = new Set<(decision: Decision) => void>();

  constructor(private readonly clock: Clock) {}

  add(subject: string, policy: string, { action, reason, numbers }: PolicyDecision): void {
    const key = `${policy} ${subject}`;
    if (action === 'hold') {
      if (this.#held.get(key) === reason) return;
      this.#held.set(key, reason);
    } else this.#held.delete(key);
    const row: Decision = { time: new Date(this.clock.wall()).toISOString(), policy, subject, action, reason, numbers };
    this.#rows.push(row);
    if (this.#rows.length > KEPT) this.#rows.splice(0, this.#rows.length - KEPT);
    for (const listener of this.#listeners) listener(row);
  }

  /** Newest last. `subject` matches itself and what is below it: `web` finds `web/3`, `intents` finds `intents@v1/2`. */
  list(filter: { policy?: string; subject?: string; limit?: number } = {}): Decision[] {
    const rows = this.#rows.filter(
      (row) =>
        (filter.policy === undefined || row.policy === filter.policy) &&
        (filter.subject === undefined || isWithin(row.subject, filter.subject)),
    );
    return filter.limit === undefined ? rows : rows.slice(Math.max(0, rows.length - filter.limit));
  }

  onDecision(listener: (decision: Decision) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function isWithin(subject: string, wanted: string): boolean {
  return subject === wanted || subject.startsWith(`${wanted}/`) || subject.startsWith(`${wanted}@`);
}
