import type { App } from '../apps/app.js';
import type { ModelAppConfig, ModelUnloadConfig } from '../config/schema.js';
import type { SupError } from '../errors.js';
import type { UnloadCause } from '../master/unloading-status.js';
import { IdleHistory } from '../policy/keepalive.js';
import type { Sizes } from '../policy/load.js';
import { patienceAfter, REGRET_MS } from '../policy/unload/patience.js';
import type { Dispatcher } from '../pool/dispatcher.js';
import type { Pool } from '../pool/pool.js';
import { ownBytes } from '../pool/sizing.js';

/** What of a model outlives the master. */
export interface LearnedModel {
  history: unknown;
  bytes: number | null;
  gpuBytes: number | null;
  leastBytes?: number | null;
  leastGpuBytes?: number | null;
  loadSeconds: number | null;
  patience?: number;
}

/** Why the last load came to nothing, and until when no request tries again; monotonic ms. */
export interface LoadFailure {
  error: SupError;
  at: number;
  until: number;
}

/** Of a version that is no longer configured. */
const NO_WORD: ModelUnloadConfig = { strategy: null, preference: null };
/** How much of what a former load took is kept when another one took something else. */
const KEPT_SHARE = 0.5;

/** One version of a model: how it is used, and what loading it costs. */
export class Model {
  readonly history: IdleHistory;
  /** What one of its workers takes in use. */
  size: Sizes;
  /** What one took right after the last load. */
  least: Sizes;
  /** How long loads take. */
  loadSeconds: number | null;
  /** Under way. */
  unloading: Promise<void> | null = null;
  /** When it was unloaded last (monotonic ms), and why; null once a request has come after that. */
  unloaded: { at: number; cause: UnloadCause } | null = null;
  /** By how much longer it is kept than others, for what came of unloading it. */
  patience: number;
  /** Loaded on the chance of being used, and not used since. */
  standby = false;
  readonly counts = { loads: 0, unloads: 0, failures: 0, coldStarts: 0, hits: 0, loadSeconds: 0 };
  /** Requests since it was loaded, those included that waited for that. */
  uses = 0;
  lastLoadSeconds: number | null = null;
  /** When its present load was over; monotonic ms. */
  loadedAt: number | null = null;
  #inSystem = 0;
  #failure: LoadFailure | null = null;
  /** Its least size is of the present load. */
  #sized = false;
  /** Since when nothing is asked of it; monotonic ms. Null before the first request. */
  #idleAt: number | null = null;

  constructor(
    readonly app: App,
    readonly version: string,
    readonly pool: Pool,
    readonly dispatcher: Dispatcher,
    learned: LearnedModel | undefined,
    windowMs: number,
  ) {
    this.history = new IdleHistory(learned?.history, { windowMs });
    this.size = { bytes: learned?.bytes ?? null, gpuBytes: learned?.gpuBytes ?? null };
    this.least = { bytes: learned?.leastBytes ?? null, gpuBytes: learned?.leastGpuBytes ?? null };
    this.loadSeconds = learned?.loadSeconds ?? null;
    this.patience = learned?.patience ?? 1;
  }

