import { type Calls, callsOf, type TracedModel } from '../models/calls.js';

/** Requests of all models in the order in which they come, a day of each in memory. */
export class Requests {
  /** Of the present request. */
  model = -1;
  at = 0;
  ms = 0;
  readonly #sources: Source[];
  /** Numbers of models as a heap, the next request first. */
  readonly #heap: Int32Array;
  /** When each model is called next; Infinity: never again. */
  readonly #nextAt: Float64Array;

  constructor(models: readonly TracedModel[], days: number) {
    this.#sources = models.map((model) => new Source(callsOf(model, days)));
    this.#nextAt = Float64Array.from(this.#sources, (source) => source.at);
    this.#heap = Int32Array.from(models, (_, i) => i).sort((a, b) => this.#nextAt[a]! - this.#nextAt[b]!);
  }

  /** @returns false at the end */
  advance(): boolean {
    const first = this.#heap[0];
    if (first === undefined || this.#nextAt[first] === Number.POSITIVE_INFINITY) return false;
    const source = this.#sources[first]!;
    this.model = first;
    this.at = source.at;
    this.ms = source.ms;
    source.advance();
    this.#nextAt[first] = source.at;
    this.#sink();
    return true;
  }

  /** The future: when a model is called next after the present request. */
  nextAt(model: number): number {
    return this.#nextAt[model]!;
  }

  #sink(): void {
    const heap = this.#heap;
    const nextAt = this.#nextAt;
    const sinking = heap[0]!;
    const at = nextAt[sinking]!;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && nextAt[heap[child + 1]!]! < nextAt[heap[child]!]!) child++;
      if (nextAt[heap[child]!]! >= at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = sinking;
  }
}

/** Of one model, a request ahead. */
class Source {
  at = Number.POSITIVE_INFINITY;
  ms = 0;
  #day: Calls | null = null;
  #next = 0;

  constructor(private readonly days: Iterator<Calls>) {
    this.advance();
  }

  advance(): void {
    while (this.#day === null || this.#next >= this.#day.count) {
      const { value, done } = this.days.next();
      if (done) {
        this.at = Number.POSITIVE_INFINITY;
        return;
      }
      this.#day = value;
      this.#next = 0;
    }
    this.at = this.#day.at[this.#next]!;
    this.ms = this.#day.ms[this.#next++]!;
  }
}
