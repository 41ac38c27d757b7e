import type { Clock } from '../clock.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { Alarm } from './alarm.js';
import type { Item } from './job.js';
import { Progress } from './progress.js';
import type { Batch, Owner, Slots } from './slots.js';

export interface FlightsDependencies {
  clock: Clock;
  alarm: Alarm;
  slots: Slots;
  wedgeMs: () => number;
  decide: (decision: PolicyDecision) => void;
}

/** The batches that are with workers, and the watch over those that do not come back. */
export class Flights {
  readonly progress = new Progress();
  readonly #batches = new Map<number, Batch>();
  /** Nobody waits for them any more, and they have not come back. */
  readonly #abandoned = new Set<Batch>();
  #lastId = 0;

  constructor(private readonly deps: FlightsDependencies) {}

  get inputs(): number {
    let inputs = 0;
    for (const batch of this.#batches.values()) inputs += batch.items.length;
    return inputs;
  }

  batches(): Iterable<Batch> {
    return this.#batches.values();
  }

  /** Undefined for a batch that is over, or was another worker's. */
  of(worker: string, id: number): Batch | undefined {
    const batch = this.#batches.get(id);
    return batch?.owner.slot.worker === worker ? batch : undefined;
  }

  begin(owner: Owner, items: Item[], solo: boolean): Batch {
    let deadline = 0;
    for (const item of items) if (item.job.deadline > deadline) deadline = item.job.deadline;
    const id = ++this.#lastId;
    const sentAt = this.deps.clock.now();
    const batch: Batch = { id, owner, items, sentAt, deadline, live: items.length, alone: items.length === 1 };
    for (const item of items) item.batch = batch;
    this.#batches.set(id, batch);
    this.deps.slots.begin(batch, solo);
    this.progress.moved(sentAt);
    return batch;
  }

  /** It came back, or never left. */
  finish(batch: Batch): void {
    this.#forget(batch);
    this.deps.slots.finish(batch);
  }

  /** The worker is gone. Returns what it took with it, oldest first. */
  bury(owner: Owner): Batch[] {
    const batches = this.deps.slots.bury(owner);
    for (const batch of batches) this.#forget(batch);
    return batches;
  }

  /** Nobody waits for it; its slot stays busy until it comes back, or its worker is given up. */
  abandon(batch: Batch): void {
    this.#abandoned.add(batch);
    this.deps.alarm.set(batch.deadline + this.deps.wedgeMs());
    batch.owner.slot.send({ type: 'abort', batch: batch.id });
  }

  giveUpWedged(now: number): void {
    const wedgeMs = this.deps.wedgeMs();
    for (const batch of [...this.#abandoned]) {
      if (batch.deadline + wedgeMs > now) {
        this.deps.alarm.set(batch.deadline + wedgeMs);
        continue;
      }
      this.#abandoned.delete(batch);
      const { owner, items } = batch;
      // A death that follows is its own fault, whoever brings it about.
      owner.wedged = true;
      const reason = `a prediction did not return within ${wedgeMs / 1000} s after its deadline`;
      this.deps.decide({ action: 'wedged', reason, numbers: { worker: owner.slot.worker, inputs: items.length } });
      owner.slot.wedged(reason);
    }
  }

  #forget(batch: Batch): void {
    this.#batches.delete(batch.id);
    this.#abandoned.delete(batch);
  }
}