  /** Why its last load came to nothing; null when nothing is held against it. */
  get failure(): LoadFailure | null {
    return this.#failure;
  }
  set failure(failure: LoadFailure | null) {
    this.#failure = failure;
    this.pool.loadFailure = failure?.error.message ?? null;
  }
  get name(): string {
    return this.pool.name;
  }
  get config(): ModelAppConfig {
    return this.app.config as ModelAppConfig;
  }
  /** It may be unloaded, and a request brings it back. */
  get onDemand(): boolean {
    return (this.app.pinnedSize(this.version) ?? this.config.workers.min) === 0;
  }
  /** What users want of its unloading, of this version or of all. */
  get unload(): ModelUnloadConfig {
    return this.config.versions.find(({ version }) => version === this.version)?.unload ?? NO_WORD;
  }
  get loaded(): boolean {
    return this.pool.phase === 'running' && this.pool.desired > 0;
  }
  /** Not loaded any more, and still there. */
  get isLeaving(): boolean {
    return !this.loaded && this.pool.workers.length > 0;
  }
  get isReady(): boolean {
    return this.pool.readyCount() > 0;
  }
  /** Nothing is queued, in flight or asked for. */
  get isIdle(): boolean {
    if (this.#inSystem > 0) return false;
    // What nobody waits for any more may still be at work.
    const { queued, inFlight } = this.dispatcher.stats();
    return queued === 0 && inFlight === 0;
  }

  /** A request comes in; each is followed by one `ended`. */
  began(now: number, wall: number): void {
    if (this.dispatcher.isUp) this.counts.hits++;
    this.standby = false;
    this.uses++;
    const idleMs = this.#idleAt === null ? null : now - this.#idleAt;
    this.history.used(this.#inSystem++ === 0 ? idleMs : 0, wall);
  }

  ended(now: number): void {
    if (--this.#inSystem === 0) this.#idleAt = now;
  }

  /** Since the end of the last request, or since it was loaded where none came; null while there is one. */
  idleMs(now: number): number | null {
    if (!this.isIdle) return null;
    const since = Math.max(this.#idleAt ?? Number.NEGATIVE_INFINITY, this.loadedAt ?? Number.NEGATIVE_INFINITY);
    return since === Number.NEGATIVE_INFINITY ? null : now - since;
  }

  /** Since the end of the last request, whatever happened to the model meanwhile; null before the first. */
  unusedMs(now: number): number | null {
    return this.#inSystem > 0 ? 0 : this.#idleAt === null ? null : now - this.#idleAt;
  }

  loadEnded(seconds: number, now: number): void {
    this.counts.loads++;
    this.counts.loadSeconds += seconds;
    this.lastLoadSeconds = seconds;
    this.loadSeconds = this.loadSeconds === null ? seconds : mix(this.loadSeconds, seconds);
    this.loadedAt = now;
    this.uses = this.#inSystem;
    this.#sized = false;
    this.failure = null;
  }

  /** A request has come while it was not loaded: whether it was unloaded too soon. Null where nobody decided that, or it was judged before. */
  judgeUnload(now: number): 'regretted' | 'right' | null {
    const { unloaded } = this;
    if (unloaded === null) return null;
    this.unloaded = null;
    // Somebody wanted that.
    if (unloaded.cause === 'manual' || unloaded.cause === 'preference') return null;
    const goneMs = now - unloaded.at;
    this.patience = patienceAfter(this.patience, goneMs);
    return goneMs < REGRET_MS ? 'regretted' : 'right';
  }

  /** Its part of the box's memory now, and of the GPUs'. */
  measured(): Sizes {
    const { workers } = this.pool;
    return { bytes: sumOf(workers.map(ownBytes)), gpuBytes: sumOf(workers.map(({ readings }) => readings.gpuBytes)) };
  }

  /**
   * Memory was measured: the first look after a load shows the least that it takes. Requests may have come in between; what its
   * workers were born with, pages that they share with others included, is never less.
   */
  learnLeast(sampledAt: number): void {
    if (this.#sized || this.loadedAt === null || sampledAt <= this.loadedAt) return;
    const measured = this.#each(this.measured());
    if (measured.bytes === null) return;
    const { bytes: born } = this.#each({
      bytes: sumOf(this.pool.workers.map(({ readings }) => readings.bornWithBytes)),
      gpuBytes: null,
    });
    this.least = { ...measured, bytes: Math.min(measured.bytes, born ?? measured.bytes) };
    this.size = { bytes: this.size.bytes ?? measured.bytes, gpuBytes: this.size.gpuBytes ?? measured.gpuBytes };
    this.#sized = true;
  }

  /** Now and then, and before it goes: what it takes in use is what a next load should have room for. */
  learnSize(): void {
    if (!this.#sized || !this.isReady) return;
    const { bytes, gpuBytes } = this.#each(this.measured());
    this.size = { bytes: mixed(this.size.bytes, bytes), gpuBytes: mixed(this.size.gpuBytes, gpuBytes) };
  }

  /** Of all that there are, one's part. */
  #each(all: Sizes): Sizes {
    return times(all, 1 / Math.max(1, this.pool.workers.length));
  }

  learned(): LearnedModel {
    return {
      history: this.history.toJSON(),
      ...this.size,
      leastBytes: this.least.bytes,
      leastGpuBytes: this.least.gpuBytes,
      loadSeconds: this.loadSeconds,
      patience: this.patience,
    };
  }
}

export function times({ bytes, gpuBytes }: Sizes, factor: number): Sizes {
  const product = (size: number | null) => (size === null ? null : Math.round(size * factor));
  return { bytes: product(bytes), gpuBytes: product(gpuBytes) };
}

/** Of what was taken before and what is taken now, where both are known. */
function mixed(before: number | null, now: number | null): number | null {
  if (now === null) return before;
  return before === null ? now : Math.round(mix(before, now));
}

function mix(before: number, now: number): number {
  return KEPT_SHARE * before + (1 - KEPT_SHARE) * now;
}

/** Null where nothing is known. */
function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
}
