import type { BalancerName } from '../config/types.js';
import type { AbortMessage, MoreMessage, PredictMessage } from '../worker/protocol.js';
import type { Balancer, Candidate, Situation } from './balancers/balancer.js';
import { spreadByKey } from './balancers/consistent-hash.js';
import { Cost } from './balancers/cost.js';
import { LeastConnections } from './balancers/least-connections.js';
import { Pace } from './balancers/pace.js';
import { strategies } from './balancers/strategies.js';
import type { Company } from './company.js';
import type { Item } from './job.js';

/** One ready worker as the dispatcher sees it. */
export interface Slot {
  readonly worker: string;
  /** 0-based place in the pool; a replacement takes over its predecessor's. */
  readonly place: number;
  /** Workers of one domain die together: the process, or the host of the threads. */
  readonly domain: string;
  /** Its model answers with streams: one input a batch. */
  readonly streams?: boolean;
  send(message: PredictMessage | AbortMessage | MoreMessage): void;
  /** It holds a prediction long past its deadline and is beyond help: kill it. */
  wedged(reason: string): void;
}

export interface Batch {
  readonly id: number;
  readonly owner: Owner;
  readonly items: Item[];
  readonly sentAt: number;
  /** The latest of its inputs' deadlines, monotonic ms; that of a stream moves on while there is life in it. */
  deadline: number;
  /** Inputs that somebody still waits for. */
  live: number;
  /** One input, and nothing else in flight in its domain from the first moment to the last. */
  alone: boolean;
}

/** A worker and what it has in flight. */
export interface Owner extends Candidate {
  readonly slot: Slot;
  readonly domain: Domain;
  readonly batches: Set<Batch>;
  inputs: number;
  draining: boolean;
  /** Batches that it may have at once, besides the pool's concurrency: 0 while it is checked, 1 until it has proved itself again. */
  most: number;
  /** Given up for a prediction that did not return: its death is its own fault. */
  wedged: boolean;
  onIdle: (() => void)[];
}

export interface Domain {
  readonly name: string;
  readonly owners: Set<Owner>;
  readonly batches: Set<Batch>;
  /** An input that must run alone waits for it to get idle. */
  reserved: boolean;
  /** One runs. */
  solo: boolean;
}

/** The workers of a pool, and who may take the next batch. */
export class Slots {
  readonly #owners = new Map<string, Owner>();
  readonly #domains = new Map<string, Domain>();
  /** Those that take work. */
  #active: Owner[] = [];
  #reserved = 0;
  concurrency = 1;
  readonly cost = new Cost();
  #strategy: BalancerName = 'least_connections';
  #balancer: Balancer = new LeastConnections();
  readonly #balancerAlone = new LeastConnections();
  readonly #takes = (owner: Owner): boolean =>
    owner.batches.size < this.concurrency &&
    owner.batches.size < owner.most &&
    !owner.domain.reserved &&
    !owner.domain.solo;

  constructor(
    private readonly queue: Pick<Situation, 'now' | 'queued' | 'oldest'>,
    private readonly company: Company,
  ) {}

