import type { App } from '../apps/app.js';
import type { ModelAppConfig } from '../config/schema.js';
import type { SupError } from '../errors.js';
import { IdleHistory } from '../policy/keepalive.js';
import type { Sizes } from '../policy/load.js';
import type { Dispatcher } from '../pool/dispatcher.js';
import type { Pool } from '../pool/pool.js';
import { ownBytes } from '../pool/sizing.js';

/** What of a model outlives the master. */
export interface LearnedModel {
  history: unknown;
  bytes: number | null;
  gpuBytes: number | null;
  loadSeconds: number | null;
}

/** Why the last load came to nothing, and until when no request tries again; monotonic ms. */
export interface LoadFailure {
  error: SupError;
  at: number;
  until: number;
}

/** How much of what a former load took is kept when another one took something else. */
const KEPT_SHARE = 0.5;

/** One version of a model: how it is used, and what loading it costs. */
export class Model {
  readonly history: IdleHistory;
  /** What all its workers took right after its last load, and how long loads take. */
  size: Sizes;
  loadSeconds: number | null;
  failure: LoadFailure | null = null;
  /** Under way. */
  unloading: Promise<void> | null = null;
  /** Loaded on the chance of being used, and not used since. */
  standby = false;
  readonly counts = { loads: 0, unloads: 0, failures: 0, coldStarts: 0, requests: 0, loadSeconds: 0 };
  lastLoadSeconds: number | null = null;
  /** When its present load was over; monotonic ms. */
  loadedAt: number | null = null;
  #inSystem = 0;
  /** Its size is of the present load. */
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
    this.loadSeconds = learned?.loadSeconds ?? null;
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
    this.counts.requests++;
    this.standby = false;
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
    this.#sized = false;
    this.failure = null;
  }

  /** Its part of the box's memory now, and of the GPUs'. */
  measured(): Sizes {
    const { workers } = this.pool;
    return { bytes: sumOf(workers.map(ownBytes)), gpuBytes: sumOf(workers.map(({ readings }) => readings.gpuBytes)) };
  }

  /**
   * Memory was measured. The first look after a load is what a next one has to have room for: what it takes later, in use, it may
   * never take again.
   */
  learnSize(sampledAt: number): void {
    if (this.#sized || this.loadedAt === null || sampledAt <= this.loadedAt) return;
    const { bytes, gpuBytes } = this.measured();
    if (bytes === null) return;
    this.size = { bytes, gpuBytes: gpuBytes ?? this.size.gpuBytes };
    this.#sized = true;
  }

  learned(): LearnedModel {
    return {
      history: this.history.toJSON(),
      ...this.size,
      loadSeconds: this.loadSeconds,
    };
  }
}

function mix(before: number, now: number): number {
  return KEPT_SHARE * before + (1 - KEPT_SHARE) * now;
}

/** Null where nothing is known. */
function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
}
