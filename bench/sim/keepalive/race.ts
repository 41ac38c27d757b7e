import { IdleHistory, keepaliveWindow } from '../../../src/policy/keepalive.js';
import type { Calls } from '../models/calls.js';
import type { ModelShape } from '../models/shape.js';
import { Clairvoyant, Contender, type Tally } from './contender.js';
import { HybridHistogram } from './hybrid.js';

export type Policy =
  | { kind: 'fixed'; minutes: number }
  | { kind: 'hybrid' }
  | { kind: 'ours'; price: number }
  | { kind: 'clairvoyant' };

export interface ModelOutcome {
  requests: number;
  /** In the order of the policies. */
  tallies: Tally[];
}

/** A Monday: traces begin on one. */
const EPOCH_MS = Date.UTC(2024, 0, 1);
/** Until a model has been idle three times, as with the strategy 'balanced'. */
const FALLBACK_MS = 15 * 60_000;
const MIB_PER_MB = 1e6 / 2 ** 20;
/** A window that depends on the time of day holds for an hour, unless more was learned meanwhile. */
const SEASONAL_MS = 3_600_000;

/** All policies that learn see the same calls, and decide before they see the next. */
class Field {
  readonly all: Contender[];
  /** Those who decide; the clairvoyant alone need not. */
  readonly deciding: Contender[];
  readonly clairvoyant: Contender[];
  /** As long as a model is idle for less, all of them are warm and waste the same. */
  safeMs = 0;
  readonly #history = new IdleHistory();
  readonly #hybrid = new HybridHistogram();
  readonly #ours: { contender: Contender; price: number }[] = [];
  readonly #hybrids: Contender[] = [];
  #revision = -1;
  #decidedAt = 0;

  constructor(
    private readonly shape: ModelShape,
    policies: readonly Policy[],
  ) {
    const { mb, loadSeconds } = shape;
    this.all = policies.map((policy) => {
      const contender = new (policy.kind === 'clairvoyant' ? Clairvoyant : Contender)(mb, loadSeconds * 1000);
      if (policy.kind === 'fixed') contender.untilMs = policy.minutes * 60_000;
      if (policy.kind === 'hybrid') this.#hybrids.push(contender);
      if (policy.kind === 'ours') this.#ours.push({ contender, price: policy.price });
      return contender;
    });
    this.clairvoyant = this.all.filter((contender) => contender instanceof Clairvoyant);
    this.deciding = this.all.filter((contender) => !(contender instanceof Clairvoyant));
  }

  /** A request came, the one before it had ended so long ago (null: it is the first), and it takes until `endsAt`. */
  learn(idleMs: number | null, at: number, endsAt: number): void {
    this.#history.used(idleMs, EPOCH_MS + at);
    if (idleMs === 0) return;
    const { revision, seasonal } = this.#history;
    const outdated =
      revision !== this.#revision ||
      (seasonal && idleMs !== null && idleMs > this.safeMs && at - this.#decidedAt > SEASONAL_MS);
    if (outdated && this.#ours.length > 0) {
      this.#revision = revision;
      this.#decidedAt = at;
      this.#decide(EPOCH_MS + endsAt);
    }
    const changed = this.#hybrids.length > 0 && idleMs !== null && this.#hybrid.learn(idleMs);
    for (const contender of this.#hybrids) {
      contender.fromMs = this.#hybrid.fromMs;
      contender.untilMs = this.#hybrid.untilMs;
    }
    if (outdated || changed) {
      this.safeMs = Number.POSITIVE_INFINITY;
      for (const contender of this.deciding) this.safeMs = Math.min(this.safeMs, contender.safeMs);
    }
  }

  #decide(wallMs: number): void {
    const { loadSeconds, mb } = this.shape;
    for (const { contender, price } of this.#ours) {
      const facts = { loadSeconds, mib: mb * MIB_PER_MB, price, fallbackMs: FALLBACK_MS, wallMs };
      const { keepMs, prewarmMs } = keepaliveWindow(this.#history, facts);
      contender.fromMs = prewarmMs ?? 0;
      contender.untilMs = keepMs;
    }
  }
}

/** Plays one model's calls to all policies at once. From what happens before `warmUpMs` they learn, and it isn't counted. */
export function race(
  shape: ModelShape,
  calls: Iterable<Calls>,
  policies: readonly Policy[],
  warmUpMs: number,
): ModelOutcome {
  const field = new Field(shape, policies);
  let commonMs = 0;
  let requests = 0;
  let busyUntil: number | null = null;
  for (const { count, at, ms } of calls)
    for (let i = 0; i < count; i++) {
      const now = at[i]!;
      const counted = now >= warmUpMs;
      const endsAt: number = Math.max(busyUntil ?? 0, now + ms[i]!);
      const idleMs: number | null = busyUntil === null ? null : Math.max(0, now - busyUntil);
      if (counted) {
        requests++;
        if (idleMs === null) for (const contender of field.all) contender.first();
        else {
          for (const contender of field.clairvoyant) contender.idle(idleMs);
          if (idleMs <= field.safeMs) commonMs += idleMs;
          else for (const contender of field.deciding) contender.idle(idleMs);
        }
      }
      field.learn(idleMs, now, endsAt);
      busyUntil = endsAt;
    }
  for (const contender of field.deciding) contender.waste(commonMs);
  return { requests, tallies: field.all.map(({ tally }) => tally) };
}
