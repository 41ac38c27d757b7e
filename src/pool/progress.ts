/** Of so many batches the times are kept. */
const KEPT = 128;
/** Fewer don't tell what most batches take. */
const ENOUGH = 20;

/** When work last went to a worker or anything of it came back, and what batches take. */
export class Progress {
  /** Monotonic ms. */
  movedAt = Number.NEGATIVE_INFINITY;
  readonly #timesMs = new Float64Array(KEPT);
  #count = 0;

  moved(now: number): void {
    this.movedAt = now;
  }

  took(ms: number): void {
    this.#timesMs[this.#count++ % KEPT] = ms;
  }

  /** Of the latest batches; null while there were too few. */
  p95Ms(): number | null {
    if (this.#count < ENOUGH) return null;
    const sorted = this.#timesMs.slice(0, Math.min(KEPT, this.#count)).sort();
    return sorted[Math.ceil(0.95 * sorted.length) - 1] as number;
  }
}
