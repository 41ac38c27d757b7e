import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import type { Model } from './model.js';

/** How long a model stays at least once it is loaded; one that is to go sooner by its own clock stays so long only. */
export function residencyMs(model: Model, { models, unloading }: Settings): number {
  const { toZeroAfterMs } = model.config.scale;
  return Math.min(
    unloading.minResidencyMs,
    toZeroAfterMs ?? Number.POSITIVE_INFINITY,
    models.ttlMs ?? Number.POSITIVE_INFINITY,
  );
}

/** Until it has been loaded for long enough to be worth its load; 0: it has, or was loaded on a chance that did not come. */
export function youngForMs(model: Model, settings: Settings, now: number): number {
  if (model.standby) return 0;
  const wholeMs = residencyMs(model, settings);
  return model.loadedAt === null ? wholeMs : Math.max(0, model.loadedAt + wholeMs - now);
}

interface Settings {
  models: ModelsConfig;
  unloading: UnloadingConfig;
}
