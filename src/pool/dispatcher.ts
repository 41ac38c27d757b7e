import type { Clock } from '../clock.js';
import type { SupError } from '../errors.js';
import { RetryBudget } from '../policy/retry-budget.js';
import type { StallFacts } from '../policy/stall.js';
import type { ChunkMessage, ResultMessage } from '../worker/protocol.js';
import { Admission } from './admission.js';
import { Alarm } from './alarm.js';
import { Backlog } from './backlog.js';
import { hashKey } from './balancers/consistent-hash.js';
import { Casualties } from './casualties.js';
import { Company } from './company.js';
import { Departures } from './departures.js';
import type { Availability, DispatcherConfig, DispatcherDependencies, Leaving } from './dispatcher-contract.js';
import { cancelled } from './failures.js';
import { Flights } from './flights.js';
import { Item, Job, type JobRequest, type JobResult } from './job.js';
import { type DispatcherStats, type Ending, Ledger } from './ledger.js';
import { Overload } from './overload.js';
import { Quarantine } from './quarantine.js';
import { type Slot, Slots } from './slots.js';
import { Timing } from './timing.js';

export type { Availability, DispatcherConfig, DispatcherDependencies, Leaving } from './dispatcher-contract.js';
export type { JobRequest, JobResult } from './job.js';
export type { DispatcherStats } from './ledger.js';
export type { Slot } from './slots.js';

const MAX_RETRY_AFTER_SECONDS = 60;

/**
 * The predictions of one model version: they queue here, leave in batches, and each ends exactly once. It knows workers only as
 * slots; all that happens to it is a call, and it never waits for a worker.
 */
export class Dispatcher {
  readonly quarantine: Quarantine;
  readonly #clock: Clock;
  readonly #backlog = new Backlog();
  readonly #budget = new RetryBudget();
  readonly #slots: Slots;
  readonly #ledger = new Ledger(() => this.#config.model);
  readonly #alarm: Alarm;
  readonly #timing: Timing;
  readonly #casualties: Casualties;
  readonly #flights: Flights;
  readonly #overload: Overload;
  readonly #admission: Admission;
  readonly #departures: Departures;
  #config: DispatcherConfig;
  #availability: Availability = { kind: 'up' };
  #closed = false;