  set strategy(strategy: BalancerName) {
    if (strategy === this.#strategy) return;
    this.#strategy = strategy;
    this.#balancer = strategies[strategy]({ ...this.queue, cost: this.cost, concurrency: () => this.concurrency });
  }

  /** Each worker gets the inputs of its own keys, by `spread`. */
  get keyed(): boolean {
    return this.#strategy === 'consistent_hash';
  }

  /** When a batch that was held back goes to whoever has room, monotonic ms. */
  get heldUntil(): number | null {
    return this.#balancer.heldUntil ?? null;
  }

  /** Workers that take work, busy or not. */
  get active(): number {
    return this.#active.length;
  }

  get(worker: string): Owner | undefined {
    return this.#owners.get(worker);
  }

  add(slot: Slot): void {
    let owner = this.#owners.get(slot.worker);
    // It was unhealthy, with work still in flight, and has recovered.
    if (owner?.slot === slot || owner?.slot.domain === slot.domain) owner.draining = false;
    else {
      const domain = this.#domain(slot.domain);
      owner = {
        slot,
        place: slot.place,
        domain,
        pace: new Pace(),
        batches: new Set(),
        inputs: 0,
        draining: false,
        most: Number.POSITIVE_INFINITY,
        wedged: false,
        onIdle: [],
      };
      this.#owners.set(slot.worker, owner);
      domain.owners.add(owner);
    }
    this.#refresh();
  }

  limit(worker: string, batches: number | null): void {
    const owner = this.#owners.get(worker);
    if (owner) owner.most = batches ?? Number.POSITIVE_INFINITY;
  }

  /** Those that take work: whether they have room, and how long they have had their oldest batch. */
  occupation(now: number): { worker: string; hasRoom: boolean; inFlightMs: number | null }[] {
    return this.#active.map((owner) => {
      const [oldest] = owner.batches;
      return {
        worker: owner.slot.worker,
        hasRoom: this.#takes(owner),
        inFlightMs: oldest ? now - oldest.sentAt : null,
      };
    });
  }

  drain(owner: Owner): void {
    owner.draining = true;
    this.#refresh();
    this.#releaseIfIdle(owner);
  }

  /** Its process is gone. Returns what it had in flight, oldest first; the caller settles or queues it. */
  bury(owner: Owner): Batch[] {
    const batches = [...owner.batches];
    for (const batch of batches) this.finish(batch);
    owner.draining = true;
    this.#refresh();
    this.#releaseIfIdle(owner);
    return batches;
  }

  /** Counts the batch as in flight from now on. */
  begin(batch: Batch, solo: boolean): void {
    const { owner } = batch;
    const { domain } = owner;
    this.company.joined(domain.name, batch);
    domain.solo = solo;
    domain.batches.add(batch);
    owner.batches.add(batch);
    owner.inputs += batch.items.length;
  }

  /** Its reply came, or its worker died. */
  finish(batch: Batch): void {
    const { owner } = batch;
    owner.batches.delete(batch);
    owner.domain.batches.delete(batch);
    this.company.left(owner.domain.name, batch);
    owner.domain.solo = false;
    owner.inputs -= batch.items.length;
    this.#releaseIfIdle(owner);
  }

  /** An answer of this batch is what its worker is judged by. */
  measure(batch: Batch, now: number): void {
    const { length } = batch.items;
    const ms = now - batch.sentAt;
    this.cost.observe(length, ms);
    const usual = this.cost.of(length);
    if (usual !== null && usual > 0) batch.owner.pace.observe(ms / usual, now);
  }

  /** The worker for the next ordinary batch; null: none has room, or it is better to wait. */
  next(): Owner | null {
    if (this.#active.length === 0) return null;
    const index = this.#balancer.pick(this.#active, this.#takes);
    return index === -1 ? null : (this.#active[index] as Owner);
  }

  /** How many inputs this worker takes where an equal part is `size`. */
  share(owner: Owner, size: number): number {
    if (owner.most === 1) return 1;
    const { share } = this.#balancer;
    return share ? Math.min(size, share.call(this.#balancer, this.#active, owner, this.queue.queued())) : size;
  }

  /** Their model answers with streams: one input a batch. */
  get streams(): boolean {
    return this.#active.some((owner) => owner.slot.streams);
  }

  /** These inputs by the workers that their keys belong to, as far as those have room now. */
  spread(items: readonly Item[], maxSize: number): [Owner, Item[]][] {
    const active = this.#active;
    const takes = (index: number) => this.#takes(active[index] as Owner);
    const batches = spreadByKey(items, active, takes, maxSize);
    return batches.flatMap((batch, index) => (batch.length > 0 ? [[active[index] as Owner, batch]] : []));
  }

  /** Workers that have room for an ordinary batch, those that are idle if any is. */
  room(): number {
    let idle = 0;
    let free = 0;
    for (const owner of this.#active) {
      if (!this.#takes(owner)) continue;
      free++;
      if (owner.inputs === 0) idle++;
    }
    return idle || free;
  }

  /** A worker whose whole domain is idle, for an input that must run alone. */
  nextAlone(): Owner | null {
    const idle = (owner: Owner) => owner.domain.batches.size === 0 && owner.most > 0;
    const index = this.#balancerAlone.pick(this.#active, idle);
    return index === -1 ? null : (this.#active[index] as Owner);
  }

  /**
   * Keeps ordinary work away from as many domains as there are inputs waiting to run alone, those first that will be idle
   * soonest. A domain gives its reservation up only to one with strictly less in flight, so that none waits for ever.
   */
  reserve(count: number): void {
    if (count === 0 && this.#reserved === 0) return;
    const domains = [...this.#domains.values()].filter((d) => !d.solo && [...d.owners].some((o) => !o.draining));
    domains.sort((a, b) => a.batches.size - b.batches.size || Number(b.reserved) - Number(a.reserved));
    for (const domain of this.#domains.values()) domain.reserved = false;
    this.#reserved = Math.min(count, domains.length);
    for (const domain of domains.slice(0, this.#reserved)) domain.reserved = true;
  }

  #releaseIfIdle(owner: Owner): void {
    if (owner.batches.size > 0) return;
    for (const resolve of owner.onIdle.splice(0)) resolve();
    if (!owner.draining) return;
    if (this.#owners.get(owner.slot.worker) === owner) this.#owners.delete(owner.slot.worker);
    owner.domain.owners.delete(owner);
    if (owner.domain.owners.size === 0) this.#domains.delete(owner.domain.name);
  }

  #refresh(): void {
    this.#active = [...this.#owners.values()].filter((owner) => !owner.draining);
  }

  #domain(name: string): Domain {
    let domain = this.#domains.get(name);
    if (!domain) {
      domain = { name, owners: new Set(), batches: new Set(), reserved: false, solo: false };
      this.#domains.set(name, domain);
    }
    return domain;
  }
}
