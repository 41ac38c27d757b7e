import { createHash } from 'node:crypto';
import { serialize } from 'node:v8';
import type { Clock } from '../clock.js';

/** Deaths while alone after which an input is refused. */
export const STRIKES_TO_QUARANTINE = 2;
const TTL_MS = 10 * 60_000;
const MAX_ENTRIES = 10_000;

interface Entry {
  strikes: number;
  until: number;
}

export interface QuarantineRow {
  /** SHA-256 of the input, hexadecimal. */
  hash: string;
  strikes: number;
  quarantined: boolean;
  remainingMs: number;
}

/** Names an input by its content. */
export function hashInput(input: unknown): string {
  return createHash('sha256').update(serialize(input)).digest('hex');
}

/**
 * Inputs whose workers died. With no strike an input is a suspect: it was in a batch that killed its worker and never got to
 * prove itself; it runs alone next time, as one with one strike does; with two it is refused. All is forgotten after ten minutes.
 */
export class Quarantine {
  /** In the order of their last strike, hence of their end. */
  readonly #entries = new Map<string, Entry>();

  constructor(
    private readonly clock: Clock,
    private readonly options: { ttlMs?: number; max?: number } = {},
  ) {}

  /** 0 means that no input has to be hashed. */
  get size(): number {
    if (this.#entries.size > 0) this.#prune();
    return this.#entries.size;
  }

  /** Strikes of this input; null when nothing is held against it. */
  strikes(hash: string): number | null {
    this.#prune();
    return this.#entries.get(hash)?.strikes ?? null;
  }

  remainingMs(hash: string): number {
    return Math.max(0, (this.#entries.get(hash)?.until ?? 0) - this.clock.now());
  }

  /** It died while alone. Returns its strikes. */
  strike(hash: string): number {
    const strikes = (this.strikes(hash) ?? 0) + 1;
    this.#put(hash, strikes);
    return strikes;
  }

  suspect(hash: string): void {
    if (this.strikes(hash) === null) this.#put(hash, 0);
  }

  /** It was answered. */
  forgive(hash: string): void {
    this.#entries.delete(hash);
  }

  /** Returns how many were let go. */
  clear(): number {
    const { size } = this;
    this.#entries.clear();
    return size;
  }

  list(): QuarantineRow[] {
    this.#prune();
    const now = this.clock.now();
    return [...this.#entries].map(([hash, { strikes, until }]) => ({
      hash,
      strikes,
      quarantined: strikes >= STRIKES_TO_QUARANTINE,
      remainingMs: until - now,
    }));
  }

  #put(hash: string, strikes: number): void {
    this.#entries.delete(hash);
    this.#entries.set(hash, { strikes, until: this.clock.now() + (this.options.ttlMs ?? TTL_MS) });
    if (this.#entries.size <= (this.options.max ?? MAX_ENTRIES)) return;
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest as string);
  }

  #prune(): void {
    const now = this.clock.now();
    for (const [hash, { until }] of this.#entries) {
      if (until > now) return;
      this.#entries.delete(hash);
    }
  }
}