  constructor(config: DispatcherConfig, { clock, company, onDecision, defer }: DispatcherDependencies) {
    const decide = onDecision ?? (() => {});
    const [backlog, ledger] = [this.#backlog, this.#ledger];
    const queue = { now: () => clock.now(), queued: () => backlog.ordinary, oldest: () => backlog.oldestOrdinary() };
    const slots = new Slots(queue, company ?? new Company());
    this.#slots = slots;
    const requeue = (item: Item) => this.#requeue(item);
    this.#config = config;
    this.#clock = clock;
    this.quarantine = new Quarantine(clock);
    const alarm = new Alarm(clock, () => this.#onTime());
    const flights = new Flights({ clock, alarm, slots, wedgeMs: () => this.#config.wedgeMs, decide });
    const casualties = new Casualties({
      quarantine: this.quarantine,
      backlog,
      ledger,
      config: () => this.#config,
      budget: this.#budget,
      clock,
      down: () => (this.#availability.kind === 'down' ? this.#availability.error : null),
      requeue,
      decide,
    });
    this.#alarm = alarm;
    this.#timing = new Timing({
      alarm,
      deadlines: ledger.deadlines,
      expired: (job, error) => this.#settleRest(job, 'expired', error),
      model: () => this.#config.model,
    });
    this.#flights = flights;
    this.#casualties = casualties;
    const drainSeconds = () => this.#drainSeconds();
    const shared = { clock, backlog, config: () => this.#config, drainSeconds, decide };
    const overload = new Overload({ ...shared, alarm, flights, ledger, slots });
    this.#overload = overload;
    this.#admission = new Admission({ ...shared, overload });
    this.#departures = new Departures({
      clock,
      defer: defer ?? setImmediate,
      config: () => this.#config,
      backlog,
      slots,
      flights,
      ledger,
      alarm,
      casualties,
      overload,
      leaving: (items, now) => {
        for (const item of items) this.#timing.run(item.job, now);
      },
      requeue,
    });
    this.configure(config);
  }

  /** Takes effect at once, for what is queued too; deadlines that run already stay. */
  configure(config: DispatcherConfig): void {
    this.#config = config;
    this.#slots.concurrency = config.concurrency;
    this.#slots.strategy = config.strategy;
    this.#backlog.ageingMs = config.ageingMs;
    this.#departures.schedule();
  }

  /** It is ready, or ready again. */
  add(slot: Slot): void {
    const former = this.#slots.get(slot.worker);
    // The same name on another process: nobody told us that the former one is gone.
    if (former && former.slot.domain !== slot.domain) this.remove(slot.worker, 'dead-own-fault');
    this.#slots.add(slot);
    this.#departures.schedule();
  }

  remove(worker: string, how: Leaving): void {
    const owner = this.#slots.get(worker);
    if (!owner) return;
    if (how === 'draining') this.#slots.drain(owner);
    else this.#casualties.settle(this.#flights.bury(owner), how === 'dead-own-fault' || owner.wedged);
    this.#departures.schedule();
  }

  /** Replies to batches that are unknown, or another worker's, are dropped. */
  result(worker: string, message: ResultMessage): void {
    const batch = this.#flights.of(worker, message.batch);
    if (!batch) return;
    this.#flights.finish(batch);
    const now = this.#clock.now();
    this.#flights.progress.moved(now);
    // A failure takes no time to speak of, and a stream as long as its reader takes: neither says how fast its worker is.
    if (!batch.owner.slot.streams && message.outcomes.some((outcome) => outcome.ok)) {
      this.#flights.progress.took(now - batch.sentAt);
      this.#slots.measure(batch, now);
    }
    this.#ledger.cameBack(batch.items.length, message.computeMs);
    this.#overload.cameBack(batch, message.computeMs, now);
    for (let i = 0; i < batch.items.length; i++) {
      const item = batch.items[i] as Item;
      if (item.hash !== null) this.quarantine.forgive(item.hash);
      if (!item.settled) this.#ledger.answer(item, message.outcomes[i], worker, message.computeMs);
    }
    if (this.#backlog.size > 0) this.#departures.schedule();
  }

  /** A part of a streamed answer; of no use once its job has settled. */
  chunk(worker: string, { batch, value }: ChunkMessage): void {
    const item = this.#flights.of(worker, batch)?.items[0];
    if (!item || item.settled) return;
    item.job.flowedAt = this.#clock.now();
    this.#flights.progress.moved(item.job.flowedAt);
    item.job.request.stream?.push(value);
  }

  /** Inputs in flight there. */
  busy(worker: string): number {
    return this.#slots.get(worker)?.inputs ?? 0;
  }

  /** It gets no more than so many batches at once; null: as many as any other. */
  limit(worker: string, batches: number | null): void {
    this.#slots.limit(worker, batches);
    this.#departures.schedule();
  }

  /** How it does beside the others; null: it takes no work, or none came back yet. */
  pace(worker: string): { relative: number; batches: number } | null {
    const pace = this.#slots.get(worker)?.pace;
    return pace?.mean == null ? null : { relative: pace.mean, batches: pace.samples };
  }

  /** What one input takes; null: none came back yet. */
  get usualMs(): number | null {
    return this.#slots.cost.of(1);
  }

  /** Whether the queue moves; null where nothing is to move, or nothing could take it. */
  movement(): StallFacts | null {
    const oldest = this.#backlog.oldestOrdinary();
    if (oldest === null || this.#availability.kind !== 'up') return null;
    const now = this.#clock.now();
    const { progress } = this.#flights;
    return {
      queued: this.#backlog.ordinary,
      oldestMs: now - oldest,
      stillMs: now - Math.max(progress.movedAt, oldest),
      p95Ms: progress.p95Ms(),
      workers: this.#slots.occupation(now),
    };
  }

  /** Resolves when nothing is in flight there, abandoned batches included. */
  idle(worker: string): Promise<void> {
    const owner = this.#slots.get(worker);
    if (!owner || owner.batches.size === 0) return Promise.resolve();
    return new Promise((resolve) => owner.onIdle.push(resolve));
  }

  /** Resolves when nothing is queued: all of it is in flight, or settled. */
  emptied(): Promise<void> {
    return this.#backlog.emptied();
  }

  /** The latest deadline of what is in flight there, monotonic ms: until then a blocked event loop is at work. */
  latestDeadline(worker: string): number | null {
    let latest: number | null = null;
    for (const { deadline } of this.#slots.get(worker)?.batches ?? [])
      if (latest === null || deadline > latest) latest = deadline;
    return latest;
  }

  /** Never rejects: refusals are results too, one for each input, in order. */
  submit(request: JobRequest): Promise<JobResult[]> {
    const inputs = request.inputs.length;
    this.#ledger.counts.requests += inputs;
    if (inputs === 0) return Promise.resolve([]);
    const refusal = this.#refusal(request);
    if (refusal) return Promise.resolve(this.#ledger.refuse(inputs, refusal));
    return new Promise((resolve) => this.#accept(request, resolve));
  }

  /**
   * `down`: what is queued fails at once with the error, and so does what comes. `loading`: the time of what is queued stands still,
   * and it fails when the load takes too long.
   */
  setAvailability(availability: Availability): void {
    if (this.#closed || (availability.kind === 'up' && this.#availability.kind === 'up')) return;
    this.#availability = availability;
    this.#overload.forget();
    if (availability.kind === 'down') this.#failQueued(availability.error);
    else
      this.#timing.change(
        this.#backlog.items().map((item) => item.job),
        availability,
        this.#clock.now(),
      );
    this.#departures.schedule();
  }

  /** Whether workers are there for what comes now. */
  get isUp(): boolean {
    return this.#availability.kind === 'up';
  }

  stats(): DispatcherStats {
    return { ...this.#ledger.counts, queued: this.#backlog.size, inFlight: this.#flights.inputs };
  }

  /** Everything that is queued or in flight fails with the error, and so does what comes. */
  close(error: SupError): void {
    this.#closed = true;
    this.#availability = { kind: 'down', error };
    this.#failQueued(error);
    for (const batch of this.#flights.batches())
      for (const item of batch.items) if (!item.settled) this.#ledger.fail(item, 'lost', error);
    this.#alarm.off();
  }

  #refusal({ inputs, signal, priority }: JobRequest): SupError | null {
    if (this.#availability.kind === 'down') return this.#availability.error;
    if (signal?.aborted) return cancelled(this.#config.model);
    // What waits only for the end of this turn does not make the queue full.
    if (!this.#admission.fits(inputs.length)) this.#departures.hurry();
    return this.#admission.refusal(inputs.length, priority);
  }

  /** How long what is queued takes to work off, for Retry-After. */
  #drainSeconds(): number {
    const lanes = Math.max(1, this.#slots.active * this.#config.concurrency);
    const seconds = (this.#backlog.size * (this.#ledger.costMs ?? 0)) / lanes / 1000;
    return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, Math.ceil(seconds)));
  }

  #accept(request: JobRequest, resolve: (results: JobResult[]) => void): void {
    const now = this.#clock.now();
    this.#budget.request(request.inputs.length, now);
    const job = new Job(request, request.timeoutMs ?? this.#config.timeoutMs, now, resolve, this.#cancel);
    const suspicious = this.quarantine.size > 0;
    for (let index = 0; index < request.inputs.length; index++) {
      const item = new Item(job, index, request.inputs[index], now);
      if (request.key !== null && this.#slots.keyed) item.keyHash = hashKeyOf(request.key, index);
      job.items.push(item);
      if (!suspicious || this.#casualties.admit(item)) this.#backlog.push(item);
    }
    if (job.pending === 0) return;
    this.#timing.begin(job, this.#availability, now);
    this.#departures.schedule();
    if (this.#slots.active === 0) request.onWait?.();
  }

  readonly #cancel = (job: Job): void => this.#settleRest(job, 'cancelled', () => cancelled(this.#config.model));

  /** Cancelled, or too late: what is queued goes, what is in flight is abandoned. */
  #settleRest(job: Job, ending: Ending, error: (item: Item) => SupError): void {
    for (const item of job.items) {
      if (item.settled) continue;
      this.#ledger.fail(item, ending, error(item));
      if (item.batch === null) this.#backlog.left(item);
      else if (--item.batch.live === 0) this.#flights.abandon(item.batch);
    }
  }

  #requeue(item: Item): void {
    this.#ledger.counts.retries++;
    item.batch = null;
    item.job.flowedAt = null;
    item.job.request.stream?.restart();
    this.#timing.change([item.job], this.#availability, this.#clock.now());
    this.#backlog.pushFront(item);
  }

  #failQueued(error: SupError): void {
    for (const item of this.#backlog.items()) {
      this.#ledger.fail(item, 'refused', error);
      this.#backlog.left(item);
    }
  }

  #onTime(): void {
    const now = this.#clock.now();
    this.#timing.expire(now);
    this.#flights.giveUpWedged(now);
    this.#overload.check(now);
    if (this.#backlog.size > 0) this.#departures.schedule();
  }
}

function hashKeyOf(key: string | readonly string[], index: number): number | null {
  const own = typeof key === 'string' ? key : key[index];
  return own === undefined ? null : hashKey(own);
}
