import type { Item } from './job.js';
import { PriorityQueue } from './queue.js';

/** What waits for a worker. Inputs that must run alone wait apart: they go first, being the oldest. */
export class Backlog {
  readonly #ordinary = new PriorityQueue<Item>();
  readonly #solo = new PriorityQueue<Item>();
  readonly #onEmpty: (() => void)[] = [];

  get size(): number {
    return this.#ordinary.size + this.#solo.size;
  }

  get ordinary(): number {
    return this.#ordinary.size;
  }

  get solo(): number {
    return this.#solo.size;
  }

  /** Who waits for so long rises by one priority; 0: never. */
  set ageingMs(ms: number) {
    this.#ordinary.ageingMs = ms;
    this.#solo.ageingMs = ms;
  }

  push(item: Item): void {
    this.#of(item).push(item);
  }

  /** Resolves when nothing waits here. */
  emptied(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  pushFront(item: Item): void {
    this.#of(item).pushFront(item);
  }

  /** This item, queued here, has settled. */
  left(item: Item): void {
    item.input = undefined;
    this.#of(item).left();
    this.#shrank();
  }

  takeSolo(): Item | undefined {
    const item = this.#solo.shift();
    this.#shrank();
    return item;
  }

  /** The next ones, which may share a batch; what is streamed shares it with nobody. */
  take(count: number): Item[] {
    const items: Item[] = [];
    while (items.length < count) {
      const item = this.#ordinary.shift();
      if (!item) break;
      const streamed = item.job.request.stream !== undefined;
      if (streamed && items.length > 0) {
        this.#ordinary.pushFront(item);
        break;
      }
      items.push(item);
      if (streamed) break;
    }
    this.#shrank();
    return items;
  }

  /** Takes those of the first `count` that are chosen; the others keep their places. */
  takeChosen(count: number, choose: (items: readonly Item[]) => ReadonlySet<Item>): void {
    const looked: Item[] = [];
    for (let item = this.#ordinary.shift(); item; item = looked.length < count ? this.#ordinary.shift() : undefined)
      looked.push(item);
    const chosen = choose(looked);
    for (const item of looked.toReversed()) if (!chosen.has(item)) this.#ordinary.pushFront(item);
    this.#shrank();
  }

  /** When the oldest that may share a batch was queued. */
  oldestOrdinary(): number | null {
    return this.#ordinary.oldest();
  }

  /** Who has waited longest of those with the lowest priority that may share a batch. */
  neediest(): Item | undefined {
    return this.#ordinary.neediest();
  }

  /**
   * Takes out so many that would leave after one of this priority that comes now: the newest of the lowest priority first. Where
   * there are not so many, none.
   */
  displace(count: number, priority: number, now: number): Item[] {
    const displaced: Item[] = [];
    while (displaced.length < count) {
      const item = this.#ordinary.pop();
      if (item) displaced.push(item);
      if (item && this.#ordinary.outranks(priority, now, item)) continue;
      for (const each of displaced.splice(0).toReversed()) this.#ordinary.push(each);
      break;
    }
    return displaced;
  }

  items(): Item[] {
    return [...this.#solo.toArray(), ...this.#ordinary.toArray()];
  }

  #shrank(): void {
    if (this.#onEmpty.length === 0 || this.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #of(item: Item): PriorityQueue<Item> {
    return item.solo ? this.#solo : this.#ordinary;
  }
}
