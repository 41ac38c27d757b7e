import type { Item } from './job.js';
import { PriorityQueue } from './queue.js';

/** What waits for a worker. Inputs that must run alone wait apart: they go first, being the oldest. */
export class Backlog {
  readonly #ordinary = new PriorityQueue<Item>();
  readonly #solo = new PriorityQueue<Item>();

  get size(): number {
    return this.#ordinary.size + this.#solo.size;
  }

  get ordinary(): number {
    return this.#ordinary.size;
  }

  get solo(): number {
    return this.#solo.size;
  }

  push(item: Item): void {
    this.#of(item).push(item);
  }

  pushFront(item: Item): void {
    this.#of(item).pushFront(item);
  }

  /** This item, queued here, has settled. */
  left(item: Item): void {
    item.input = undefined;
    this.#of(item).left();
  }

  takeSolo(): Item | undefined {
    return this.#solo.shift();
  }

  take(count: number): Item[] {
    const items: Item[] = [];
    while (items.length < count) {
      const item = this.#ordinary.shift();
      if (!item) break;
      items.push(item);
    }
    return items;
  }

  /** When the oldest that may share a batch was queued. */
  oldestOrdinary(): number | null {
    return this.#ordinary.oldest();
  }

  items(): Item[] {
    return [...this.#solo.toArray(), ...this.#ordinary.toArray()];
  }

  #of(item: Item): PriorityQueue<Item> {
    return item.solo ? this.#solo : this.#ordinary;
  }
}
