import type { Clock } from '../clock.js';
import type { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { RetryBudget } from '../policy/retry-budget.js';
import type { Backlog } from './backlog.js';
import type { DispatcherConfig } from './dispatcher-contract.js';
import { quarantined, workerDied } from './failures.js';
import { decideFate } from './fate.js';
import type { Item } from './job.js';
import type { Ledger } from './ledger.js';
import { hashInput, type Quarantine, STRIKES_TO_QUARANTINE } from './quarantine.js';
import type { Batch } from './slots.js';

export interface CasualtiesDependencies {
  quarantine: Quarantine;
  backlog: Backlog;
  ledger: Ledger;
  config: () => Pick<DispatcherConfig, 'model' | 'idempotent' | 'concurrency' | 'batching'>;
  budget: RetryBudget;
  clock: Clock;
  /** Why no worker is going to come, if so. */
  down: () => SupError | null;
  /** Puts the item before all others that wait. */
  requeue: (item: Item) => void;
  decide: (decision: PolicyDecision) => void;
}

/** That the budget is used up is news when it was not for this long. */
const BUDGET_NEWS_MS = 10_000;

/** Inputs whose worker went away: who is tried again, who is to blame, and who may come back. */
export class Casualties {
  #overBudgetAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly deps: CasualtiesDependencies) {}

  /** Whether the quarantine lets it pass; with anything against it, it runs alone. */
  admit(item: Item): boolean {
    const { quarantine, ledger, config } = this.deps;
    const hash = this.#hash(item);
    const strikes = hash === null ? null : quarantine.strikes(hash);
    if (hash === null || strikes === null) return true;
    if (strikes >= STRIKES_TO_QUARANTINE) {
      ledger.fail(item, 'refused', quarantined(config().model, quarantine.remainingMs(hash)));
      return false;
    }
    item.hash = hash;
    item.solo = true;
    return true;
  }

  sendable(item: Item): boolean {
    return this.#hash(item) !== null;
  }

  /** The batches that a worker took with it, oldest first. */
  settle(batches: readonly Batch[], ownFault: boolean): void {
    // From the last to the first: each goes to the front of the queue.
    for (const batch of batches.toReversed())
      for (const item of batch.items.toReversed()) {
        const strikes = ownFault && batch.alone ? this.#strike(item) : 0;
        if (!item.settled) this.#settleItem(item, batch, ownFault, strikes);
        // What isn't tried again had no chance to show that it was not the one.
        if (ownFault && !batch.alone && item.settled) this.#suspect(item);
      }
  }

  #settleItem(item: Item, batch: Batch, ownFault: boolean, strikes: number): void {
    const { ledger, config, quarantine, requeue } = this.deps;
    const { model, idempotent } = config();
    const down = this.deps.down();
    const { retried, evictions } = item;
    const begun = item.job.request.stream?.begun ?? false;
    let overBudget = false;
    const affordable = () => {
      overBudget = !this.#affordable();
      return !overBudget;
    };
    const fate = decideFate({
      ownFault,
      strikes,
      strikesToQuarantine: STRIKES_TO_QUARANTINE,
      idempotent,
      retried,
      begun,
      evictions,
      down: down !== null,
      affordable,
    });
    switch (fate) {
      case 'quarantined':
        ledger.fail(item, 'lost', quarantined(model, quarantine.remainingMs(item.hash as string)));
        return;
      case 'lost': {
        const error = workerDied(model, batch.owner.slot.worker, {
          ownFault,
          idempotent,
          retried,
          begun,
          evictions,
          overBudget,
        });
        ledger.fail(item, 'lost', !ownFault && !begun && down ? down : error);
        return;
      }
      case 'again':
        item.evictions++;
        requeue(item);
        return;
      case 'again-alone':
        item.retried = true;
        item.solo = true;
        requeue(item);
        return;
    }
  }

  #affordable(): boolean {
    const { budget, config, clock, decide } = this.deps;
    const { concurrency, batching } = config();
    const now = clock.now();
    const perWorker = concurrency * batching.maxSize;
    if (budget.take(perWorker, now)) return true;
    if (now - this.#overBudgetAt > BUDGET_NEWS_MS)
      decide({
        action: 'refuse',
        reason: 'too many retries after deaths of workers',
        numbers: { ...budget.numbers(perWorker, now) },
      });
    this.#overBudgetAt = now;
    return false;
  }

  /** Returns how often it died alone, now included; one that did so too often takes its likes in the queue with it. */
  #strike(item: Item): number {
    const { quarantine, decide } = this.deps;
    const hash = this.#hash(item);
    if (hash === null) return 0;
    item.hash = hash;
    const strikes = quarantine.strike(hash);
    if (strikes < STRIKES_TO_QUARANTINE) return strikes;
    decide({ action: 'quarantine', reason: 'killed its worker while alone', numbers: { input: hash, strikes } });
    this.#refuseQueued(hash);
    return strikes;
  }

  #refuseQueued(hash: string): void {
    const { backlog, ledger, config, quarantine } = this.deps;
    for (const item of backlog.items()) {
      if (this.#hash(item) !== hash) continue;
      ledger.fail(item, 'refused', quarantined(config().model, quarantine.remainingMs(hash)));
      backlog.left(item);
    }
  }

  #suspect(item: Item): void {
    const hash = this.#hash(item);
    if (hash !== null) this.deps.quarantine.suspect(hash);
  }

  #hash(item: Item): string | null {
    try {
      return item.hash ?? hashInput(item.input);
    } catch {
      // It can't be serialised, so no worker ever got it: nothing can be held against it.
      return null;
    }
  }
}
