import { type Clockwork, DAY_MS } from './clockwork.js';
import { IdleHistogram, type Stretch } from './idle-histogram.js';
import { DecayedCount } from './popularity.js';
import { type SavedHistory, savedHistory } from './saved.js';
import { Season } from './season.js';
import { withTail } from './tail.js';

export interface IdleHistoryOptions {
  /** `models.predictive.window`: how far popularity looks back. Idle times are remembered for longer. */
  windowMs: number;
}

/** What is expected after the last call: idle times with their weights, and the weight of the model never being called again. */
export interface Forecast {
  stretches: readonly Stretch[];
  unseen: number;
  basis: 'learned' | 'seasonal';
}

const DEFAULTS: IdleHistoryOptions = { windowMs: DAY_MS };
/** Idle times fade within a week of the default window: a window of one day alone would not know weekends. */
const REMEMBERED_WINDOWS = 7;
/** So many are remembered of a model that is hardly ever called, however long ago they were. */
const LEAST_REMEMBERED = 32;
const DECAY_EVERY_MS = 3_600_000;
/** With so many more samples the forecast is made anew. */
const GROWTH = 0.05;
/** Of the model not being called again, in idle times. */
const UNSEEN = 0.2;
/** Twenty to one: from then on the time of day is believed to matter. */
const SEASON_EVIDENCE = Math.log(20);
/** Gaps within a burst say nothing of how long it is worth while to wait for the next one. */
const BURST_MS = 1000;
/** Shorter idle times are within one half hour for the season. */
const SHORT_MS = 60_000;

/** What one model's calls so far tell about the next. All times are wall-clock ms, as they come; a few KB. */
export class IdleHistory {
  readonly #rememberedMs: number;
  readonly #idle: IdleHistogram;
  readonly #seasonal: IdleHistogram;
  readonly #season: Season;
  readonly #popularity: DecayedCount;
  readonly #calls: DecayedCount;
  #clockwork: Clockwork | null = null;
  /** How much better the next idle time was known in season-time than at the clock, in log-likelihood. */
  #seasonScore: number;
  #samples: number;
  #decayedAt: number;
  #revision = 0;
  #nextRevision = 0;
  #known: { revision: number; seasonal: boolean; stretches: Stretch[] } | null = null;

  /** The same as seen from the end of the last call. */
  #clocked: { of: Stretch[]; idleFromMs: number; stretches: Stretch[] } | null = null;

  /** @param saved what toJSON gave; anything else is as nothing */
  constructor(saved?: unknown, options: Partial<IdleHistoryOptions> = {}) {
    const { windowMs } = { ...DEFAULTS, ...options };
    const known = savedHistory(saved);
    this.#rememberedMs = REMEMBERED_WINDOWS * windowMs;
    this.#idle = new IdleHistogram(known?.idle);
    this.#seasonal = new IdleHistogram(known?.seasonal);
    this.#season = new Season(known?.season ?? undefined);
    this.#popularity = new DecayedCount(windowMs, known?.popularity);
    this.#calls = new DecayedCount(this.#rememberedMs, known?.calls);
    this.#seasonScore = known?.season_score ?? 0;
    this.#samples = known?.samples ?? 0;
    this.#decayedAt = known?.decayed_at ?? Number.NEGATIVE_INFINITY;
    if (known) this.#clockwork = this.#season.clockwork(known.calls.at);
  }

