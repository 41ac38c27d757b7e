import type { App } from '../apps/app.js';
import type { ModelParts } from '../apps/model-app.js';
import type { Pool } from '../pool/pool.js';
import { type LearnedModel, Model } from './model.js';

export interface CatalogueDependencies {
  apps: () => readonly App[];
  /** By the names of pools. */
  learned: Record<string, LearnedModel>;
  /** How far back learning looks. */
  windowMs: () => number;
}

/** Every model version that there is, and what was learned of those that there were. */
export class Catalogue {
  readonly #models = new Map<Pool, Model>();
  readonly #learned: Map<string, LearnedModel>;

  constructor(private readonly deps: CatalogueDependencies) {
    this.#learned = new Map(Object.entries(deps.learned));
  }

  all(): Model[] {
    return this.deps.apps().flatMap((app) => this.ofApp(app));
  }

  ofApp(app: App): Model[] {
    if (app.config.kind !== 'model') return [];
    return [...app.pools.values()].map((pool) => this.#models.get(pool) ?? this.#add(app, pool));
  }

  /** @returns undefined for pools of other kinds of apps */
  of(app: App, pool: Pool): Model | undefined {
    return this.#models.get(pool) ?? this.ofApp(app).find((model) => model.pool === pool);
  }

  /** Forgets those that are gone, and returns them; what was learned of them stays. */
  prune(): Model[] {
    const alive = new Set(this.all());
    const gone = [...this.#models.values()].filter((model) => !alive.has(model));
    for (const model of gone) {
      this.#learned.set(model.name, model.learned());
      this.#models.delete(model.pool);
    }
    return gone;
  }

  /** What outlives the master, by the names of the pools. */
  learned(): Record<string, LearnedModel> {
    for (const model of this.all()) this.#learned.set(model.name, model.learned());
    return Object.fromEntries(this.#learned);
  }

  #add(app: App, pool: Pool): Model {
    const version = pool.version as string;
    const dispatcher = (app.parts as ModelParts).dispatcher(version);
    const model = new Model(app, version, pool, dispatcher, this.#learned.get(pool.name), this.deps.windowMs());
    this.#models.set(pool, model);
    return model;
  }
}
