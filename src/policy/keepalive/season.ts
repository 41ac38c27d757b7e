import { Clockwork, DAY_MS, dayOf, SLOTS_A_DAY, WEEK_DAYS, WEEK_MS } from './clockwork.js';

/** Waves a day: the first is day and night, the third morning, noon and evening. */
const WAVES = 3;
/** By chance alone a wave's square is 1 ÷ n on average: so much is taken off. */
const CHANCE = 1;
/** A call within ten minutes of another says nothing new about the time of day. */
const PRESENCE_MS = 600_000;
const PERIODS = 2;
/** A day of the week differs from the others once more than so many calls say so. */
const DAY_PRIOR = 10;

/** Plain data: the state of a Season. */
export interface SavedSeason {
  first: number;
  last: number;
  present: number;
  waves: number[];
  watched_ms: number;
  watched: number[];
  days: number[];
  days_watched_ms: number[];
}

/**
 * How much more often than usual a model is called at a time of day and, once there are two weeks, on a day of the week. Found as waves
 * (Fourier), for which few calls are enough, each shrunk by what chance alone would show. What was not watched yet doesn't count as quiet.
 */
export class Season {
  #firstMs: number | null = null;
  #lastMs = 0;
  /** Calls, decayed, and where they lie on the clock: cos and sin of each wave. */
  #present = 0;
  readonly #waves = new Float64Array(2 * WAVES);
  /** Time that was watched, decayed, and where it lies on the clock. */
  #watchedMs = 0;
  readonly #watched = new Float64Array(2 * WAVES);
  readonly #days = new Float64Array(WEEK_DAYS);
  readonly #daysWatchedMs = new Float64Array(WEEK_DAYS);

  constructor(saved?: SavedSeason) {
    if (saved === undefined) return;
    this.#firstMs = saved.first;
    this.#lastMs = saved.last;
    this.#present = saved.present;
    this.#watchedMs = saved.watched_ms;
    for (const [list, values] of [
      [this.#waves, saved.waves],
      [this.#watched, saved.watched],
      [this.#days, saved.days],
      [this.#daysWatchedMs, saved.days_watched_ms],
    ] as const)
      if (values.length === list.length) list.set(values);
  }

  /** A call. */
  add(wallMs: number): void {
    const sinceMs = wallMs - this.#lastMs;
    if (this.#firstMs !== null && sinceMs >= 0 && sinceMs < PRESENCE_MS) return;
    // The clock may have been set back: then this is where it goes on.
    if (this.#firstMs !== null && sinceMs > 0) this.#watch(this.#lastMs, wallMs);
    this.#firstMs = Math.min(this.#firstMs ?? wallMs, wallMs);
    this.#lastMs = wallMs;
    this.#present++;
    this.#days[dayOf(wallMs)]!++;
    const angle = (2 * Math.PI * (wallMs % DAY_MS)) / DAY_MS;
    for (let wave = 0; wave < WAVES; wave++) {
      this.#waves[2 * wave]! += Math.cos((wave + 1) * angle);
      this.#waves[2 * wave + 1]! += Math.sin((wave + 1) * angle);
    }
  }

  decay(factor: number): void {
    this.#present *= factor;
    this.#watchedMs *= factor;
    for (const list of [this.#waves, this.#watched, this.#days, this.#daysWatchedMs])
      for (let i = 0; i < list.length; i++) list[i]! *= factor;
  }

  /** What the usual week looks like. Null while less than two days are known. */
  clockwork(wallMs: number): Clockwork | null {
    const knownMs = this.#firstMs === null ? 0 : wallMs - this.#firstMs;
    if (knownMs < PERIODS * DAY_MS || this.#watchedMs <= 0 || this.#present < 2) return null;
    const weekly = knownMs < PERIODS * WEEK_MS ? new Float64Array(WEEK_DAYS).fill(1) : this.#weekly();
    return new Clockwork(this.#daily(), weekly);
  }

  toJSON(): SavedSeason | null {
    if (this.#firstMs === null) return null;
    const short = (list: Float64Array) => Array.from(list, (value) => Number(value.toPrecision(6)));
    return {
      first: this.#firstMs,
      last: this.#lastMs,
      present: Number(this.#present.toPrecision(6)),
      waves: short(this.#waves),
      watched_ms: Math.round(this.#watchedMs),
      watched: short(this.#watched),
      days: short(this.#days),
      days_watched_ms: short(this.#daysWatchedMs),
    };
  }

  #watch(fromMs: number, untilMs: number): void {
    this.#watchedMs += untilMs - fromMs;
    for (let wave = 0; wave < WAVES; wave++) {
      const speed = (2 * Math.PI * (wave + 1)) / DAY_MS;
      const from = speed * (fromMs % DAY_MS);
      const until = from + speed * (untilMs - fromMs);
      this.#watched[2 * wave]! += (Math.sin(until) - Math.sin(from)) / speed;
      this.#watched[2 * wave + 1]! += (Math.cos(from) - Math.cos(until)) / speed;
    }
    for (let at = fromMs; at < untilMs; ) {
      const end = Math.min(untilMs, (Math.floor(at / DAY_MS) + 1) * DAY_MS);
      this.#daysWatchedMs[dayOf(at)]! += end - at;
      at = end;
    }
  }

  #daily(): Float64Array {
    const daily = new Float64Array(SLOTS_A_DAY).fill(1);
    for (let wave = 0; wave < WAVES; wave++) {
      const cos = this.#waves[2 * wave]! / this.#present - this.#watched[2 * wave]! / this.#watchedMs;
      const sin = this.#waves[2 * wave + 1]! / this.#present - this.#watched[2 * wave + 1]! / this.#watchedMs;
      const trust = Math.max(0, 1 - CHANCE / (this.#present * (cos * cos + sin * sin)));
      if (trust === 0) continue;
      for (let slot = 0; slot < SLOTS_A_DAY; slot++) {
        const angle = (2 * Math.PI * (wave + 1) * (slot + 0.5)) / SLOTS_A_DAY;
        daily[slot]! += 2 * trust * (cos * Math.cos(angle) + sin * Math.sin(angle));
      }
    }
    return daily;
  }

  #weekly(): Float64Array {
    const perMs = this.#present / this.#watchedMs;
    return this.#days.map((calls, day) => (calls + DAY_PRIOR) / (this.#daysWatchedMs[day]! * perMs + DAY_PRIOR));
  }
}
