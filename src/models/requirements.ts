/** Models that others cannot do without: `unload.requires`. */
import type { Model } from './model.js';

/** Those that must be loaded before it. A name without a version means the default one. */
export function requirementsOf(model: Model, models: readonly Model[]): Model[] {
  return model.config.unload.requires.flatMap(
    (name) => models.find((other) => other !== model && isMeant(other, name)) ?? [],
  );
}

/** Those that it cannot do without, directly or not; itself is none of them, even where they go round in a circle. */
export function allRequirementsOf(model: Model, models: readonly Model[]): Set<Model> {
  const found = new Set<Model>();
  const visit = (from: Model) => {
    for (const required of requirementsOf(from, models)) {
      if (required === model || found.has(required)) continue;
      found.add(required);
      visit(required);
    }
  };
  visit(model);
  return found;
}

/** Loaded models that could not do without it, directly or not. */
export function neededBy(model: Model, models: readonly Model[]): Model[] {
  return models.filter((other) => other !== model && other.loaded && allRequirementsOf(other, models).has(model));
}

/** As users call it: the version is only said where there are several. */
export function shortName({ app, name, config }: Model): string {
  return config.versions.length === 1 ? app.name : name;
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
