import type { ModelAppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { Pool } from '../pool/pool.js';
import { type Waking, wake } from './availability.js';
import type { Entry, Registry } from './registry.js';
import type { PredictReply, PredictRequest } from './supervisor.js';

/** From a request's model and version to the queue that serves it. */
export class Predictions {
  /** Models that the configuration files name as default, newest last. */
  defaultModel: string | null = null;

  constructor(
    private readonly registry: Registry,
    private readonly now: () => number,
    private readonly waking: Waking,
  ) {}

  async predict(request: PredictRequest): Promise<PredictReply> {
    const { entry, version } = this.#route(request.model ?? this.nameOfDefault(), request.version);
    const pool = entry.app.pools.get(version) as Pool;
    const startedAt = this.now();
    const results = await entry.model!.dispatcher(version).submit({
      inputs: request.inputs,
      priority: request.priority,
      timeoutMs: request.timeoutMs,
      signal: request.signal,
      onWait: () => wake(pool, this.waking),
    });
    let queueMs = 0;
    let computeMs = 0;
    for (const result of results) {
      if (!result.ok) continue;
      if (result.queueMs > queueMs) queueMs = result.queueMs;
      if (result.computeMs > computeMs) computeMs = result.computeMs;
      if (request.user !== null) pool.workers.find((worker) => worker.id === result.worker)?.seeUser(request.user);
    }
    return {
      model: entry.app.name,
      version,
      results,
      timing: { queue_ms: round(queueMs), compute_ms: round(computeMs), total_ms: round(this.now() - startedAt) },
    };
  }

  /** @throws SupError SUP_MODEL_NOT_FOUND */
  versionFor(model: string, version: string | null, _user: string | null): string {
    return this.#route(model, version).version;
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

  #route(model: string, version: string | null): { entry: Entry; version: string } {
    const entry = this.registry.get(model);
    if (!entry?.model) {
      const names = this.registry.entries.filter((e) => e.model).map((e) => e.app.name);
      throw new SupError(
        'SUP_MODEL_NOT_FOUND',
        `no model '${model}'${names.length > 0 ? `; there are: ${names.join(', ')}` : ''}`,
        { model },
      );
    }
    const versions = (entry.app.config as ModelAppConfig).versions.map((v) => v.version);
    // Without a word on it, the last one in the file: where a new version is usually added.
    const chosen = version ?? versions.at(-1)!;
    if (!entry.app.pools.has(chosen))
      throw new SupError(
        'SUP_MODEL_NOT_FOUND',
        `${model} has no version '${chosen}'; there are: ${versions.join(', ')}`,
        { model, version: chosen },
      );
    return { entry, version: chosen };
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
