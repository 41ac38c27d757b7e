/** From 0.02 min on, each bin is 15 % wider than the one before; the last one takes all above 14 days. */
const FIRST_EDGE_MS = 1200;
const RATIO = 1.15;
const LARGEST_MS = 14 * 86_400_000;
const LOG_RATIO = Math.log(RATIO);
const LOG_FIRST = Math.log(FIRST_EDGE_MS);
const BINS = Math.ceil((Math.log(LARGEST_MS) - LOG_FIRST) / LOG_RATIO) + 2;
/** Less than this is forgotten with its bin. */
const LEAST_WEIGHT = 0.01;

/** Idle times that were seen between two edges, and how much weight they have together. */
export interface Stretch {
  fromMs: number;
  toMs: number;
  weight: number;
}

/** Of one bin: its number, weight, shortest and longest idle time. */
export type SavedBin = [bin: number, weight: number, shortestMs: number, longestMs: number];

/**
 * Idle times in log bins. Each bin knows the shortest and the longest that it has seen: what comes at regular times is known to
 * the second, though bins are minutes wide.
 */
export class IdleHistogram {
  readonly #weights = new Float64Array(BINS);
  readonly #shortest = new Float64Array(BINS).fill(Number.POSITIVE_INFINITY);
  readonly #longest = new Float64Array(BINS);
  #total = 0;

  /** @param saved what toJSON gave */
  constructor(saved: readonly SavedBin[] = []) {
    for (const [bin, weight, shortest, longest] of saved) {
      if (!Number.isInteger(bin) || bin < 0 || bin >= BINS || weight <= 0 || shortest > longest) continue;
      this.#total += weight - this.#weights[bin]!;
      this.#weights[bin] = weight;
      this.#shortest[bin] = shortest;
      this.#longest[bin] = longest;
    }
  }

  /** Weight of all that was added, decayed. */
  get total(): number {
    return this.#total;
  }

  add(idleMs: number): void {
    const bin = binOf(idleMs);
    this.#weights[bin]! += 1;
    this.#total += 1;
    if (idleMs < this.#shortest[bin]!) this.#shortest[bin] = idleMs;
    if (idleMs > this.#longest[bin]!) this.#longest[bin] = idleMs;
  }

  /** How likely the next idle time was to be this one: probability per ms, never 0. */
  density(idleMs: number): number {
    const bin = binOf(idleMs);
    return (this.#weights[bin]! + 1 / BINS) / ((this.#total + 1) * widthOf(bin));
  }

  /** @param factor what is left of each weight, in [0, 1] */
  decay(factor: number): void {
    this.#total = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const weight = this.#weights[bin]! * factor;
      if (weight < LEAST_WEIGHT) this.#forget(bin);
      else {
        this.#weights[bin] = weight;
        this.#total += weight;
      }
    }
  }

  /**
   * What was seen, shortest first, without overlaps. Few samples don't show how far they may stray: one alone stands for its whole bin, and n
   * reach further than their range by as much as the next would widen it on average, though not into their neighbours.
   */
  stretches(): Stretch[] {
    const found: Stretch[] = [];
    for (let bin = 0; bin < BINS; bin++) {
      const weight = this.#weights[bin]!;
      if (weight === 0) continue;
      const shortest = this.#shortest[bin]!;
      const longest = this.#longest[bin]!;
      const n = Math.max(1, weight);
      const marginMs = (longest - shortest + widthOf(bin) / (2 * n)) / n;
      const previous = found.at(-1);
      if (previous && previous.toMs > shortest) previous.toMs = shortest;
      found.push({ fromMs: Math.max(shortest - marginMs, previous?.toMs ?? 0), toMs: longest + marginMs, weight });
    }
    return found;
  }

  toJSON(): SavedBin[] {
    const bins: SavedBin[] = [];
    for (let bin = 0; bin < BINS; bin++) {
      if (this.#weights[bin] === 0) continue;
      const weight = Number(this.#weights[bin]!.toPrecision(4));
      bins.push([bin, weight, Math.floor(this.#shortest[bin]!), Math.ceil(this.#longest[bin]!)]);
    }
    return bins;
  }

  #forget(bin: number): void {
    this.#weights[bin] = 0;
    this.#shortest[bin] = Number.POSITIVE_INFINITY;
    this.#longest[bin] = 0;
  }
}

function binOf(idleMs: number): number {
  if (idleMs < FIRST_EDGE_MS) return 0;
  return Math.min(BINS - 1, 1 + Math.floor((Math.log(idleMs) - LOG_FIRST) / LOG_RATIO));
}

function widthOf(bin: number): number {
  return bin === 0 ? FIRST_EDGE_MS : FIRST_EDGE_MS * RATIO ** (bin - 1) * (RATIO - 1);
}
