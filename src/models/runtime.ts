import type { App } from '../apps/app.js';
import type { Clock } from '../clock.js';
import { type Config, STANDARD_BOX } from '../config/schema.js';
import { messageOf, SupError } from '../errors.js';
import type { ModelStatus } from '../master/model-status.js';
import type { UnloadingStatus } from '../master/unloading-status.js';
import type { ModelCounts } from '../metrics/model-history.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { LoadCause, Sizes } from '../policy/load.js';
import type { PressureLevel } from '../policy/pressure.js';
import type { Pool } from '../pool/pool.js';
import type { Worker } from '../worker/worker.js';
import { Catalogue } from './catalogue.js';
import { Exchanges } from './exchanges.js';
import { KeepValues } from './keep-value.js';
import { LoadFailures } from './load-failures.js';
import { Loads } from './loads.js';
import { MemoryLedger } from './memory-ledger.js';
import type { LearnedModel, Model } from './model.js';
import { refusal } from './refusal.js';
import { allRequirementsOf, neededBy } from './requirements.js';
import { modelCounts, modelStatus, stateOf } from './status.js';
import type { Strategies } from './strategies.js';
import { UnloadOrder } from './unload-order.js';
import { Unloading } from './unloading.js';

export type ModelSettings = Pick<Config, 'models' | 'unloading'>;

export interface ModelRuntimeDependencies {
  clock: Clock;
  apps: () => readonly App[];
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  warn: (text: string) => void;
  /** What the box leaves by what was measured last; null: not known. */
  room: () => { room: Sizes; standbyRoom: number | null };
  pressure: () => PressureLevel | null;
  /** Of what was measured last. */
  box: () => UnloadingStatus['box'];
  /** Its queue may have to open or close. */
  changed: (app: App) => void;
  learned: Record<string, LearnedModel>;
  /** Keeps it for the next master. */
  learn: (models: Record<string, LearnedModel>) => void;
}

const TICK_MS = 500;
const LEARN_EVERY_MS = 60_000;
/** A load that takes its full time fails by itself, with a reason: the requests that wait for it hear that. */
const LOAD_MARGIN_MS = 1000;

/** Which model versions are loaded, and when they go. */
export class ModelRuntime {
  readonly #catalogue: Catalogue;
  readonly #ledger = new MemoryLedger<Model>();
  readonly #loads: Loads;
  readonly #unloadOrder: UnloadOrder;
  readonly #failures: LoadFailures;
  readonly #unloading: Unloading;
  readonly #exchanges: Exchanges;
  readonly #timers: readonly { cancel(): void }[];
  #settings: ModelSettings = STANDARD_BOX;

