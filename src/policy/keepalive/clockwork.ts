export const DAY_MS = 86_400_000;
export const WEEK_DAYS = 7;
export const WEEK_MS = WEEK_DAYS * DAY_MS;
const SLOT_MS = 1_800_000;
export const SLOTS_A_DAY = DAY_MS / SLOT_MS;
const SLOTS = WEEK_DAYS * SLOTS_A_DAY;
/** 1970 began on a Thursday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;
/** However quiet the hour: never is never said. */
const LEAST_RATE = 0.05;

/** Monday is 0. UTC: what comes at the same local time is an hour off for a few days, twice a year. */
export function dayOf(wallMs: number): number {
  return Math.floor(inWeek(wallMs) / DAY_MS);
}

/**
 * A clock that runs fast where a model is called often and slowly where it is rarely called; over a week it is as fast as any other. Between two
 * of its times idle times no longer depend on the time of day.
 */
export class Clockwork {
  /** Where its hand is at the beginning of each half hour of the week, and at the end of the last. */
  readonly #hand = new Float64Array(SLOTS + 1);
  #slotFromMs = Number.NEGATIVE_INFINITY;
  #slotRate = 1;

  /**
   * @param daily rate of each half hour of a day, relative to the usual
   * @param weekly the same for each day from Monday on
   */
  constructor(daily: Float64Array, weekly: Float64Array) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const rate = daily[slot % SLOTS_A_DAY]! * weekly[Math.floor(slot / SLOTS_A_DAY)]!;
      this.#hand[slot + 1] = this.#hand[slot]! + Math.max(LEAST_RATE, rate);
    }
    const scale = WEEK_MS / this.#hand[SLOTS]!;
    for (let slot = 0; slot <= SLOTS; slot++) this.#hand[slot]! *= scale;
  }

  /** How fast it runs. */
  rate(wallMs: number): number {
    // Asked at each call of a busy model: mostly within the same half hour.
    if (wallMs >= this.#slotFromMs && wallMs < this.#slotFromMs + SLOT_MS) return this.#slotRate;
    const ofWeek = inWeek(wallMs);
    const slot = Math.floor(ofWeek / SLOT_MS);
    this.#slotFromMs = wallMs - ofWeek + slot * SLOT_MS;
    this.#slotRate = (this.#hand[slot + 1]! - this.#hand[slot]!) / SLOT_MS;
    return this.#slotRate;
  }

  /** What it shows. */
  at(wallMs: number): number {
    const ofWeek = inWeek(wallMs);
    const slot = Math.floor(ofWeek / SLOT_MS);
    return (
      wallMs - ofWeek + this.#hand[slot]! + (ofWeek / SLOT_MS - slot) * (this.#hand[slot + 1]! - this.#hand[slot]!)
    );
  }

  /** When it shows each of these. @param shown ascending, is overwritten */
  toWall(shown: Float64Array): void {
    let slot = 0;
    let week = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < shown.length; i++) {
      const ofWeek = inWeek(shown[i]!);
      if (shown[i]! - ofWeek > week) {
        week = shown[i]! - ofWeek;
        slot = 0;
      }
      while (slot < SLOTS - 1 && this.#hand[slot + 1]! <= ofWeek) slot++;
      const share = (ofWeek - this.#hand[slot]!) / (this.#hand[slot + 1]! - this.#hand[slot]!);
      shown[i] = week + (slot + share) * SLOT_MS;
    }
  }
}

function inWeek(ms: number): number {
  const rest = (ms - FIRST_MONDAY_MS) % WEEK_MS;
  // Not -0, which a day number would pass on.
  return rest < 0 ? rest + WEEK_MS : rest + 0;
}
