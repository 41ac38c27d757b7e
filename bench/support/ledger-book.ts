import type { Entry } from './ledger-protocol.js';
import { quantile, rounded } from './numbers.js';

export type Outcome = 'ok' | 'typedError';

interface Page {
  readonly load: string;
  readonly phase: string;
  sent: number;
  ok: number;
  good: number;
  typedErrors: number;
  duplicated: number;
  readonly lost: Record<string, number>;
  readonly latenciesMs: number[];
}

/** A request that was sent. */
export interface Sent {
  readonly id: string;
  readonly page: Page;
  /** When it was due; latency counts from here. */
  readonly dueAt: number;
  readonly goodWithinMs: number;
}

/** Every request is written down when it is sent, and crossed out once: by the answer that carries its id, or by how it was lost. */
export class Ledger {
  readonly #open = new Set<string>();
  readonly #pages = new Map<string, Page>();
  readonly #phases: { name: string; from: number; to: number }[] = [];
  #count = 0;

  phase(name: string, now: number): void {
    this.#endPhase(now);
    this.#phases.push({ name, from: now, to: now });
  }

  get openRequests(): number {
    return this.#open.size;
  }

  send(load: string, dueAt: number, goodWithinMs = Number.POSITIVE_INFINITY): Sent {
    const sent: Sent = { id: String(++this.#count), page: this.#page(load), dueAt, goodWithinMs };
    sent.page.sent++;
    this.#open.add(sent.id);
    return sent;
  }

  /** @param answeredId the request that the answer says it is for; refusals may come from somebody who does not repeat it */
  answer(sent: Sent, answeredId: string | undefined, outcome: Outcome, now: number): void {
    const { page } = sent;
    const foreign = answeredId === undefined ? outcome === 'ok' : answeredId !== sent.id;
    if (foreign) {
      if (answeredId !== undefined && this.#wasSent(answeredId) && !this.#open.has(answeredId)) page.duplicated++;
      this.lose(sent, 'answer of another request');
      return;
    }
    if (!this.#open.delete(sent.id)) {
      page.duplicated++;
      return;
    }
    if (outcome !== 'ok') page.typedErrors++;
    else {
      page.ok++;
      if (now - sent.dueAt <= sent.goodWithinMs) page.good++;
    }
    page.latenciesMs.push(now - sent.dueAt);
  }

  /** For one that is answered or lost already this says nothing new. */
  lose(sent: Sent, reason: string): void {
    if (this.#open.delete(sent.id)) sent.page.lost[reason] = (sent.page.lost[reason] ?? 0) + 1;
  }

  entries(now: number): Entry[] {
    this.#endPhase(now);
    return [...this.#pages.values()].map(({ latenciesMs, ...page }) => ({
      ...page,
      durationMs: Math.round(
        this.#phases.filter(({ name }) => name === page.phase).reduce((sum, { from, to }) => sum + to - from, 0),
      ),
      p50Ms: rounded(quantile(latenciesMs, 0.5)),
      p95Ms: rounded(quantile(latenciesMs, 0.95)),
      p99Ms: rounded(quantile(latenciesMs, 0.99)),
      maxMs: rounded(quantile(latenciesMs, 1)),
    }));
  }

  #wasSent(id: string): boolean {
    return Number(id) <= this.#count;
  }

  #endPhase(now: number): void {
    const current = this.#phases.at(-1);
    if (current) current.to = now;
  }

  #page(load: string): Page {
    const phase = this.#phases.at(-1)?.name ?? '';
    const key = `${load}\n${phase}`;
    let page = this.#pages.get(key);
    if (!page) {
      page = { load, phase, sent: 0, ok: 0, good: 0, typedErrors: 0, duplicated: 0, lost: {}, latenciesMs: [] };
      this.#pages.set(key, page);
    }
    return page;
  }
}
