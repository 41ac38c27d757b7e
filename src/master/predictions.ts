import type { App } from '../apps/app.js';
import type { Clock } from '../clock.js';
import type { ModelAppConfig } from '../config/schema.js';
import { servedVersions, versionWeights } from '../config/versions.js';
import { SupError } from '../errors.js';
import type { Model } from '../models/model.js';
import type { ModelRuntime } from '../models/runtime.js';
import { VersionDraw } from '../models/version-draw.js';
import type { JobRequest, JobResult } from '../pool/job.js';
import { hashInput } from '../pool/quarantine.js';
import { streamPrediction } from './prediction-stream.js';
import type { Entry, Registry } from './registry.js';
import type { PredictReply, PredictRequest, PredictStream, StreamRequest } from './supervisor.js';

/** How a configuration answers requests that name no version. */
interface Serving {
  served: readonly string[];
  draw: VersionDraw;
}

/** From a request's model and version to the queue that serves it. */
export class Predictions {
  /** Models that the configuration files name as default, newest last. */
  defaultModel: string | null = null;
  readonly #servings = new WeakMap<ModelAppConfig, Serving>();

  constructor(
    private readonly registry: Registry,
    private readonly clock: Clock,
    private readonly runtime: ModelRuntime,
  ) {}

  async predict(request: PredictRequest): Promise<PredictReply> {
    const failed = new Set<string>();
    for (;;) {
      const model = this.#route(request, failed);
      const reply = await this.#ask(model, request);
      if (!reply.results.every(couldNotLoad) || !this.#hasOther(request, model, failed)) return reply;
    }
  }

  async #ask(model: Model, request: PredictRequest): Promise<PredictReply> {
    const { app, version } = model;
    const startedAt = this.clock.now();
    this.runtime.began(model);
    try {
      const results = await model.dispatcher.submit({
        inputs: request.inputs,
        priority: request.priority,
        timeoutMs: request.timeoutMs,
        signal: request.signal,
        key: routingKey(model.config, request),
        onWait: () => this.runtime.demand(model),
      });
      return { model: app.name, version, results, timing: this.#timing(results, request.user, model, startedAt) };
    } finally {
      this.runtime.ended(model);
    }
  }

  /** Whoever names no version need not fail because one of them can't be loaded. */
  #hasOther({ version }: PredictRequest, { app, version: asked }: Model, failed: Set<string>): boolean {
    failed.add(asked);
    return version === null && this.#able(app, failed).length > 0;
  }

