import type { Clock } from '../clock.js';
import { messageOf, type SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { ChunkMessage, PredictMessage, ResultMessage } from '../worker/protocol.js';
import { Alarm } from './alarm.js';
import { Backlog } from './backlog.js';
import { Casualties } from './casualties.js';
import type { ChunkStream } from './chunk-stream.js';
import type { Availability, DispatcherConfig, DispatcherDependencies, Leaving } from './dispatcher-contract.js';
import { cancelled, deadlinePassed, notSendable, queueFull, unreachable } from './failures.js';
import { Flights } from './flights.js';
import { Item, Job, type JobRequest, type JobResult } from './job.js';
import { type DispatcherStats, type Ending, Ledger } from './ledger.js';
import { Quarantine } from './quarantine.js';
import { type Batch, type Owner, type Slot, Slots } from './slots.js';

export type { Availability, DispatcherConfig, DispatcherDependencies, Leaving } from './dispatcher-contract.js';
export type { JobRequest, JobResult } from './job.js';
export type { DispatcherStats } from './ledger.js';
export type { Slot } from './slots.js';

/** Work that is cheaper than this stays together: spreading it over idle workers costs more in messages than it gains. */
const SPREAD_FROM_MS = 1;
/** While this many arrive in one turn of the loop, more are on their way: a batch that leaves a turn or two later is larger, and each message costs. */
const CROWD = 2;
const MAX_EXTRA_TURNS = 2;
/** A refusal is news when there was none for this long: under load a queue is full and not full again many times a second. */
const REFUSAL_NEWS_MS = 10_000;

/**
 * The predictions of one model version: they queue here, leave in batches, and each ends exactly once. It knows workers only as
 * slots; all that happens to it is a call, and it never waits for a worker.
 */
export class Dispatcher {
  readonly quarantine: Quarantine;
  readonly #clock: Clock;
  readonly #defer: (callback: () => void) => void;
  readonly #decide: (decision: PolicyDecision) => void;
  readonly #slots = new Slots();
  readonly #backlog = new Backlog();
  readonly #ledger = new Ledger(() => this.#config.model);
  readonly #alarm: Alarm;
  readonly #casualties: Casualties;
  readonly #flights: Flights;
  #config: DispatcherConfig;
  #availability: Availability = { kind: 'up' };
  #closed = false;
  #scheduled = false;
  /** Size of the backlog when it was last looked at, and how many turns it has been left to grow since. */
  #seen = 0;
  #extraTurns = 0;
  #refusedAt = Number.NEGATIVE_INFINITY;

  constructor(config: DispatcherConfig, { clock, onDecision, defer }: DispatcherDependencies) {
    this.#config = config;
    this.#clock = clock;
    this.#defer = defer ?? setImmediate;
    this.#decide = onDecision ?? (() => {});
    this.#alarm = new Alarm(clock, () => this.#onTime());
    this.#flights = new Flights({
      clock,
      alarm: this.#alarm,
      slots: this.#slots,
      wedgeMs: () => this.#config.wedgeMs,
      decide: this.#decide,
    });
    this.quarantine = new Quarantine(clock);
    this.#casualties = new Casualties({
      quarantine: this.quarantine,
      backlog: this.#backlog,
      ledger: this.#ledger,
      config: () => this.#config,
      down: () => (this.#availability.kind === 'down' ? this.#availability.error : null),
      requeue: (item) => this.#requeue(item),
      decide: this.#decide,
    });
    this.configure(config);
  }

  /** Takes effect at once, for what is queued too; deadlines that run already stay. */
  configure(config: DispatcherConfig): void {
    this.#config = config;
    this.#slots.concurrency = config.concurrency;
    this.#slots.strategy = config.strategy;
    this.#schedule();
  }

  /** It is ready, or ready again. */
  add(slot: Slot): void {
    const former = this.#slots.get(slot.worker);
    // The same name on another process: nobody told us that the former one is gone.
    if (former && former.slot.domain !== slot.domain) this.remove(slot.worker, 'dead-own-fault');
    this.#slots.add(slot);
    this.#schedule();
  }

  remove(worker: string, how: Leaving): void {
    const owner = this.#slots.get(worker);
    if (!owner) return;
    if (how === 'draining') this.#slots.drain(owner);
    else this.#casualties.settle(this.#flights.bury(owner), how === 'dead-own-fault' || owner.wedged);
    this.#schedule();
  }

  /** Replies to batches that are unknown, or another worker's, are dropped. */
  result(worker: string, message: ResultMessage): void {
    const batch = this.#flights.of(worker, message.batch);
    if (!batch) return;
    this.#flights.finish(batch);
    this.#ledger.cameBack(batch.items.length, message.computeMs);
    for (let i = 0; i < batch.items.length; i++) {
      const item = batch.items[i] as Item;
      if (item.hash !== null) this.quarantine.forgive(item.hash);
      if (!item.settled) this.#ledger.answer(item, message.outcomes[i], worker, message.computeMs);
    }
    if (this.#backlog.size > 0) this.#schedule();
  }

  /** A part of a streamed answer; of no use once its job has settled. */
  chunk(worker: string, { batch, value }: ChunkMessage): void {
    const item = this.#flights.of(worker, batch)?.items[0];
    if (!item || item.settled) return;
    item.job.flowedAt = this.#clock.now();
    item.job.request.stream?.push(value);
  }

  /** Inputs in flight there. */
  busy(worker: string): number {
    return this.#slots.get(worker)?.inputs ?? 0;
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
   * `down`: what is queued fails at once with the error, and so does what comes. `loading`: the deadlines of what is queued
   * stand still; whoever says so bounds it by saying something else.
   */
  setAvailability(availability: Availability): void {
    if (this.#closed || (availability.kind === 'up' && this.#availability.kind === 'up')) return;
    this.#availability = availability;
    const queued = this.#backlog.items();
    if (availability.kind === 'down') this.#failQueued(availability.error);
    else if (availability.kind === 'loading')
      this.#ledger.deadlines.hold(new Set(queued.map((item) => item.job)), this.#clock.now());
    else for (const item of queued) this.#thaw(item.job, this.#clock.now());
    this.#schedule();
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

  #refusal({ inputs, signal }: JobRequest): SupError | null {
    const { queueMax, model } = this.#config;
    if (this.#availability.kind === 'down') return this.#availability.error;
    if (signal?.aborted) return cancelled(model);
    // What waits only for the end of this turn does not make the queue full.
    if (this.#scheduled && this.#backlog.size + inputs.length > queueMax) this.#dispatch();
    const queued = this.#backlog.size;
    if (queued + inputs.length <= queueMax) return null;
    const now = this.#clock.now();
    if (now - this.#refusedAt > REFUSAL_NEWS_MS)
      this.#decide({
        action: 'refuse',
        reason: 'queue full',
        numbers: { queued, limit: queueMax, inputs: inputs.length },
      });
    this.#refusedAt = now;
    return queueFull(model, queued, queueMax, this.#drainSeconds(queued));
  }

  #drainSeconds(queued: number): number {
    const seconds = (queued * (this.#ledger.costMs ?? 0)) / Math.max(1, this.#slots.active) / 1000;
    return Math.min(60, Math.max(1, Math.ceil(seconds)));
  }

  #accept(request: JobRequest, resolve: (results: JobResult[]) => void): void {
    const now = this.#clock.now();
    const job = new Job(request, request.timeoutMs ?? this.#config.timeoutMs, now, resolve, this.#cancel);
    const suspicious = this.quarantine.size > 0;
    for (let index = 0; index < request.inputs.length; index++) {
      const item = new Item(job, index, request.inputs[index], now);
      job.items.push(item);
      if (!suspicious || this.#casualties.admit(item)) this.#backlog.push(item);
    }
    if (job.pending === 0) return;
    if (this.#availability.kind === 'loading') job.freeze(now);
    else this.#time(job);
    this.#schedule();
    if (this.#slots.active === 0) request.onWait?.();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#defer(this.#run);
  }

  readonly #run = () => {
    if (!this.#scheduled) return;
    const { size } = this.#backlog;
    const arrived = size - this.#seen;
    if (arrived >= CROWD && size < this.#config.batching.maxSize && this.#extraTurns < MAX_EXTRA_TURNS) {
      this.#seen = size;
      this.#extraTurns++;
      this.#defer(this.#run);
      return;
    }
    this.#dispatch();
    this.#extraTurns = 0;
    this.#seen = this.#backlog.size;
  };

  #dispatch(): void {
    this.#scheduled = false;
    this.#dispatchSolo();
    const { maxSize, maxDelayMs } = this.#config.batching;
    while (this.#backlog.ordinary > 0) {
      if (maxDelayMs > 0 && this.#backlog.ordinary < maxSize) {
        const due = (this.#backlog.oldestOrdinary() as number) + maxDelayMs;
        if (due > this.#clock.now()) {
          this.#alarm.set(due);
          return;
        }
      }
      const owner = this.#slots.next();
      if (!owner) return;
      const size = owner.slot.streams ? 1 : Math.min(maxSize, this.#share());
      this.#send(owner, this.#backlog.take(size), false);
    }
  }

  #dispatchSolo(): void {
    while (this.#backlog.solo > 0) {
      const owner = this.#slots.nextAlone();
      if (!owner) break;
      this.#send(owner, [this.#backlog.takeSolo() as Item], true);
    }
    this.#slots.reserve(this.#backlog.solo);
  }

  /** How much of the queue one worker takes: all of it while that is cheap, else an equal part. */
  #share(): number {
    const queued = this.#backlog.ordinary;
    const { costMs } = this.#ledger;
    if (costMs !== null && costMs * queued < SPREAD_FROM_MS) return queued;
    return Math.ceil(queued / Math.max(1, this.#slots.room()));
  }

  #send(owner: Owner, items: Item[], solo: boolean): void {
    const now = this.#clock.now();
    for (const item of items) this.#thaw(item.job, now);
    const batch = this.#flights.begin(owner, items, solo);
    this.#ledger.counts.batches++;
    const inputs = items.map((item) => item.input);
    const timeoutMs = Math.max(0, batch.deadline - now);
    const message: PredictMessage = { type: 'predict', batch: batch.id, inputs, timeoutMs };
    if (items[0]?.job.request.stream) message.stream = this.#connect(batch, items[0].job, items[0].job.request.stream);
    try {
      owner.slot.send(message);
    } catch (error) {
      this.#notSent(batch, error);
    }
  }

  #connect(batch: Batch, job: Job, stream: ChunkStream): true {
    stream.connect((chunks) => {
      job.flowedAt = this.#clock.now();
      if (chunks > 0) batch.owner.slot.send({ type: 'more', batch: batch.id, chunks });
    });
    return true;
  }

  /** An embedder's input may be something that no message can carry; the others of the batch are not to blame. */
  #notSent(batch: Batch, error: unknown): void {
    this.#flights.finish(batch);
    const { model } = this.#config;
    const culprits = batch.items.filter((item) => !this.#casualties.sendable(item));
    for (const item of batch.items.toReversed()) {
      if (culprits.includes(item)) this.#ledger.fail(item, 'refused', notSendable(model, messageOf(error)));
      else if (culprits.length > 0) this.#requeue(item);
      else this.#ledger.fail(item, 'lost', unreachable(model, batch.owner.slot.worker, error));
    }
    this.#schedule();
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

  #time(job: Job): void {
    this.#ledger.deadlines.add(job);
    this.#alarm.set(job.deadline);
  }

  #thaw(job: Job, now: number): void {
    if (job.frozenAt === null) return;
    job.thaw(now);
    this.#time(job);
  }

  #requeue(item: Item): void {
    this.#ledger.counts.retries++;
    item.batch = null;
    item.job.flowedAt = null;
    item.job.request.stream?.restart();
    if (this.#availability.kind === 'loading') this.#ledger.deadlines.hold([item.job], this.#clock.now());
    this.#backlog.pushFront(item);
  }

  #failQueued(error: SupError): void {
    for (const item of this.#backlog.items()) {
      this.#ledger.fail(item, 'lost', error);
      this.#backlog.left(item);
    }
  }

  #onTime(): void {
    const now = this.#clock.now();
    const { deadlines } = this.#ledger;
    for (let job = deadlines.takeExpired(now); job; job = deadlines.takeExpired(now))
      if (job.extend(now)) this.#time(job);
      else this.#settleRest(job, 'expired', (item) => deadlinePassed(this.#config.model, item));
    this.#flights.giveUpWedged(now);
    if (this.#backlog.size > 0) this.#schedule();
    const next = deadlines.earliest();
    if (next !== null) this.#alarm.set(next);
  }
}
