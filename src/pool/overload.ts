import type { Clock } from '../clock.js';
import type { SupError } from '../errors.js';
import { ConcurrencyLimit } from '../policy/concurrency-limit.js';
import type { PolicyDecision } from '../policy/decision.js';
import { Shedding, waitTargetMs } from '../policy/shedding.js';
import type { Alarm } from './alarm.js';
import type { Backlog } from './backlog.js';
import { overloaded } from './failures.js';
import type { Flights } from './flights.js';
import type { Item } from './job.js';
import type { Ledger } from './ledger.js';
import type { Batch, Slots } from './slots.js';

export interface OverloadDependencies {
  clock: Clock;
  alarm: Alarm;
  backlog: Backlog;
  flights: Flights;
  ledger: Ledger;
  slots: Slots;
  config: () => { model: string; shedding: boolean };
  /** How long what is queued takes to work off. */
  drainSeconds: () => number;
  decide: (decision: PolicyDecision) => void;
}

/** Where it comes and goes, one start in so long is news. */
const NEWS_MS = 10_000;

/** How much of its deadline has run: a cold start is not in it, since the deadline stands still then. */
function ageMs({ job }: Item, now: number): number {
  return job.timeoutMs - (job.deadline - now);
}

/** What is refused while more comes than the workers can do, so that what is taken in is answered in time. */
export class Overload {
  readonly #shedding = new Shedding();
  readonly #limit = new ConcurrencyLimit();
  #refused = 0;
  #announcedAt = Number.NEGATIVE_INFINITY;
  #announced = false;

  constructor(private readonly deps: OverloadDependencies) {}

  /** A batch has left the queue. */
  left(now: number): void {
    const { config, backlog, alarm } = this.deps;
    if (!config().shedding) return;
    const waiting = backlog.neediest();
    const waitedMs = waiting ? ageMs(waiting, now) : null;
    const targetMs = waitTargetMs(waiting?.job.timeoutMs ?? 0, this.#limit.serviceMs);
    if (this.#shedding.left(waitedMs, targetMs, now)) {
      this.#limit.start(this.#admitted(), waitedMs as number, now);
      this.#refused = 0;
      this.#announce(waitedMs as number, targetMs, now);
      alarm.set(this.#shedding.dueAt as number);
    } else if (this.#shedding.active) this.check(now);
  }

  /** A batch came back. */
  cameBack({ items, sentAt }: Batch, computeMs: number, now: number): void {
    const item = items[items.length >> 1] as Item;
    // How long a stream goes on says nothing about how soon the next one can begin, which is what its deadline is about.
    if (item.job.request.stream) return;
    const admitted = this.#shedding.active ? this.#admitted() : 0;
    const seen = { latencyMs: ageMs(item, sentAt) + computeMs, computeMs, timeoutMs: item.job.timeoutMs };
    this.#limit.sample(seen, admitted, now);
  }

  /** Null: it may come in, if need be in place of others that would leave later. */
  refusal(inputs: number, priority: number): SupError | null {
    if (!this.#shedding.active) return null;
    const { clock, backlog, slots } = this.deps;
    const now = clock.now();
    this.check(now);
    const tooMany = Math.ceil(this.#admitted() + inputs - this.#most());
    if (tooMany <= 0 || (backlog.size === 0 && slots.room() > 0)) return null;
    const displaced = backlog.displace(Math.min(tooMany, inputs), priority, now);
    if (displaced.length === 0) return this.#refuse(inputs, now);
    for (const item of displaced) this.#shed(item, now);
    return null;
  }

  /** Those that can still be answered in time; the others end here, and take no worker's time. */
  sift(items: Item[], now: number): Item[] {
    if (!this.#shedding.active) return items;
    const latest = now + this.#limit.fastestMs;
    // Only where the deadline runs: after a cold start it goes on when the batch leaves.
    const hopeless = (item: Item) => !item.job.isFrozen && item.job.deadline <= latest;
    if (!items.some(hopeless)) return items;
    return items.filter((item) => {
      if (hopeless(item)) this.#shed(item, now);
      return !item.settled;
    });
  }

  /** No worker takes anything, or others will: what was seen until now says nothing about what comes. */
  forget(): void {
    this.#end(this.#shedding.reset(this.deps.clock.now()));
  }

  check(now: number): void {
    if (!this.#shedding.active) return;
    if (!this.deps.config().shedding) this.forget();
    if (this.deps.backlog.size === 0) this.#shedding.left(null, 0, now);
    this.#end(this.#shedding.ended(now));
    const { dueAt } = this.#shedding;
    if (dueAt !== null && dueAt > now) this.deps.alarm.set(dueAt);
  }

  /** Never less than what the workers have and as much again: with less they would wait for work, or get it in smaller batches. */
  #most(): number {
    return Math.max(this.#limit.value, 2 * this.deps.flights.inputs + 1);
  }

  #admitted(): number {
    return this.deps.backlog.size + this.deps.flights.inputs;
  }

  #shed(item: Item, now: number): void {
    this.deps.ledger.fail(item, 'refused', this.#refuse(1, now));
  }

  #refuse(inputs: number, now: number): SupError {
    this.#refused += inputs;
    this.#shedding.refused(now);
    return overloaded(this.deps.config().model, this.deps.drainSeconds());
  }

  #announce(waitedMs: number, targetMs: number, now: number): void {
    this.#announced = now - this.#announcedAt > NEWS_MS;
    if (!this.#announced) return;
    this.#announcedAt = now;
    const numbers = {
      waited_ms: Math.round(waitedMs),
      target_ms: Math.round(targetMs),
      queued: this.deps.backlog.size,
      limit: Math.floor(this.#limit.value),
    };
    this.deps.decide({ action: 'shed', reason: 'overload: the queue stays longer than it may', numbers });
  }

  #end(lastedMs: number | null): void {
    if (lastedMs === null) return;
    const limit = Math.floor(this.#limit.value);
    this.#limit.stop();
    if (!this.#announced) return;
    const numbers = { lasted_ms: Math.round(lastedMs), refused: this.#refused, limit };
    this.deps.decide({ action: 'shed', reason: 'the overload is over', numbers });
  }
}
