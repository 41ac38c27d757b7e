import { IdleHistogram, type Stretch } from './idle-histogram.js';
import { Season } from './season.js';

export interface IdleHistoryOptions {
  /** How long popularity looks back, as `models.predictive.window`. */
  windowMs: number;
}

const DEFAULTS: IdleHistoryOptions = { windowMs: 86_400_000 };
const HISTORY_WINDOWS = Number(process.env.HW ?? 7);
/** So much stays known of a model that is hardly ever called. */
const LEAST_KEPT = Number(process.env.LK ?? 32);
const DECAY_EVERY_MS = 3_600_000;
const GROWTH = Number(process.env.GR ?? 0.05);
const UNSEEN = 1;
const SEASON = Number(process.env.SEASON ?? 1);
const MARGIN = Number(process.env.SM ?? 0);

/** What is known of one model's idle times. */
export class IdleHistory {
  readonly #options: IdleHistoryOptions;
  readonly #idle = new IdleHistogram();
  readonly #seasonal = new IdleHistogram();
  readonly #season = new Season();
  #score = 0;
  #samples = 0;
  #revision = 0;
  #nextRevision = 1;
  #nextDecayMs = 0;
  #decayedMs = 0;

  constructor(_saved?: unknown, options: Partial<IdleHistoryOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  first: number | null = null;
  uses = 0;
  perDay(wallMs: number) {
    return this.uses / Math.max(1, (wallMs - (this.first ?? 0)) / 86400000);
  }
  used(idleMs: number | null, wallMs: number): void {
    this.first ??= wallMs;
    this.uses++;
    if (wallMs >= this.#nextDecayMs) this.#decay(wallMs);
    if (SEASON) this.#season.add(wallMs);
    if (idleMs === null || idleMs <= 0) return;
    if (SEASON) {
      const rate = this.#season.rate(wallMs);
      const seasonMs =
        idleMs < 60_000 ? idleMs * rate : this.#season.toSeason(wallMs) - this.#season.toSeason(wallMs - idleMs);
      if (this.#season.known && idleMs >= 60_000)
        this.#score += Math.log((this.#seasonal.density(seasonMs) * rate) / this.#idle.density(idleMs));
      this.#seasonal.add(seasonMs);
    }
    this.#idle.add(idleMs);
    if (++this.#samples >= this.#nextRevision) {
      this.#season.refresh(wallMs);
      this.#revision++;
      this.#nextRevision = this.#samples + Math.max(1, this.#idle.total * GROWTH);
    }
  }

  get samples(): number {
    return this.#samples;
  }

  get revision(): number {
    return this.#revision;
  }

  get seasonal(): boolean {
    return this.#season.known && this.#score > MARGIN;
  }

  stretches(wallMs: number): Stretch[] {
    if (!this.seasonal) return withTail(this.#idle.stretches(), this.#idle.total);
    const found = withTail(this.#seasonal.stretches(), this.#seasonal.total);
    const start = this.#season.toSeason(wallMs);
    const edges = new Float64Array(2 * found.length);
    for (const [i, { fromMs, toMs }] of found.entries()) {
      edges[2 * i] = start + fromMs;
      edges[2 * i + 1] = start + toMs;
    }
    this.#season.toWall(edges);
    return found.map(({ weight }, i) => ({ fromMs: edges[2 * i]! - wallMs, toMs: edges[2 * i + 1]! - wallMs, weight }));
  }

  get unseen(): number {
    return UNSEEN;
  }

  toJSON(): unknown {
    return null;
  }
  nextUseWithin(_h: number, idleMs: number, _w: number): number {
    return 1 / (1 + idleMs / 60000);
  }

  #decay(wallMs: number): void {
    const elapsed = this.#decayedMs === 0 ? 0 : Math.max(0, wallMs - this.#decayedMs);
    this.#decayedMs = wallMs;
    this.#nextDecayMs = wallMs + DECAY_EVERY_MS;
    const { total } = this.#idle;
    const factor = Math.exp(-elapsed / (HISTORY_WINDOWS * this.#options.windowMs));
    if (total > LEAST_KEPT) {
      const f = Math.max(factor, LEAST_KEPT / total);
      this.#idle.decay(f);
      this.#seasonal.decay(f);
      this.#season.decay(f);
      this.#score *= f;
    }
  }
}

function withTail(seen: Stretch[], n: number): Stretch[] {
  const k0 = Math.max(n * 0.1, Math.min(n / 2, 10));
  let k = 0;
  let sum = 0;
  let i = seen.length - 1;
  for (; i >= 0 && k < k0; i--) {
    const s = seen[i]!;
    k += s.weight;
    sum += (s.weight * (s.fromMs + s.toMs)) / 2;
  }
  const u = i >= 0 ? seen[i]!.toMs : 0;
  const e = Math.max(1, sum - k * u);
  let from = seen.at(-1)?.toMs ?? 0;
  const b = from;
  let left = 1;
  for (const f of [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20]) {
    const to = b + (f * e) / k;
    const s = (1 + (to - b) / e) ** -k;
    seen.push({ fromMs: from, toMs: to, weight: left - s });
    from = to;
    left = s;
  }
  return seen;
}
