import { SupError } from '../errors.js';
import type { Model } from './model.js';
import { allRequirementsOf, neededBy, shortName } from './requirements.js';

export interface UnloadOrderDependencies {
  models: () => readonly Model[];
  isLoading: (model: Model) => boolean;
  /** Resolves when it is gone. */
  unload: (model: Model, reason: string) => Promise<void>;
}

/** Unloading by hand: nobody goes before those that cannot do without it. What one act asks for goes in that order. */
export class UnloadOrder {
  readonly #asked = new Map<Model, Promise<void>>();

  constructor(private readonly deps: UnloadOrderDependencies) {}

  /** A second call joins the first. @throws SupError SUP_CONFLICT while it loads, or what stays loaded needs it */
  unload(model: Model, reason: string): Promise<void> {
    const known = this.#asked.get(model);
    if (known) return known;
    const act = this.#inOrder(model, reason).finally(() => this.#asked.delete(model));
    this.#asked.set(model, act);
    return act;
  }

  async #inOrder(model: Model, reason: string): Promise<void> {
    this.#checkLoading(model);
    // Once this turn is over it is known what else was asked for with it.
    await Promise.resolve();
    const first = neededBy(model, this.deps.models());
    checkNeeded(
      model,
      first.filter((each) => !this.#asked.has(each)),
    );
    await Promise.allSettled([...first.map((each) => this.#asked.get(each)), ...this.#leaving(model)]);
    // Read again: requests may have come, and one of those may be loading, and stay.
    this.#checkLoading(model);
    checkNeeded(model, neededBy(model, this.deps.models()));
    if (model.pool.phase === 'running') await this.deps.unload(model, reason);
  }

  /** The ends of those that could not do without it, and are on their way out already. */
  #leaving(model: Model): (Promise<void> | null)[] {
    const models = this.deps.models();
    return models
      .filter((each) => each.isLeaving && allRequirementsOf(each, models).has(model))
      .map(({ unloading }) => unloading);
  }

  #checkLoading(model: Model): void {
    if (this.deps.isLoading(model))
      throw new SupError('SUP_CONFLICT', `${model.name} is loading; unload it when that is done`, {
        model: model.config.name,
      });
  }
}

function checkNeeded(model: Model, needing: readonly Model[]): void {
  if (needing.length === 0 || !model.loaded) return;
  const names = needing.map(shortName);
  throw new SupError(
    'SUP_CONFLICT',
    `${model.name} is needed by ${names.join(', ')}: unload ${names.join(', ')} first`,
    {
      model: model.config.name,
      needed_by: needing.map(({ name }) => name),
    },
  );
}