  #timing(results: readonly JobResult[], user: string | null, { pool }: Model, startedAt: number) {
    let queueMs = 0;
    let computeMs = 0;
    for (const result of results) {
      if (!result.ok) continue;
      if (result.queueMs > queueMs) queueMs = result.queueMs;
      if (result.computeMs > computeMs) computeMs = result.computeMs;
      if (user !== null) pool.workers.find((worker) => worker.id === result.worker)?.seeUser(user);
    }
    return { queue_ms: round(queueMs), compute_ms: round(computeMs), total_ms: round(this.clock.now() - startedAt) };
  }

  /** @throws SupError SUP_MODEL_NOT_FOUND */
  async stream(request: StreamRequest): Promise<PredictStream> {
    const model = this.#route(request);
    const { app, version } = model;
    const startedAt = this.clock.now();
    this.runtime.began(model);
    return streamPrediction(request, {
      model: app.name,
      version,
      submit: (job) =>
        model.dispatcher
          .submit({
            ...job,
            key: routingKey(model.config, { ...request, inputs: [request.input] }),
            onWait: () => this.runtime.demand(model),
          })
          .finally(() => this.runtime.ended(model)),
      answered: (result) => ({ worker: result.worker, timing: this.#timing([result], request.user, model, startedAt) }),
    });
  }

  /** @throws SupError SUP_MODEL_NOT_FOUND */
  versionFor(model: string, version: string | null, user: string | null): string {
    return this.#route({ model, version, user }).version;
  }

  /** @throws SupError SUP_MODEL_NOT_FOUND */
  nameOfDefault(): string {
    if (this.defaultModel !== null && this.registry.get(this.defaultModel)?.model) return this.defaultModel;
    const models = this.registry.entries.filter((entry) => entry.model);
    if (models.length === 1) return (models[0] as Entry).app.name;
    throw new SupError(
      'SUP_MODEL_NOT_FOUND',
      models.length === 0
        ? 'no model is configured'
        : `the request names no model and there are several (${models.map((e) => e.app.name).join(', ')}): name one, or set inference.default_model`,
    );
  }

  userHeader(model: string): string | null {
    return this.registry.get(model)?.app.config.recycle.userKey?.header ?? null;
  }

  /** The header that its workers are chosen by (lower case), or null. */
  routingHeader(model: string): string | null {
    const entry = this.registry.get(model);
    if (!entry?.model) return null;
    const { strategy, key } = (entry.app.config as ModelAppConfig).routing;
    return strategy === 'consistent_hash' && typeof key === 'object' ? key.header : null;
  }

  /** @param failed versions that need not be asked again */
  #route(
    { model, version, user }: Pick<PredictRequest, 'model' | 'version' | 'user'>,
    failed: ReadonlySet<string> = NONE,
  ): Model {
    const name = model ?? this.nameOfDefault();
    const entry = this.registry.get(name);
    if (!entry?.model) {
      const names = this.registry.entries.filter((e) => e.model).map((e) => e.app.name);
      throw new SupError(
        'SUP_MODEL_NOT_FOUND',
        `no model '${name}'${names.length > 0 ? `; there are: ${names.join(', ')}` : ''}`,
        { model: name },
      );
    }
    const { app } = entry;
    const chosen = version ?? this.#draw(app, user, failed);
    const found = this.#modelOf(app, chosen);
    if (!found)
      throw new SupError(
        'SUP_MODEL_NOT_FOUND',
        `${name} has no version '${chosen}'; there are: ${app.parts.versions(app.config).join(', ')}`,
        { model: name, version: chosen },
      );
    return found;
  }

  /** Undefined also for a version that was taken out and still drains. */
  #modelOf(app: App, version: string): Model | undefined {
    const pool = app.pools.get(version);
    return pool && app.parts.versions(app.config).includes(version) ? this.runtime.of(app, pool) : undefined;
  }

  #draw(app: App, user: string | null, failed: ReadonlySet<string>): string {
    const { served, draw } = this.#servingOf(app);
    // The usual case, and each request comes by here.
    return served.length === 1 ? served[0]! : draw.next(user, this.#able(app, failed));
  }

  #servingOf({ config }: App): Serving {
    const model = config as ModelAppConfig;
    let serving = this.#servings.get(model);
    if (!serving) {
      const versions = servedVersions(model.versions, model.versionPolicy);
      const draw = new VersionDraw(versionWeights({ ...model, versions }), model.defaultVersion);
      serving = { served: versions.map(({ version }) => version), draw };
      this.#servings.set(model, serving);
    }
    return serving;
  }

  /**
   * Versions that would answer now, or after a load that is the request's to wait for. Where there is none of these: those that
   * start anyway, and may take long or fail.
   */
  #able(app: App, failed: ReadonlySet<string>): string[] {
    const able: string[] = [];
    const starting: string[] = [];
    for (const version of this.#servingOf(app).served) {
      const model = this.#modelOf(app, version);
      if (failed.has(version) || !model || this.runtime.refusal(model) !== null) continue;
      (model.isReady || model.onDemand ? able : starting).push(version);
    }
    return able.length > 0 ? able : starting;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** It did not run, and nobody can tell when it will. */
function couldNotLoad(result: PredictReply['results'][number]): boolean {
  return !result.ok && (result.error.code === 'SUP_LOAD_FAILED' || result.error.code === 'SUP_WORKER_BOOT_FAILED');
}

/** What `consistent_hash` keeps together. Null: another strategy, or a request that has none. */
function routingKey(
  { routing }: ModelAppConfig,
  request: Pick<PredictRequest, 'inputs' | 'user' | 'sticky'>,
): JobRequest['key'] {
  if (routing.strategy !== 'consistent_hash') return null;
  if (routing.key === 'user') return request.user;
  if (routing.key === 'input') return request.inputs.map(nameOfInput);
  return request.sticky;
}

/** What no message can carry is refused later, with a reason; where it would have gone does not matter. */
function nameOfInput(input: unknown): string {
  try {
    return hashInput(input);
  } catch {
    return '';
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
