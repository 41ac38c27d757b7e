/** Where the queue may find out that an entry is no longer wanted. */
export interface Queued {
  readonly settled: boolean;
  readonly priority: number;
  readonly queuedAt: number;
}

/** Stale entries that are kept before it is worth looking for them. */
const SLACK = 64;

/** A double-ended queue in an array: the head moves, and the array is cut when half of it lies behind the head. */
class Deque<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Into the room that `shift` left before the head, or by moving everything: retries are rare. */
  unshift(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  retain(wanted: (item: T) => boolean): void {
    this.#items = this.toArray().filter(wanted);
    this.#head = 0;
  }

  toArray(): T[] {
    return this.#items.slice(this.#head) as T[];
  }
}

/**
 * Higher priority first, first come first served within one. What settles while it is queued is skipped when its turn comes;
 * its owner says so by `left`, so that `size` is exact.
 */
export class PriorityQueue<T extends Queued> {
  readonly #levels = new Map<number, Deque<T>>();
  /** Keys of the levels, highest first. */
  #order: number[] = [];
  #size = 0;
  #stored = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    this.#level(item.priority).push(item);
    this.#size++;
    this.#stored++;
  }

  /** Before all others of its priority. */
  pushFront(item: T): void {
    this.#level(item.priority).unshift(item);
    this.#size++;
    this.#stored++;
  }

  shift(): T | undefined {
    for (;;) {
      const level = this.#top();
      if (!level) return undefined;
      const item = level.shift() as T;
      this.#stored--;
      if (item.settled) continue;
      this.#size--;
      return item;
    }
  }

  /** One of the queued items has settled. */
  left(): void {
    this.#size--;
    if (this.#stored <= 2 * this.#size + SLACK) return;
    for (const level of this.#levels.values()) level.retain((item) => !item.settled);
    this.#stored = this.#size;
  }

  /** `queuedAt` of the item that has waited longest. */
  oldest(): number | null {
    let oldest: number | null = null;
    for (const level of this.#levels.values()) {
      while (level.first()?.settled) {
        level.shift();
        this.#stored--;
      }
      const first = level.first();
      if (first && (oldest === null || first.queuedAt < oldest)) oldest = first.queuedAt;
    }
    return oldest;
  }

  /** All that wait, in the order in which they would be taken. */
  toArray(): T[] {
    return this.#order
      .flatMap((priority) => (this.#levels.get(priority) as Deque<T>).toArray())
      .filter((i) => !i.settled);
  }

  /** The level that is next; those that ran empty go, since priorities are the clients' to choose. */
  #top(): Deque<T> | undefined {
    while (this.#order.length > 0) {
      const level = this.#levels.get(this.#order[0] as number) as Deque<T>;
      if (level.length > 0) return level;
      if (this.#order.length === 1) return undefined;
      this.#levels.delete(this.#order.shift() as number);
    }
    return undefined;
  }

  #level(priority: number): Deque<T> {
    let level = this.#levels.get(priority);
    if (!level) {
      level = new Deque<T>();
      this.#levels.set(priority, level);
      this.#order = [...this.#levels.keys()].sort((a, b) => b - a);
    }
    return level;
  }
}
