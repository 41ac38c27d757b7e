import type { App } from '../apps/app.js';
import type { ModelParts } from '../apps/model-app.js';
import type { Clock } from '../clock.js';
import { type Config, STANDARD_BOX } from '../config/schema.js';
import { messageOf, SupError } from '../errors.js';
import type { ModelStatus } from '../master/model-status.js';
import type { ModelCounts } from '../metrics/model-history.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { LoadCause, Sizes } from '../policy/load.js';
import type { PressureLevel } from '../policy/pressure.js';
import type { Pool } from '../pool/pool.js';
import type { Worker } from '../worker/worker.js';
import { Idle } from './idle.js';
import { Loads } from './loads.js';
import { MemoryLedger } from './memory-ledger.js';
import { type LearnedModel, Model } from './model.js';
import { modelCounts, modelStatus, stateOf } from './status.js';

export type ModelSettings = Pick<Config, 'models' | 'unloading'>;

export interface ModelRuntimeDependencies {
  clock: Clock;
  apps: () => readonly App[];
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  warn: (text: string) => void;
  /** What the box leaves by what was measured last; null: not known. */
  room: () => { room: Sizes; standbyRoom: number | null };
  pressure: () => PressureLevel | null;
  /** Its queue may have to open or close. */
  changed: (app: App) => void;
  learned: Record<string, LearnedModel>;
  /** Keeps it for the next master. */
  learn: (models: Record<string, LearnedModel>) => void;
}

const TICK_MS = 500;
const LEARN_EVERY_MS = 60_000;
/** Uses beyond this are not foreseen when it is weighed who goes. */
const NEXT_USE_MS = 15 * 60_000;
const MIB = 1024 ** 2;
/** A boot that takes too long is killed at `ready.timeout`; why it took too long is a better answer than that it did. */
const BOOT_END_MS = 1000;

/** Every model version of the box: which are loaded, when they go, and what was learned of them. */
export class ModelRuntime {
  readonly #models = new Map<Pool, Model>();
  readonly #learned: Map<string, LearnedModel>;
  readonly #ledger = new MemoryLedger();
  readonly #loads: Loads;
  readonly #idle: Idle;
  readonly #timers: readonly { cancel(): void }[];
  #settings: ModelSettings = STANDARD_BOX;

