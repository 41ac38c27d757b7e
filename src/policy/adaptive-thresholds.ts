import type { PressureThresholds } from './pressure.js';

const HOUR_MS = 3_600_000;
const WINDOW_HOURS = 24;
/** With less history than this nothing moves: a box that has just started tells nothing about its usual day. */
const LEAST_HISTORY_MS = HOUR_MS;
/** Levels begin this far above what is usual. */
const ABOVE_USUAL = 0.02;
/** Between two levels there is always so much room, or as much as the configuration leaves. */
const APART = 0.05;
const USUAL_QUANTILE = 0.95;
/** How long it takes to see that memory rises, and to do something about it. */
const REACTION_MS = 10_000;
/** A sample speaks for the time since the last one, but never for longer than this. */
const LONGEST_GAP_MS = 60_000;

const BIN_SHARE = 0.005;
/** Up to 120 %; all above falls into the last one. */
const BINS = 240;

/** One hour of the box. */
interface Hour {
  number: number;
  /** Time spent in each bin of shares. */
  binsMs: Uint32Array;
  largestRise: number;
}

/**
 * Thresholds that follow what is usual on this box. Feed it each tick; read `thresholds` when deciding. After an hour of
 * history, from the last 24 h:
 *
 * - medium and high move up to 2 points above what memory stays below for 95 % of the time, so that a box that always sits at 75 %
 *   isn't 'high' for ever; but each stays 5 points below the next level, and neither falls below the configured value.
 * - critical moves down to what leaves room for the largest rise seen within 10 s (critical pressure must begin before it is too
 *   late to act on it); but not below 5 points over the configured high, and never above the configured critical.
 *
 * Memory is bounded: one histogram an hour, 25 of them.
 */
export class AdaptiveThresholds {
  #hours: Hour[] = [];
  readonly #totalMs = new Uint32Array(BINS);
  #seenMs = 0;
  /** Samples of the last 10 s. */
  #recent: { at: number; share: number }[] = [];

  constructor(private configured: PressureThresholds) {}

  /** Other thresholds to start from; what was seen stays. */
  configure(configured: PressureThresholds): void {
    this.configured = configured;
  }

  /** @param now monotonic ms */
  add(share: number | null, now: number): void {
    if (share === null) {
      this.#recent = [];
      return;
    }
    const hour = this.#hourOf(now);
    const previous = this.#recent.at(-1);
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(share / BIN_SHARE)));
    const elapsedMs = previous ? Math.min(LONGEST_GAP_MS, Math.max(0, Math.round(now - previous.at))) : 0;
    hour.binsMs[bin] = (hour.binsMs[bin] as number) + elapsedMs;
    this.#totalMs[bin] = (this.#totalMs[bin] as number) + elapsedMs;
    this.#seenMs += elapsedMs;
    this.#recent = [...this.#recent.filter(({ at }) => at >= now - REACTION_MS), { at: now, share }];
    for (const earlier of this.#recent) hour.largestRise = Math.max(hour.largestRise, share - earlier.share);
  }

  get thresholds(): PressureThresholds {
    const { configured } = this;
    if (this.#seenMs < LEAST_HISTORY_MS) return configured;
    const largestRise = Math.max(...this.#hours.map((hour) => hour.largestRise));
    const critical = Math.min(configured.critical, Math.max(configured.high + APART, 1 - largestRise));
    const aboveUsual = this.#usual() + ABOVE_USUAL;
    const high = Math.max(configured.high, Math.min(aboveUsual, critical - APART));
    const medium = Math.max(configured.medium, Math.min(aboveUsual, high - APART));
    return { medium, high, critical };
  }

  /** Upper edge of the bin below which memory is for 95 % of the time. */
  #usual(): number {
    let left = this.#seenMs * USUAL_QUANTILE;
    const bin = this.#totalMs.findIndex((ms) => {
      left -= ms;
      return left <= 0;
    });
    return ((bin === -1 ? BINS - 1 : bin) + 1) * BIN_SHARE;
  }

  #hourOf(now: number): Hour {
    const number = Math.floor(now / HOUR_MS);
    const latest = this.#hours.at(-1);
    if (latest && latest.number >= number) return latest;
    const hour: Hour = { number, binsMs: new Uint32Array(BINS), largestRise: 0 };
    this.#hours.push(hour);
    while ((this.#hours[0] as Hour).number < number - WINDOW_HOURS) this.#forget(this.#hours.shift() as Hour);
    return hour;
  }

  #forget({ binsMs }: Hour): void {
    for (const [bin, ms] of binsMs.entries()) {
      this.#totalMs[bin] = (this.#totalMs[bin] as number) - ms;
      this.#seenMs -= ms;
    }
  }
}
