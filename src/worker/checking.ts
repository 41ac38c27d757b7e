import type { Clock, Timer } from '../clock.js';
import type { CheckedMessage, ToWorker } from './protocol.js';

/** How a check came out; null: its worker is gone. */
export type Checked = { ok: true } | { ok: false; why: string } | null;

interface Pending {
  id: number;
  resolve: (checked: Checked) => void;
  timer: Timer;
}

/** Asks one worker whether it is well, one question at a time. */
export class Checking {
  /** A blocked loop is at work on its answer until then, monotonic ms; null: it owes none. */
  until: number | null = null;
  #pending: Pending | null = null;
  #lastId = 0;

  constructor(
    private readonly clock: Clock,
    private readonly send: (message: ToWorker) => void,
  ) {}

  get asking(): boolean {
    return this.#pending !== null;
  }

  /** No answer in time is a bad one. */
  ask(timeoutMs: number): Promise<Checked> {
    this.#settle(null);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const late = () => this.#settle({ ok: false, why: `no answer within ${timeoutMs / 1000} s` });
      this.#pending = { id, resolve, timer: this.clock.setTimeout(late, timeoutMs) };
      // Asked again and again, a loop that is blocked for good gains no time by it.
      this.until ??= this.clock.now() + timeoutMs;
      this.send({ type: 'check', id });
    });
  }

  received({ id, ok, message }: CheckedMessage): void {
    this.until = null;
    if (id === this.#pending?.id) this.#settle(ok ? { ok } : { ok, why: message ?? 'it did not say why' });
  }

  /** Its process is gone. */
  lost(): void {
    this.until = null;
    this.#settle(null);
  }

  #settle(checked: Checked): void {
    const pending = this.#pending;
    this.#pending = null;
    pending?.timer.cancel();
    pending?.resolve(checked);
  }
}
