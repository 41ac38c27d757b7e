import type { App } from '../apps/app.js';
import type { Clock } from '../clock.js';
import type { ModelAppConfig } from '../config/schema.js';
import { versionWeights } from '../config/versions.js';
import { SupError } from '../errors.js';
import type { Model } from '../models/model.js';
import type { ModelRuntime } from '../models/runtime.js';
import { VersionDraw } from '../models/version-draw.js';
import type { JobRequest, JobResult } from '../pool/job.js';
import { hashInput } from '../pool/quarantine.js';
import { streamPrediction } from './prediction-stream.js';
import type { Entry, Registry } from './registry.js';
import type { PredictReply, PredictRequest, PredictStream, StreamRequest } from './supervisor.js';

/** From a request's model and version to the queue that serves it. */
export class Predictions {
  /** Models that the configuration files name as default, newest last. */
  defaultModel: string | null = null;
  readonly #draws = new WeakMap<ModelAppConfig, VersionDraw>();

  constructor(
    private readonly registry: Registry,
    private readonly clock: Clock,
    private readonly runtime: ModelRuntime,
  ) {}

  async predict(request: PredictRequest): Promise<PredictReply> {
    const model = this.#route(request);
    const { clock } = this;
    const { app, pool, version } = model;
    const startedAt = clock.now();
    model.began(startedAt, clock.wall());
    try {
      const results = await model.dispatcher.submit({
        inputs: request.inputs,
        priority: request.priority,
        timeoutMs: request.timeoutMs,
        signal: request.signal,
        key: routingKey(model.config, request),
        onWait: () => this.runtime.demand(app, pool),
      });
      return { model: app.name, version, results, timing: this.#timing(results, request.user, model, startedAt) };
    } finally {
      model.ended(clock.now());
    }
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
    const { clock } = this;
    const { app, pool, version } = model;
    const startedAt = clock.now();
    model.began(startedAt, clock.wall());
    return streamPrediction(request, {
      model: app.name,
      version,
      submit: (job) =>
        model.dispatcher
          .submit({
            ...job,
            key: routingKey(model.config, { ...request, inputs: [request.input] }),
            onWait: () => this.runtime.demand(app, pool),
          })
          .finally(() => model.ended(clock.now())),
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

  #route({ model, version, user }: Pick<PredictRequest, 'model' | 'version' | 'user'>): Model {
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
    const chosen = version ?? this.#choose(app, user);
    const pool = app.pools.get(chosen);
    const found = pool && this.runtime.of(app, pool);
    if (!found)
      throw new SupError(
        'SUP_MODEL_NOT_FOUND',
        `${name} has no version '${chosen}'; there are: ${[...app.pools.keys()].join(', ')}`,
        { model: name, version: chosen },
      );
    return found;
  }

  /** For requests that name no version: by weight, and never to one that can't answer while another can. */
  #choose(app: App, user: string | null): string {
    const config = app.config as ModelAppConfig;
    const answers = (version: string) => {
      const pool = app.pools.get(version);
      const model = pool && this.runtime.of(app, pool);
      return model !== undefined && this.runtime.takesRequests(model);
    };
    let draw = this.#draws.get(config);
    if (!draw) {
      draw = new VersionDraw(versionWeights(config));
      this.#draws.set(config, draw);
    }
    return draw.next(user, config.defaultVersion, answers);
  }
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