  constructor(private readonly deps: ModelRuntimeDependencies) {
    const { clock, decided } = deps;
    this.#learned = new Map(Object.entries(deps.learned));
    this.#loads = new Loads({
      clock,
      ledger: this.#ledger,
      config: () => this.#settings.models,
      models: () => this.models(),
      room: deps.room,
      keepValue: (model) => this.#keepValue(model),
      decided,
      unload: (model, reason, numbers) => this.#unload(model, 'load', reason, numbers),
      changed: (model) => deps.changed(model.app),
      refused: (model, error) => this.#failQueued(model, error),
    });
    this.#idle = new Idle({
      clock,
      config: () => this.#settings,
      pressure: deps.pressure,
      decided,
      unload: (model, reason, numbers) => this.#unload(model, 'keepalive', reason, numbers),
      load: (model) => this.#want(model, 'forecast'),
    });
    this.#timers = [
      clock.setInterval(() => this.#tick(), TICK_MS),
      clock.setInterval(() => this.#learn(), LEARN_EVERY_MS),
    ];
  }

  configure(settings: ModelSettings): void {
    this.#settings = settings;
    this.#loads.look();
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#learn();
  }

  /** Memory was measured; `at` is monotonic ms. */
  sampled(at: number): void {
    this.#ledger.sampled(at);
    for (const model of this.models()) model.learnSize(at);
    this.#loads.look();
  }

  models(): Model[] {
    return this.deps.apps().flatMap((app) => this.#of(app));
  }

  /** @returns undefined for pools of other kinds of apps */
  of(app: App, pool: Pool): Model | undefined {
    return this.#models.get(pool) ?? this.#of(app).find((model) => model.pool === pool);
  }

  status(): ModelStatus[] {
    const { clock } = this.deps;
    return this.models().map((model) => modelStatus(model, this.#loads, this.#idle, clock.now(), clock.wall()));
  }

  counts(): ModelCounts[] {
    const wall = this.deps.clock.wall();
    return this.models().map((model) => modelCounts(model, wall));
  }

  /** Why no request is taken now; null while there is no such reason. */
  refusal(model: Model): SupError | null {
    const { failure } = model;
    if (failure === null || failure.until <= this.deps.clock.now() || model.isReady) return null;
    const seconds = Math.max(1, Math.ceil((failure.until - this.deps.clock.now()) / 1000));
    return new SupError(
      'SUP_LOAD_FAILED',
      `${model.name} could not be loaded: ${failure.error.message}; requests try again in ${seconds} s, 'supervisor load ${model.name}' at once`,
      { model: model.config.name, version: model.version, retry_after_seconds: seconds },
      { cause: failure.error },
    );
  }

  /** Whether it would answer, or load and then answer. */
  takesRequests(model: Model): boolean {
    return model.pool.phase === 'running' && this.refusal(model) === null;
  }

  /** How long a request waits for it to load. */
  coldStartMs(model: Model): number {
    return this.#settings.models.coldStartTimeoutMs ?? model.config.ready.timeoutMs + BOOT_END_MS;
  }

  /** It waits for its turn, or loads. */
  isLoading(model: Model): boolean {
    return this.#loads.stateOf(model) !== null;
  }

  /** A request has come, and nobody is there to take it. */
  demand(app: App, pool: Pool): void {
    const model = this.of(app, pool);
    if (!model) return;
    model.counts.coldStarts++;
    this.wake(model);
  }

  /** Something is queued at a model that has no worker. */
  wake(model: Model): void {
    if (model.pool.phase !== 'running' || model.pool.desired > 0 || this.refusal(model) !== null) return;
    this.#want(model, 'request');
  }

  /** @throws SupError why it has not got its size */
  async start(app: App, pool: Pool, size: number): Promise<void> {
    const model = this.of(app, pool);
    if (!model) return pool.resize(size);
    if (size > 0) return this.#loads.want(model, 'start', size);
    const { coldStart, preloadPopular, popularityThreshold } = this.#settings.models;
    if (coldStart === 'eager') return this.#loads.want(model, 'start', 1);
    if (coldStart === 'lazy' || !preloadPopular) return;
    const popularity = model.popularity.value(this.deps.clock.wall());
    if (popularity >= popularityThreshold) this.#want(model, 'popular');
    else if (popularity > 0 && model.size.bytes !== null) this.#want(model, 'standby');
  }

  /** By hand: also where a load has failed, or the version policy has left it out. @throws SupError */
  async load(app: App, pool: Pool): Promise<void> {
    const model = this.of(app, pool);
    if (!model) throw notAModel(app);
    model.failure = null;
    await pool.stopped();
    if (pool.phase !== 'running') await pool.start(0);
    if (!model.isReady) await this.#loads.want(model, 'operator', Math.max(1, app.sizeOf(pool)));
  }

  /** By hand; what is in flight is finished. @throws SupError SUP_CONFLICT while it loads */
  async unload(app: App, pool: Pool, reason: string): Promise<void> {
    const model = this.of(app, pool);
    if (!model) throw notAModel(app);
    if (this.#loads.stateOf(model) !== null)
      throw new SupError('SUP_CONFLICT', `${model.name} is loading; unload it when that is done`, {
        model: model.config.name,
      });
    if (model.pool.phase !== 'running') return;
    this.#unload(model, 'operator', reason, {});
    await model.unloading;
  }

  /** At once, since memory runs out. */
  evict(pool: Pool, reason: string): Promise<void> {
    const model = this.#models.get(pool);
    if (!model) return pool.resize(0);
    this.#unload(model, 'memory', reason, { memory_bytes: model.measured().bytes });
    return model.unloading ?? Promise.resolve();
  }

  /** A worker of one of them has changed its state. */
  workerChanged(app: App, worker: Worker): void {
    if (worker.state !== 'backoff' && worker.state !== 'failed') return;
    const model = this.#of(app).find(({ pool }) => pool.workers.includes(worker));
    if (!model || worker.failedBoots === 0 || model.isReady) return;
    this.#loads.release(model);
    if (!model.onDemand) return;
    const error = new SupError('SUP_WORKER_BOOT_FAILED', worker.lastFailure ?? `${worker.id} did not start`);
    // Not in this turn: the worker is about to plan its restart.
    setImmediate(() => this.#failed(model, error));
  }

  /** It was started or stopped, or has other versions. */
  appChanged(app: App): void {
    for (const model of this.#of(app)) if (model.pool.phase !== 'running') this.#loads.callOff(model);
  }

  /** What outlives the master, by the names of the pools. */
  #learn(): void {
    for (const model of this.models()) {
      model.countUses(this.deps.clock.wall());
      this.#learned.set(model.name, model.learned());
    }
    try {
      this.deps.learn(Object.fromEntries(this.#learned));
    } catch (error) {
      this.deps.warn(`what was learned of models could not be kept: ${messageOf(error)}`);
    }
  }

  #of(app: App): Model[] {
    if (app.config.kind !== 'model') return [];
    const parts = app.parts as ModelParts;
    const found: Model[] = [];
    for (const [version, pool] of app.pools) {
      let model = this.#models.get(pool);
      if (!model) {
        const { windowMs } = this.#settings.models.predictive;
        const learned = this.#learned.get(pool.name);
        model = new Model(app, version as string, pool, parts.dispatcher(version as string), learned, windowMs);
        this.#models.set(pool, model);
      }
      found.push(model);
    }
    return found;
  }

  #tick(): void {
    const models = this.models();
    const wall = this.deps.clock.wall();
    this.#prune(models);
    for (const model of models) {
      model.countUses(wall);
      if (model.failure && model.failure.until <= this.deps.clock.now()) this.#forgive(model);
    }
    this.#idle.tick(models);
  }

  /** Requests may try again. */
  #forgive(model: Model): void {
    model.failure = null;
    this.deps.decided(model.name, 'load', { action: 'hold', reason: 'its load may be tried again', numbers: {} });
    this.deps.changed(model.app);
  }

  #want(model: Model, cause: LoadCause): void {
    // Why it failed is in the decision log, in the model's status, and in the answers.
    this.#loads.want(model, cause, Math.max(1, model.app.sizeOf(model.pool))).catch(() => {});
  }

  #unload(model: Model, policy: string, reason: string, numbers: PolicyDecision['numbers']): void {
    const { pool } = model;
    if (pool.phase !== 'running' || pool.desired === 0) return;
    const { decided, clock, warn } = this.deps;
    const size = model.measured();
    decided(model.name, policy, {
      action: 'unload',
      reason,
      numbers: { ...numbers, memory_bytes: size.bytes === null ? null : Math.round(size.bytes) },
    });
    this.#ledger.leaves(model.name, size);
    model.counts.unloads++;
    model.loadedAt = null;
    const unloading = pool
      .resize(0)
      .catch((error) => warn(`${model.name} was not unloaded: ${messageOf(error)}`))
      .finally(() => {
        if (model.unloading === unloading) model.unloading = null;
        this.#ledger.left(model.name, clock.now());
        this.#loads.look();
      });
    model.unloading = unloading;
    this.deps.changed(model.app);
  }

  /** On demand, one try is enough: the next one is after the cooldown, or by hand. */
  #failed(model: Model, error: SupError): void {
    const { clock, decided, changed } = this.deps;
    const { pool } = model;
    if (model.isReady || pool.phase !== 'running') return;
    const { failureCooldownMs } = this.#settings.models;
    model.counts.failures++;
    model.failure = { error, at: clock.now(), until: clock.now() + failureCooldownMs };
    decided(model.name, 'load', {
      action: 'failed',
      reason: error.message,
      numbers: { cooldown_ms: failureCooldownMs },
    });
    this.#ledger.forget(model.name);
    this.#loads.fail(model, error);
    void pool.resize(0).catch(() => {});
    changed(model.app);
  }

  /** What waits is told why; the next request may find room. */
  #failQueued(model: Model, error: SupError): void {
    model.dispatcher.setAvailability({ kind: 'down', error });
    this.deps.changed(model.app);
  }

  /** What is lost by unloading it: chance of use soon × load seconds ÷ MiB. */
  #keepValue(model: Model): number {
    const { clock } = this.deps;
    const idleMs = model.unusedMs(clock.now());
    const chance = idleMs === null ? 0 : model.history.nextUseWithin(NEXT_USE_MS, idleMs, clock.wall());
    return (chance * (model.loadSeconds ?? 1)) / Math.max(1, (model.size.bytes ?? 0) / MIB);
  }

  /** Of apps that are gone, what was learned stays. */
  #prune(models: readonly Model[]): void {
    if (this.#models.size === models.length) return;
    const alive = new Set(models.map(({ pool }) => pool));
    for (const [pool, model] of this.#models) {
      if (alive.has(pool)) continue;
      this.#loads.callOff(model);
      this.#learned.set(model.name, model.learned());
      this.#models.delete(pool);
    }
  }

  /** Loads and memory on the move: both are nothing when all is at rest. */
  get pending(): { loads: number; ledger: number } {
    return { loads: this.models().filter((model) => this.isLoading(model)).length, ledger: this.#ledger.size };
  }

  stateOf(model: Model) {
    return stateOf(model, this.#loads, this.deps.clock.now());
  }
}

function notAModel(app: App): SupError {
  return new SupError('SUP_BAD_REQUEST', `${app.name} is no model: only models are loaded and unloaded`, {
    app: app.name,
  });
}
