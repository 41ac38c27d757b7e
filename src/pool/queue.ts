import { Deque } from './deque.js';
import { Heap } from './heap.js';

/** Where the queue may find out that an entry is no longer wanted. */
export interface Queued {
  readonly settled: boolean;
  readonly priority: number;
  readonly queuedAt: number;
}

/** Stale entries that are kept before it is worth looking for them. */
const SLACK = 64;

/** What waits with one priority, first come first served. */
class Level<T> extends Deque<T> {
  constructor(readonly priority: number) {
    super();
  }
}

/**
 * Higher priority first, first come first served within one; who waits for `ageingMs` rises by one. All rise alike, so who of two
 * is first never changes while they wait: it is settled by priority − queuedAt / ageingMs. Each operation is O(log priorities),
 * O(1) where there is one. What settles while it is queued is skipped when its turn comes; its owner says so by `left`, so that
 * `size` is exact.
 */
export class PriorityQueue<T extends Queued> {
  #ageingMs: number;
  /** None of them is empty, but the only one may be: priorities are the clients' to choose. */
  readonly #levels = new Map<number, Level<T>>();
  /** By who is to leave next. A head that has settled ranks above what follows it, so it comes up and is found. */
  readonly #next = new Heap<Level<T>>((a, b) => this.#goesBefore(a.first() as T, b.first() as T));
  /** Lowest priority first. */
  readonly #lowest = new Heap<Level<T>>((a, b) => a.priority < b.priority);
  #size = 0;
  #stored = 0;

  /** @param ageingMs 0: never */
  constructor(ageingMs = 0) {
    this.#ageingMs = ageingMs;
  }

  get size(): number {
    return this.#size;
  }

  set ageingMs(ms: number) {
    if (ms === this.#ageingMs) return;
    this.#ageingMs = ms;
    this.#next.updateAll();
  }

  push(item: T): void {
    this.#size++;
    this.#stored++;
    const level = this.#levels.get(item.priority);
    if (level) level.push(item);
    else this.#addLevel(item);
  }

  /** Before all others of its priority. */
  pushFront(item: T): void {
    this.#size++;
    this.#stored++;
    const level = this.#levels.get(item.priority);
    if (!level) {
      this.#addLevel(item);
      return;
    }
    level.unshift(item);
    this.#next.update(level);
  }

  shift(): T | undefined {
    for (;;) {
      const level = this.#next.first();
      const item = level?.shift();
      if (!level || !item) return undefined;
      this.#stored--;
      if (level.length === 0) this.#emptied(level);
      else this.#next.update(level);
      if (item.settled) continue;
      this.#size--;
      return item;
    }
  }

  /** Takes the newest of the lowest priority out. */
  pop(): T | undefined {
    const level = this.#lowestLive((each) => each.last());
    const item = level?.pop();
    if (!level || !item) return undefined;
    this.#stored--;
    this.#size--;
    if (level.length === 0) this.#emptied(level);
    return item;
  }

  /** Who has waited longest of those with the lowest priority. */
  neediest(): T | undefined {
    return this.#lowestLive((level) => level.first())?.first();
  }

  /** Whether an item of this priority that comes now would leave before that one. */
  outranks(priority: number, now: number, other: T): boolean {
    return this.#rank(priority, now) > this.#rank(other.priority, other.queuedAt);
  }

  /** One of the queued items has settled. */
  left(): void {
    this.#size--;
    if (this.#stored <= 2 * this.#size + SLACK) return;
    for (const level of [...this.#levels.values()]) {
      level.retain((item) => !item.settled);
      if (level.length === 0) this.#emptied(level);
    }
    this.#next.updateAll();
    this.#stored = this.#size;
  }

  /** `queuedAt` of the item that has waited longest. */
  oldest(): number | null {
    let oldest: number | null = null;
    for (const level of [...this.#levels.values()]) {
      this.#dropSettled(level, (each) => each.first());
      const first = level.first();
      if (first && (oldest === null || first.queuedAt < oldest)) oldest = first.queuedAt;
    }
    return oldest;
  }

  /** All that wait, in no particular order. */
  toArray(): T[] {
    return [...this.#levels.values()].flatMap((level) => level.toArray()).filter((item) => !item.settled);
  }

  #goesBefore(a: T, b: T): boolean {
    const difference = this.#rank(a.priority, a.queuedAt) - this.#rank(b.priority, b.queuedAt);
    return difference > 0 || (difference === 0 && a.priority > b.priority);
  }

  #rank(priority: number, queuedAt: number): number {
    return this.#ageingMs > 0 ? priority - queuedAt / this.#ageingMs : priority;
  }

  #lowestLive(end: (level: Level<T>) => T | undefined): Level<T> | undefined {
    for (;;) {
      const level = this.#lowest.first();
      if (!level) return undefined;
      if (this.#dropSettled(level, end)) return level;
      if (this.#lowest.first() === level) return undefined;
    }
  }

  /** From one end of a level. Returns whether something is left there. */
  #dropSettled(level: Level<T>, end: (level: Level<T>) => T | undefined): boolean {
    if (!end(level)?.settled) return level.length > 0;
    const first = level.first();
    while (end(level)?.settled) {
      if (end(level) === level.first()) level.shift();
      else level.pop();
      this.#stored--;
    }
    if (level.length === 0) this.#emptied(level);
    else if (level.first() !== first) this.#next.update(level);
    return level.length > 0;
  }

  #addLevel(item: T): void {
    const level = new Level<T>(item.priority);
    level.push(item);
    const [only] = this.#levels.values();
    if (only?.length === 0) this.#removeLevel(only);
    this.#levels.set(item.priority, level);
    this.#next.add(level);
    this.#lowest.add(level);
  }

  /** The last one stays: most queues have one priority, and run empty all the time. */
  #emptied(level: Level<T>): void {
    if (this.#levels.size > 1) this.#removeLevel(level);
  }

  #removeLevel(level: Level<T>): void {
    this.#levels.delete(level.priority);
    this.#next.remove(level);
    this.#lowest.remove(level);
  }
}
