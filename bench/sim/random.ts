/** A stream of random numbers from a seed: the same seed gives the same run on every machine (mulberry32, by Tommy Ettinger). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** 32 bits, to seed another stream. */
  integer(): number {
    return Math.floor(this.next() * 2 ** 32);
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** Mean 0, deviation 1. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Heavy tail: at least `least`, mean least × shape / (shape - 1). */
  pareto(least: number, shape: number): number {
    return least / (1 - this.next()) ** (1 / shape);
  }
}