  /** A request began. @param idleMs since the end of the last one; null for the first; 0 where that one had not ended */
  used(idleMs: number | null, wallMs: number): void {
    this.#popularity.add(wallMs);
    this.#calls.add(wallMs);
    this.#season.add(wallMs);
    if (wallMs - this.#decayedAt >= DECAY_EVERY_MS) this.#decay(wallMs);
    if (idleMs === null || idleMs < BURST_MS) return;
    this.#learn(idleMs, wallMs);
    if (++this.#samples < this.#nextRevision) return;
    this.#clockwork = this.#season.clockwork(wallMs);
    this.#revision++;
    this.#nextRevision = this.#samples + Math.max(1, this.#idle.total * GROWTH);
  }

  /** Idle times seen so far, those within bursts left out. */
  get samples(): number {
    return this.#samples;
  }

  /** Changes when the forecast does; a seasonal one also changes with the time of day. */
  get revision(): number {
    return this.#revision;
  }

  /** Whether the time of day has told more than idle times alone. */
  get seasonal(): boolean {
    return this.#clockwork !== null && this.#seasonScore > SEASON_EVIDENCE;
  }

  /** Since the first call; 0 before it. */
  knownMs(wallMs: number): number {
    return this.#calls.knownMs(wallMs);
  }

  /** Calls within the learning window, the older the less. */
  popularity(wallMs: number): number {
    return this.#popularity.value(wallMs);
  }

  /** Of the last weeks. Null before the second call. */
  callsPerDay(wallMs: number): number | null {
    const perMs = this.#calls.rate(wallMs);
    return perMs === null ? null : perMs * DAY_MS;
  }

  /** The chance of a call within `horizonMs`, when `wallMs` is now and the model has been idle for `idleMs`. */
  nextUseWithin(horizonMs: number, idleMs: number, wallMs: number): number {
    // Nothing idle seen yet: it is called all the time, or hardly ever.
    if (this.#samples === 0) return 1 - Math.exp(-(this.#calls.rate(wallMs) ?? 0) * horizonMs);
    const { stretches, unseen } = this.forecast(wallMs - idleMs);
    let within = 0;
    let left = unseen;
    for (const stretch of stretches) {
      const later = shareAfter(stretch, idleMs) * stretch.weight;
      left += later;
      within += later - shareAfter(stretch, idleMs + horizonMs) * stretch.weight;
    }
    return within / left;
  }

  /** Valid until it is asked for the next. @param idleFromMs when the last call ended */
  forecast(idleFromMs: number): Forecast {
    const { seasonal } = this;
    if (this.#known?.revision !== this.#revision || this.#known.seasonal !== seasonal) {
      const stretches = withTail((seasonal ? this.#seasonal : this.#idle).stretches());
      this.#known = { revision: this.#revision, seasonal, stretches };
    }
    const { stretches } = this.#known;
    if (!seasonal) return { stretches, unseen: UNSEEN, basis: 'learned' };
    if (this.#clocked?.of !== stretches || this.#clocked.idleFromMs !== idleFromMs)
      this.#clocked = {
        of: stretches,
        idleFromMs,
        stretches: onTheClock(stretches, this.#clockwork!, idleFromMs, this.#clocked?.stretches ?? []),
      };
    return { stretches: this.#clocked.stretches, unseen: UNSEEN, basis: 'seasonal' };
  }

  toJSON(): SavedHistory {
    return {
      version: 1,
      samples: this.#samples,
      decayed_at: Number.isFinite(this.#decayedAt) ? this.#decayedAt : 0,
      popularity: this.#popularity.toJSON(),
      calls: this.#calls.toJSON(),
      idle: this.#idle.toJSON(),
      seasonal: this.#seasonal.toJSON(),
      season_score: Number(this.#seasonScore.toPrecision(4)),
      season: this.#season.toJSON(),
    };
  }

  #learn(idleMs: number, wallMs: number): void {
    const clockwork = this.#clockwork;
    if (clockwork === null) this.#seasonal.add(idleMs);
    else if (idleMs < SHORT_MS) this.#seasonal.add(idleMs * clockwork.rate(wallMs));
    else {
      const seasonMs = clockwork.at(wallMs) - clockwork.at(wallMs - idleMs);
      const likelihood = this.#seasonal.density(seasonMs) * clockwork.rate(wallMs);
      this.#seasonScore += Math.log(likelihood / this.#idle.density(idleMs));
      this.#seasonal.add(seasonMs);
    }
    this.#idle.add(idleMs);
  }

  #decay(wallMs: number): void {
    const elapsedMs = Number.isFinite(this.#decayedAt) ? wallMs - this.#decayedAt : 0;
    this.#decayedAt = wallMs;
    const { total } = this.#idle;
    if (total <= LEAST_REMEMBERED) return;
    const factor = Math.max(Math.exp(-elapsedMs / this.#rememberedMs), LEAST_REMEMBERED / total);
    this.#idle.decay(factor);
    this.#seasonal.decay(factor);
    this.#season.decay(factor);
    this.#seasonScore *= factor;
  }
}

/** How much of a stretch lies after a moment. */
function shareAfter({ fromMs, toMs }: Stretch, ms: number): number {
  if (ms <= fromMs) return 1;
  return ms >= toMs ? 0 : (toMs - ms) / (toMs - fromMs);
}

/** @param into what is in it is overwritten: this is called often, and would leave much behind */
function onTheClock(
  stretches: readonly Stretch[],
  clockwork: Clockwork,
  idleFromMs: number,
  into: Stretch[],
): Stretch[] {
  const begin = clockwork.at(idleFromMs);
  const edges = new Float64Array(2 * stretches.length);
  for (let i = 0; i < stretches.length; i++) {
    edges[2 * i] = begin + stretches[i]!.fromMs;
    edges[2 * i + 1] = begin + stretches[i]!.toMs;
  }
  clockwork.toWall(edges);
  into.length = Math.min(into.length, stretches.length);
  for (let i = 0; i < stretches.length; i++) {
    into[i] ??= { fromMs: 0, toMs: 0, weight: 0 };
    const stretch = into[i]!;
    stretch.fromMs = edges[2 * i]! - idleFromMs;
    stretch.toMs = edges[2 * i + 1]! - idleFromMs;
    stretch.weight = stretches[i]!.weight;
  }
  return into;
}
