/** Models that others cannot do without: `unload.requires`. */
import type { Model } from './model.js';

/** Those that must be loaded before it. A name without a version means the default one. */
export function requirementsOf(model: Model, models: readonly Model[]): Model[] {
  return model.config.unload.requires.flatMap((name) => models.find((other) => isMeant(other, name)) ?? []);
}

/** Loaded models that could not do without it. */
export function neededBy(model: Model, models: readonly Model[]): Model[] {
  return models.filter((other) => other !== model && other.loaded && requirementsOf(other, models).includes(model));
}

/** Of each of these, which others of them could not do without it; who is needed by nobody is left out. */
export function dependents(models: readonly Model[]): Map<Model, Model[]> {
  const needed = new Map<Model, Model[]>();
  for (const model of models) {
    if (model.config.unload.requires.length === 0) continue;
    for (const required of requirementsOf(model, models))
      needed.set(required, [...(needed.get(required) ?? []), model]);
  }
  return needed;
}

function isMeant({ app, name, version, config }: Model, wanted: string): boolean {
  return wanted === name || (wanted === app.name && version === config.defaultVersion);
}
