import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import { batchSize, isWorthwhile } from '../policy/batching.js';
import type { PredictMessage } from '../worker/protocol.js';
import type { Alarm } from './alarm.js';
import type { Backlog } from './backlog.js';
import type { Casualties } from './casualties.js';
import type { ChunkStream } from './chunk-stream.js';
import type { DispatcherConfig } from './dispatcher-contract.js';
import { notSendable, unreachable } from './failures.js';
import type { Flights } from './flights.js';
import type { Item, Job } from './job.js';
import type { Ledger } from './ledger.js';
import type { Overload } from './overload.js';
import type { Batch, Owner, Slots } from './slots.js';

export interface DeparturesDependencies {
  clock: Clock;
  /** Runs the callback once what this turn of the event loop has to read has been read. */
  defer: (callback: () => void) => void;
  config: () => Pick<DispatcherConfig, 'model' | 'batching'>;
  backlog: Backlog;
  slots: Slots;
  flights: Flights;
  ledger: Ledger;
  alarm: Alarm;
  casualties: Casualties;
  overload: Overload;
  /** These are about to leave: their deadlines run from now on. */
  leaving: (items: readonly Item[], now: number) => void;
  /** Puts the item before all others that wait. */
  requeue: (item: Item) => void;
}

/** While this many arrive in one turn of the loop, more are on their way: a batch that leaves a turn or two later is larger, and each message costs. */
const CROWD = 2;
const MAX_EXTRA_TURNS = 2;
/** Batches for every worker that are looked at for inputs of their own keys: one now, and one of those that wait for a busy worker. */
const KEYED_LOOKAHEAD = 2;

/** How what is queued leaves for the workers: when, in which batches, and what becomes of a batch that cannot be sent. */
export class Departures {
  #scheduled = false;
  /** Size of the backlog when it was last looked at, and how many turns it has been left to grow since. */
  #seen = 0;
  #extraTurns = 0;

  constructor(private readonly deps: DeparturesDependencies) {}

  /** Something changed: at the end of this turn it is looked whether a batch can leave. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.deps.defer(this.#run);
  }

  /** What would leave at the end of this turn leaves now. */
  hurry(): void {
    if (this.#scheduled) this.#dispatch();
  }

  readonly #run = () => {
    if (!this.#scheduled) return;
    const { size } = this.deps.backlog;
    const arrived = size - this.#seen;
    if (arrived >= CROWD && size < this.deps.config().batching.maxSize && this.#extraTurns < MAX_EXTRA_TURNS) {
      this.#seen = size;
      this.#extraTurns++;
      this.deps.defer(this.#run);
      return;
    }
    this.#dispatch();
    this.#extraTurns = 0;
    this.#seen = this.deps.backlog.size;
  };

  #dispatch(): void {
    const { backlog, slots, alarm } = this.deps;
    this.#scheduled = false;
    this.#dispatchSolo();
    while (backlog.ordinary > 0) {
      const until = this.#waitsUntil();
      if (until !== null) {
        alarm.set(until);
        return;
      }
      if (slots.keyed) {
        if (!this.#dispatchKeyed()) return;
        continue;
      }
      const owner = slots.next();
      if (!owner) {
        if (slots.heldUntil !== null) alarm.set(slots.heldUntil);
        return;
      }
      this.#leave(owner, backlog.take(this.#size(owner)));
    }
  }

  /** Some have waited too long to be answered in time: they are told so instead. */
  #leave(owner: Owner, taken: Item[]): void {
    const { overload, clock } = this.deps;
    const now = clock.now();
    const items = overload.sift(taken, now);
    if (items.length > 0) this.#send(owner, items, false);
    overload.left(now);
  }

  /** A batch for each worker with inputs of its own keys. False: nothing could leave. */
  #dispatchKeyed(): boolean {
    const { backlog, slots } = this.deps;
    if (slots.room() === 0) return false;
    const maxSize = slots.streams ? 1 : this.deps.config().batching.maxSize;
    let batches: [Owner, Item[]][] = [];
    backlog.takeChosen(maxSize * slots.active * KEYED_LOOKAHEAD, (items) => {
      batches = slots.spread(items, maxSize);
      return new Set(batches.flatMap(([, batch]) => batch));
    });
    for (const [owner, items] of batches) this.#leave(owner, items);
    return batches.length > 0;
  }

  /** Until when what is queued waits for a fuller batch; null: it need not. */
  #waitsUntil(): number | null {
    const { backlog, clock } = this.deps;
    const { batching } = this.deps.config();
    // Who has waited how long is asked only where somebody waits for a fuller batch.
    if (batching.maxDelayMs === 0) return null;
    const oldest = backlog.oldestOrdinary() as number;
    const facts = { queued: backlog.ordinary, oldestMs: clock.now() - oldest };
    return isWorthwhile(facts, batching) ? null : oldest + batching.maxDelayMs;
  }

  #size(owner: Owner): number {
    const { backlog, slots, ledger } = this.deps;
    // Its model answers in chunks.
    if (owner.slot.streams) return 1;
    const queued = backlog.ordinary;
    const share = Math.ceil(queued / Math.max(1, slots.room()));
    return slots.share(owner, batchSize({ queued, share, costMs: ledger.costMs }, this.deps.config().batching));
  }

  #dispatchSolo(): void {
    const { backlog, slots } = this.deps;
    while (backlog.solo > 0) {
      const owner = slots.nextAlone();
      if (!owner) break;
      this.#send(owner, [backlog.takeSolo() as Item], true);
    }
    slots.reserve(backlog.solo);
  }

  #send(owner: Owner, items: Item[], solo: boolean): void {
    const { clock, flights, ledger, leaving } = this.deps;
    const now = clock.now();
    leaving(items, now);
    const batch = flights.begin(owner, items, solo);
    ledger.counts.batches++;
    const inputs = items.map((item) => item.input);
    const timeoutMs = Math.max(0, batch.deadline - now);
    const message: PredictMessage = { type: 'predict', batch: batch.id, inputs, timeoutMs };
    const { stream } = (items[0] as Item).job.request;
    if (stream) message.stream = this.#connect(batch, (items[0] as Item).job, stream);
    try {
      owner.slot.send(message);
    } catch (error) {
      this.#notSent(batch, error);
    }
  }

  #connect(batch: Batch, job: Job, stream: ChunkStream): true {
    stream.connect((chunks) => {
      job.flowedAt = this.deps.clock.now();
      if (chunks > 0) batch.owner.slot.send({ type: 'more', batch: batch.id, chunks });
    });
    return true;
  }

  /** An embedder's input may be something that no message can carry; the others of the batch are not to blame. */
  #notSent(batch: Batch, error: unknown): void {
    const { flights, casualties, ledger, requeue } = this.deps;
    flights.finish(batch);
    const { model } = this.deps.config();
    const culprits = batch.items.filter((item) => !casualties.sendable(item));
    for (const item of batch.items.toReversed()) {
      if (culprits.includes(item)) ledger.fail(item, 'refused', notSendable(model, messageOf(error)));
      else if (culprits.length > 0) requeue(item);
      else ledger.fail(item, 'lost', unreachable(model, batch.owner.slot.worker, error));
    }
    this.schedule();
  }
}
