const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;
const WEEK_MS = WEEK_DAYS * DAY_MS;
const SLOT_MS = 1_800_000;
const SLOTS_A_DAY = DAY_MS / SLOT_MS;
const SLOTS_A_WEEK = WEEK_MS / SLOT_MS;
/** 1970 began on a Thursday. */
const MONDAY_MS = 4 * DAY_MS;
/** Waves a day: the first is day and night, the third morning, noon and evening. */
const WAVES = Number(process.env.WAVES ?? 3);
/** Of a wave's square: by chance alone it is as large as 1 ÷ n, so one less than twice that is taken for none. */
const CHANCE = Number(process.env.CHANCE ?? 2);
/** A call within ten minutes of another says nothing new about the time of day. */
const PRESENCE_MS = 600_000;
const PERIODS = 2;
/** So many calls of an average day are believed before the first of that day. */
const DAY_PRIOR = Number(process.env.DAYPRIOR ?? 10);
/** However quiet the hour: never is never said. */
const LEAST_RATE = 0.05;

interface Table {
  /** Season-time of the beginning of each slot of a week, and of its end. */
  cumulated: Float64Array;
}

/**
 * How much more often than usual a model is called at a time of day, and once there are two weeks on a day of the week. Found by waves
 * (Fourier), so that few calls are enough; each is shrunk by what chance alone would show.
 *
 * Season-time runs fast where calls are frequent and slowly where they are rare, as fast as the clock on average. Measured in it,
 * idle times no longer depend on when they begin.
 */
export class Season {
  #firstMs: number | null = null;
  #lastMs = 0;
  #lastPresentMs = Number.NEGATIVE_INFINITY;
  /** Calls, decayed, and how they lie on the clock: cos and sin of each wave. */
  #present = 0;
  readonly #waves = new Float64Array(2 * WAVES);
  /** Time that was watched, decayed, and how it lies on the clock. */
  #watchedMs = 0;
  readonly #watched = new Float64Array(2 * WAVES);
  readonly #days = new Float64Array(WEEK_DAYS);
  readonly #daysWatchedMs = new Float64Array(WEEK_DAYS);
  #table: Table | null = null;

  /** A call. */
  add(wallMs: number): void {
    this.#firstMs ??= wallMs;
    if (wallMs - this.#lastPresentMs < PRESENCE_MS) return;
    if (this.#lastPresentMs > 0) this.#watch(this.#lastMs, wallMs);
    this.#lastMs = wallMs;
    this.#lastPresentMs = wallMs;
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

  /** Learns anew what the day looks like. Until it is called, nothing changes. */
  refresh(wallMs: number): void {
    if (this.#firstMs === null || wallMs - this.#firstMs < PERIODS * DAY_MS || this.#present < 2) {
      this.#table = null;
      return;
    }
    const daily = this.#daily();
    const weekly = wallMs - this.#firstMs < PERIODS * WEEK_MS ? null : this.#weekly();
    const cumulated = new Float64Array(SLOTS_A_WEEK + 1);
    for (let slot = 0; slot < SLOTS_A_WEEK; slot++) {
      const ofDay = weekly?.[Math.floor(slot / SLOTS_A_DAY)] ?? 1;
      cumulated[slot + 1] = cumulated[slot]! + Math.max(LEAST_RATE, daily[slot % SLOTS_A_DAY]! * ofDay);
    }
    const scale = WEEK_MS / cumulated[SLOTS_A_WEEK]!;
    for (let slot = 0; slot <= SLOTS_A_WEEK; slot++) cumulated[slot]! *= scale;
    this.#table = { cumulated };
  }

  get known(): boolean {
    return this.#table !== null;
  }

  /** Of the time at the clock. */
  toSeason(wallMs: number): number {
    if (this.#table === null) return wallMs;
    const { cumulated } = this.#table;
    const inWeek = (wallMs - MONDAY_MS) % WEEK_MS;
    const slot = Math.floor(inWeek / SLOT_MS);
    const within = inWeek / SLOT_MS - slot;
    return wallMs - inWeek + cumulated[slot]! + within * (cumulated[slot + 1]! - cumulated[slot]!);
  }

  /** How fast season-time runs. */
  rate(wallMs: number): number {
    if (this.#table === null) return 1;
    const slot = Math.floor(((wallMs - MONDAY_MS) % WEEK_MS) / SLOT_MS);
    return (this.#table.cumulated[slot + 1]! - this.#table.cumulated[slot]!) / SLOT_MS;
  }

  /** @param seasonMs ascending, is overwritten with the times at the clock */
  toWall(seasonMs: Float64Array): void {
    if (this.#table === null) return;
    const { cumulated } = this.#table;
    let slot = 0;
    let week = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < seasonMs.length; i++) {
      const at = seasonMs[i]!;
      const ofWeek = at - ((at - MONDAY_MS) % WEEK_MS);
      if (ofWeek !== week) {
        week = ofWeek;
        slot = 0;
      }
      while (slot < SLOTS_A_WEEK - 1 && cumulated[slot + 1]! <= at - week) slot++;
      const within = (at - week - cumulated[slot]!) / (cumulated[slot + 1]! - cumulated[slot]!);
      seasonMs[i] = week + (slot + within) * SLOT_MS;
    }
  }

  #watch(fromMs: number, untilMs: number): void {
    if (untilMs <= fromMs) return;
    this.#watchedMs += untilMs - fromMs;
    for (let wave = 0; wave < WAVES; wave++) {
      const speed = (2 * Math.PI * (wave + 1)) / DAY_MS;
      const from = speed * (fromMs % DAY_MS);
      const until = from + speed * (untilMs - fromMs);
      this.#watched[2 * wave]! += (Math.sin(until) - Math.sin(from)) / speed;
      this.#watched[2 * wave + 1]! += (Math.cos(from) - Math.cos(until)) / speed;
    }
    for (let at = fromMs; at < untilMs; ) {
      const end = Math.min(untilMs, at - (at % DAY_MS) + DAY_MS);
      this.#daysWatchedMs[dayOf(at)]! += end - at;
      at = end;
    }
  }

  #daily(): Float64Array {
    const daily = new Float64Array(SLOTS_A_DAY).fill(1);
    for (let wave = 0; wave < WAVES; wave++) {
      const cos = this.#waves[2 * wave]! / this.#present - this.#watched[2 * wave]! / this.#watchedMs;
      const sin = this.#waves[2 * wave + 1]! / this.#present - this.#watched[2 * wave + 1]! / this.#watchedMs;
      const square = cos * cos + sin * sin;
      const trust = Math.max(0, 1 - CHANCE / (this.#present * square));
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

function dayOf(wallMs: number): number {
  return Math.floor(((wallMs - MONDAY_MS) % WEEK_MS) / DAY_MS);
}
