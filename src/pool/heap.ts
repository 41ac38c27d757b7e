/** A binary heap that knows where each of its items is, so that one whose rank changed can be put right, or taken out. */
export class Heap<T> {
  #items: T[] = [];
  readonly #places = new Map<T, number>();

  constructor(private readonly before: (a: T, b: T) => boolean) {}

  first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
    this.#places.set(item, this.#items.length - 1);
    this.#up(this.#items.length - 1);
  }

  /** Its rank has changed. */
  update(item: T): void {
    if (this.#items.length < 2) return;
    this.#up(this.#places.get(item) as number);
    this.#down(this.#places.get(item) as number);
  }

  /** The rank of any item may have changed. */
  updateAll(): void {
    for (let at = (this.#items.length >> 1) - 1; at >= 0; at--) this.#down(at);
  }

  remove(item: T): void {
    const at = this.#places.get(item) as number;
    const last = this.#items.pop() as T;
    this.#places.delete(item);
    if (last === item) return;
    this.#put(last, at);
    this.update(last);
  }

  #up(from: number): void {
    const item = this.#items[from] as T;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(item, this.#items[parent] as T)) break;
      this.#put(this.#items[parent] as T, at);
      at = parent;
    }
    if (at !== from) this.#put(item, at);
  }

  #down(from: number): void {
    const items = this.#items;
    const item = items[from] as T;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.before(items[child + 1] as T, items[child] as T)) child++;
      if (!this.before(items[child] as T, item)) break;
      this.#put(items[child] as T, at);
      at = child;
    }
    if (at !== from) this.#put(item, at);
  }

  #put(item: T, at: number): void {
    this.#items[at] = item;
    this.#places.set(item, at);
  }
}
