import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.js';

/** One request; resolves with what was wrong with the answer, or null. The turn counts all requests of all clients. */
export type Ask = (turn: number) => Promise<string | null>;

/** What came back between two moments. */
export interface Tally {
  seconds: number;
  answers: number;
  errors: number;
  firstError: string | null;
  /** Of the answers; null where there were none. */
  p50Ms: number | null;
  p99Ms: number | null;
}

/** A refusal may come back in the same turn of the loop: asking again at once would leave no time for anything else. */
const PAUSE_AFTER_ERROR_MS = 5;
const LONGEST_MS = 3_600_000;

/** Clients that each ask again as soon as they are answered, until they are stopped. */
export class ClosedLoop {
  readonly #clients: Promise<void>[];
  #turn = 0;
  #stopping = false;
  #window: Window | null = null;

  constructor(
    private readonly ask: Ask,
    clients: number,
  ) {
    this.#clients = Array.from({ length: clients }, () => this.#client());
  }

  /** Counts what comes back from now on. */
  open(): void {
    this.#window = new Window();
  }

  /** Whether anything has come back since. */
  get answered(): boolean {
    return (this.#window?.requests ?? 0) > 0;
  }

  /** @throws Error unless it was opened */
  close(): Tally {
    const window = this.#window;
    if (!window) throw new Error('the window was never opened');
    this.#window = null;
    return window.tally();
  }

  /** Resolves when the last answer is there. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }

  async #client(): Promise<void> {
    while (!this.#stopping) {
      const askedAt = performance.now();
      const error = await this.ask(this.#turn++).catch(messageOf);
      this.#window?.add(performance.now() - askedAt, error);
      if (error !== null) await sleep(PAUSE_AFTER_ERROR_MS);
    }
  }
}

class Window {
  readonly #openedAt = performance.now();
  /** Microseconds, to three digits. */
  readonly #latencies = createHistogram({ lowest: 1, highest: LONGEST_MS * 1000, figures: 3 });
  #errors = 0;
  #firstError: string | null = null;

  get requests(): number {
    return this.#latencies.count + this.#errors;
  }

  add(tookMs: number, error: string | null): void {
    if (error === null) this.#latencies.record(Math.min(LONGEST_MS * 1000, Math.max(1, Math.round(tookMs * 1000))));
    else {
      this.#errors++;
      this.#firstError ??= error;
    }
  }

  tally(): Tally {
    const answers = this.#latencies.count;
    const percentile = (share: number) => (answers === 0 ? null : this.#latencies.percentile(share) / 1000);
    return {
      seconds: (performance.now() - this.#openedAt) / 1000,
      answers,
      errors: this.#errors,
      firstError: this.#firstError,
      p50Ms: percentile(50),
      p99Ms: percentile(99),
    };
  }
}