  constructor(private readonly deps: ModelRuntimeDependencies) {
    const { clock, decided, apps, learned } = deps;
    this.#catalogue = new Catalogue({ apps, learned, windowMs: () => this.#settings.models.predictive.windowMs });
    const changed = (model: Model) => deps.changed(model.app);
    const values = new KeepValues(clock, () => this.#settings.unloading.order);
    const keep = (model: Model) => values.of(model);
    const makeRoom = (model: Model, reason: string, numbers: PolicyDecision['numbers']) => {
      values.evicted(model);
      this.#unloading.forAnother(model, reason, numbers);
    };
    this.#loads = new Loads({
      clock,
      ledger: this.#ledger,
      config: () => this.#settings,
      models: () => this.models(),
      room: deps.room,
      keepValue: keep,
      decided,
      unload: makeRoom,
      changed,
      refused: (model, error) => this.#failQueued(model, error),
    });
    this.#unloadOrder = new UnloadOrder({
      models: () => this.models(),
      isLoading: (model) => this.isLoading(model),
      unload: async (model, reason) => {
        this.#unloading.byHand(model, reason);
        await model.unloading;
      },
    });
    this.#failures = new LoadFailures({
      clock,
      loads: this.#loads,
      ledger: this.#ledger,
      cooldownMs: () => this.#settings.models.failureCooldownMs,
      decided,
      changed,
    });
    this.#unloading = new Unloading({
      clock,
      config: () => this.#settings,
      ledger: this.#ledger,
      decided,
      warn: deps.warn,
      pressure: deps.pressure,
      box: deps.box,
      isLoading: (model) => this.isLoading(model),
      keepValue: keep,
      load: (model) => this.#want(model, 'forecast'),
      changed,
      gone: () => this.#loads.look(),
      refused: () => this.#loads.refused,
    });
    this.#exchanges = new Exchanges({
      clock,
      config: () => this.#settings,
      strategies: this.#unloading.strategies,
      pressure: deps.pressure,
      facts: (model) => this.#loads.facts(model, 'forecast', 1),
      newcomer: (model) => values.newcomer(model),
      isLoading: (model) => this.isLoading(model),
      decided,
      unload: makeRoom,
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
    const models = this.models();
    for (const model of models) model.learnLeast(at);
    this.#loads.look();
    this.#unloading.sampled(at, models);
  }

  models(): Model[] {
    return this.#catalogue.all();
  }

  /** @returns undefined for pools of other kinds of apps */
  of(app: App, pool: Pool): Model | undefined {
    return this.#catalogue.of(app, pool);
  }

  status(): ModelStatus[] {
    const { clock } = this.deps;
    const known = {
      loads: this.#loads,
      idle: this.#unloading.idle,
      ledger: this.#ledger,
      now: clock.now(),
      wall: clock.wall(),
    };
    return this.models().map((model) => modelStatus(model, known));
  }

  unloading(): UnloadingStatus {
    return this.#unloading.status(this.models());
  }

  /** Unloading strategies by name; plug-ins may add some. */
  get strategies(): Strategies {
    return this.#unloading.strategies;
  }

  /** Whether it may be unloaded where memory runs out: nothing keeps it, it is idle, and whatever needs it may go as well. */
  mayEvict(pool: Pool): boolean {
    const models = this.models();
    const model = models.find((each) => each.pool === pool);
    return model !== undefined && this.#unloading.mayGo(model, models);
  }

  counts(): ModelCounts[] {
    const wall = this.deps.clock.wall();
    return this.models().map((model) => modelCounts(model, wall));
  }

  stateOf(model: Model) {
    return stateOf(model, this.#loads, this.deps.clock.now());
  }

  /** Loads wanted or under way, and models whose memory is on the move: both are nothing when all is at rest. */
  get pending(): { loads: number; ledger: number } {
    return { loads: this.#loads.size, ledger: this.#ledger.size };
  }

  /** Why no request is taken now; null while one would be answered, or would wait for a load. */
  refusal(model: Model): SupError | null {
    return refusal(model, this.deps.clock.now());
  }

  /** It waits for its turn, or loads. */
  isLoading(model: Model): boolean {
    return this.#loads.stateOf(model) !== null;
  }

  /** How long a request waits for it to load, and for what it requires. */
  coldStartMs(model: Model): number {
    const { coldStartTimeoutMs } = this.#settings.models;
    if (coldStartTimeoutMs !== null) return coldStartTimeoutMs;
    const missing = [...allRequirementsOf(model, this.models())].filter(({ isReady }) => !isReady);
    return [model, ...missing].reduce((sum, { config }) => sum + config.ready.timeoutMs + LOAD_MARGIN_MS, 0);
  }

  /** A request comes in; each is followed by one `ended`. */
  began(model: Model): void {
    const { clock } = this.deps;
    model.began(clock.now(), clock.wall());
  }

  ended(model: Model): void {
    model.ended(this.deps.clock.now());
    // Whoever waits for a busy model to make room.
    if (this.#loads.size > 0 && model.isIdle) this.#loads.look();
  }

  /** A request has come, and nobody is there to take it. */
  demand(model: Model): void {
    model.counts.coldStarts++;
    this.#unloading.missed(model);
    this.#wake(model, 'request');
  }

  /** Something may be queued at a model that was scaled to nothing. */
  wakeIfQueued(model: Model): void {
    if (model.dispatcher.stats().queued > 0) this.#wake(model, 'request');
  }

  /** A request is about to come. */
  wake(model: Model): void {
    this.#wake(model, 'forecast');
  }

  /** @throws SupError why it has not got its size */
  async start(app: App, pool: Pool, size: number): Promise<void> {
    const model = this.of(app, pool);
    if (!model) return pool.resize(size);
    if (size > 0) return this.#loads.want(model, 'start', size);
    const { coldStart, preloadPopular, popularityThreshold } = this.#settings.models;
    if (coldStart === 'eager') return this.#loads.want(model, 'eager', 1);
    if (coldStart === 'lazy' || !preloadPopular) return;
    const popularity = model.history.popularity(this.deps.clock.wall());
    if (popularity >= popularityThreshold) this.#want(model, 'popular');
    else if (popularity > 0 && model.size.bytes !== null) this.#want(model, 'standby');
  }

  /** Resolves when it has the size that it is to have, or waits for requests. @throws SupError why not */
  async settled(app: App, pool: Pool): Promise<void> {
    const model = this.of(app, pool);
    await (model && this.#loads.ofModel(model));
    await pool.settled();
  }

  /** By hand: also where a load has failed, or the version policy has left it out. @throws SupError */
  async load(app: App, pool: Pool): Promise<void> {
    const model = this.of(app, pool);
    if (!model) throw notAModel(app);
    const { stops } = pool;
    await pool.stopped();
    if (pool.stops !== stops) throw new SupError('SUP_CONFLICT', `${pool.name} was stopped meanwhile`);
    model.failure = null;
    if (pool.phase !== 'running') await pool.start(0);
    if (model.isReady) return;
    // Its workers gave up, or wait before they try again: at once means at once.
    if (this.#loads.ofModel(model) === null && pool.desired > 0) return pool.start(pool.desired);
    await this.#loads.want(model, 'operator', Math.max(1, app.sizeOf(pool)));
  }

  /** By hand; what is in flight is finished. @throws SupError SUP_CONFLICT while it loads, or what stays loaded needs it */
  async unload(app: App, pool: Pool, reason: string): Promise<void> {
    const model = this.of(app, pool);
    if (!model) throw notAModel(app);
    await this.#unloadOrder.unload(model, reason);
  }

  /** As `unload`; one that loads is called off. @throws SupError SUP_CONFLICT where others cannot do without it */
  async empty(app: App, pool: Pool): Promise<void> {
    const model = this.of(app, pool);
    if (!model?.isReady || this.isLoading(model)) return pool.resize(0);
    await this.#unloadOrder.unload(model, 'scaled to 0');
  }

  /** Since memory runs out; those that cannot do without it go before it. */
  async evict(pool: Pool, reason: string): Promise<void> {
    const models = this.models();
    const model = models.find((each) => each.pool === pool);
    if (!model) return pool.resize(0);
    const needing = neededBy(model, models);
    await Promise.all(needing.map((each) => this.evict(each.pool, reason)));
    // They took their time: somebody may have asked for it meanwhile.
    if (needing.length > 0 && !this.mayEvict(pool)) return;
    this.#unloading.inEmergency(model, reason);
    await model.unloading;
  }

  /** A worker of one of them has changed its state. */
  workerChanged(app: App, worker: Worker): void {
    const model = this.#catalogue.ofApp(app).find(({ pool }) => pool.workers.includes(worker));
    if (!model) return;
    // Not by way of a load of ours: an operator had a failed one tried again, or its size was fixed.
    if (worker.state === 'ready' && model.loadedAt === null && this.#loads.ofModel(model) === null)
      model.loadEnded(worker.bootMs / 1000, this.deps.clock.now());
    // What requires it may wait for it.
    if (worker.state === 'ready') this.#loads.look();
    const hasFailed = (worker.state === 'backoff' || worker.state === 'failed') && worker.failedBoots > 0;
    // One on trial harms nobody.
    if (!hasFailed || model.isReady || !model.pool.active().includes(worker)) return;
    this.#loads.release(model);
    if (!model.onDemand || model.pool.phase !== 'running') return;
    this.#failures.add(model, worker);
  }

  /** It was started or stopped, or has other versions. */
  appChanged(app: App): void {
    for (const model of this.#catalogue.ofApp(app)) {
      if (model.pool.phase === 'running') continue;
      model.loadedAt = null;
      this.#loads.callOff(model);
    }
    this.#loads.look();
  }

  #learn(): void {
    for (const model of this.models()) model.learnSize();
    try {
      this.deps.learn(this.#catalogue.learned());
    } catch (error) {
      this.deps.warn(`what was learned of models could not be kept: ${messageOf(error)}`);
    }
  }

  #tick(): void {
    for (const model of this.#catalogue.prune()) {
      this.#loads.callOff(model);
      this.#ledger.forget(model);
    }
    const models = this.models();
    this.#failures.expire(models);
    this.#unloading.tick(models);
    this.#exchanges.tick(models);
  }

  #wake(model: Model, cause: LoadCause): void {
    if (model.pool.phase === 'running' && model.pool.desired === 0) this.#want(model, cause);
  }

  #want(model: Model, cause: LoadCause): void {
    // Neither a request nor a forecast tries again before the cooldown is over.
    if (this.refusal(model) !== null) return;
    // Requests are told which of those it is that they cannot have it without.
    const required = [...allRequirementsOf(model, this.models())];
    if (cause !== 'request' && required.some((each) => !each.isReady && this.refusal(each) !== null)) return;
    // Why it failed is in the decision log, in the model's status, and in the answers.
    this.#loads.want(model, cause, Math.max(1, model.app.sizeOf(model.pool))).catch(() => {});
  }

  /** What waits is told why; the next request may find room. */
  #failQueued(model: Model, error: SupError): void {
    model.dispatcher.setAvailability({ kind: 'down', error });
    this.deps.changed(model.app);
  }
}

function notAModel(app: App): SupError {
  return new SupError('SUP_BAD_REQUEST', `${app.name} is no model: only models are loaded and unloaded`, {
    app: app.name,
  });
}
