/** Calls are added up for so long before they are decayed together: with thousands a second each alone would cost more than it tells. */
const FOLD_MS = 300_000;

/** Plain data: the state of a DecayedCount. */
export interface SavedCount {
  first: number | null;
  at: number;
  count: number;
}

/** Calls within the last while: each counts less the longer ago it was (by 1/e within `windowMs`), so r calls a window come to r. */
export class DecayedCount {
  #firstMs: number | null;
  #at: number;
  #count: number;
  /** Within FOLD_MS after the last folding. */
  #fresh = 0;

  constructor(
    private readonly windowMs: number,
    saved: SavedCount = { first: null, at: 0, count: 0 },
  ) {
    this.#firstMs = saved.first;
    this.#at = saved.at;
    this.#count = saved.count;
  }

  add(wallMs: number): void {
    if (this.#firstMs === null) {
      this.#firstMs = wallMs;
      this.#at = wallMs;
    }
    if (wallMs - this.#at >= FOLD_MS) this.#fold(wallMs);
    this.#fresh++;
  }

  value(wallMs: number): number {
    return (this.#count + this.#fresh) * this.#decay(wallMs);
  }

  /** Since the first call; 0 before it. */
  knownMs(wallMs: number): number {
    return this.#firstMs === null ? 0 : Math.max(0, wallMs - this.#firstMs);
  }

  /** Per ms, also where less than a window has passed since the first call. Null before it, and at the first itself. */
  rate(wallMs: number): number | null {
    const knownMs = this.knownMs(wallMs);
    if (knownMs <= 0) return null;
    return this.value(wallMs) / (this.windowMs * (1 - Math.exp(-knownMs / this.windowMs)));
  }

  toJSON(): SavedCount {
    this.#fold(this.#at);
    return { first: this.#firstMs, at: this.#at, count: Number(this.#count.toPrecision(6)) };
  }

  #fold(wallMs: number): void {
    this.#count = this.value(wallMs);
    this.#fresh = 0;
    this.#at = Math.max(this.#at, wallMs);
  }

  #decay(wallMs: number): number {
    return Math.exp(-Math.max(0, wallMs - this.#at) / this.windowMs);
  }
}
