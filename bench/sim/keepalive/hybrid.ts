const BIN_MS = 60_000;
const BINS = 240;
const HEAD_SHARE = 0.05;
const TAIL_SHARE = 0.99;
const MARGIN = 0.1;
const LEAST_CV = 2;
const MOST_OUT_OF_BOUNDS = 0.5;
const FORECAST_MARGIN = 0.15;
const FORECAST_FROM = 10;
/** How often the windows are found again, as the sample grows: what comes once a second need not do it each time. */
const GROWTH = 0.01;

/**
 * The hybrid histogram policy of "Serverless in the Wild" (Shahrad et al., ATC 2020, section 4): idle times of up to 4 h in bins of a
 * minute; pre-warming at the 5th percentile, rounded down, kept until the 99th, rounded up, with a margin of 10 % each. Where the
 * histogram says little (its bin counts vary little: coefficient of variation below 2) it keeps for the whole 4 h. Where most idle times
 * are longer than 4 h, the paper forecasts the next one with ARIMA and is loaded from 15 % before to 15 % after it; here the
 * forecast is the mean of the last ten that were out of bounds.
 */
export class HybridHistogram {
  fromMs = 0;
  untilMs = BINS * BIN_MS;
  readonly #counts = new Uint32Array(BINS);
  #inBounds = 0;
  #squares = 0;
  #outOfBounds = 0;
  #latest: number[] = [];
  #next = 1;

  learn(idleMs: number): boolean {
    const bin = Math.floor(idleMs / BIN_MS);
    if (bin < BINS) {
      const count = this.#counts[bin]!++;
      this.#squares += 2 * count + 1;
      this.#inBounds++;
    } else {
      this.#outOfBounds++;
      this.#latest.push(idleMs);
      if (this.#latest.length > FORECAST_FROM) this.#latest.shift();
    }
    const seen = this.#inBounds + this.#outOfBounds;
    if (seen < this.#next) return false;
    this.#next = seen + Math.max(1, seen * GROWTH);
    this.#decide(seen);
    return true;
  }

  #decide(seen: number): void {
    if (this.#outOfBounds > MOST_OUT_OF_BOUNDS * seen) {
      const forecast = this.#latest.reduce((sum, ms) => sum + ms, 0) / this.#latest.length;
      this.fromMs = forecast * (1 - FORECAST_MARGIN);
      this.untilMs = forecast * (1 + FORECAST_MARGIN);
      return;
    }
    if (this.#variation() < LEAST_CV) {
      this.fromMs = 0;
      this.untilMs = BINS * BIN_MS;
      return;
    }
    this.fromMs = this.#binAt(HEAD_SHARE) * BIN_MS * (1 - MARGIN);
    this.untilMs = (this.#binAt(TAIL_SHARE) + 1) * BIN_MS * (1 + MARGIN);
  }

  #variation(): number {
    const mean = this.#inBounds / BINS;
    return Math.sqrt(Math.max(0, this.#squares / BINS - mean * mean)) / mean;
  }

  #binAt(share: number): number {
    let left = Math.max(1, Math.ceil(share * this.#inBounds));
    for (let bin = 0; bin < BINS; bin++) {
      left -= this.#counts[bin]!;
      if (left <= 0) return bin;
    }
    return BINS - 1;
  }
}
