import type { UnloadingConfig } from '../config/schema.js';
import type { PackageStatus, UnloadingStatus } from '../master/unloading-status.js';
import type { Model } from './model.js';
import { neededBy } from './requirements.js';
import type { UnloadLog } from './unload-log.js';

interface Known {
  config: UnloadingConfig;
  log: UnloadLog;
  box: UnloadingStatus['box'];
  refused: UnloadingStatus['refused'];
  observedMs: number;
  now: number;
  wall: number;
}

/** What `/api/package-unloading/*`, `list` and `describe` are made of. */
export function unloadingStatus(models: readonly Model[], known: Known): UnloadingStatus {
  const { config, log, box, refused, observedMs } = known;
  return {
    enabled: config.enabled,
    checkIntervalSeconds: config.checkIntervalMs / 1000,
    strategy: config.strategy,
    currentStrategy: config.strategy,
    strategies: Object.keys(config.timeoutsMs),
    pressureThreshold: config.pressureThreshold,
    maxPerCycle: config.maxPerCycle,
    minSavingsBytes: config.minSavingsBytes,
    observedSeconds: observedMs / 1000,
    totals: log.all,
    packages: models.map((model) => packageStatus(model, models, known)),
    box,
    refused,
  };
}

function packageStatus(model: Model, models: readonly Model[], { config, log, now, wall }: Known): PackageStatus {
  const { app, name, version } = model;
  const unusedMs = model.unusedMs(now);
  const idleMs = model.idleMs(now);
  const { strategy, preference } = model.unload;
  return {
    model: app.name,
    version,
    key: model.config.versions.length === 1 ? app.name : name,
    loaded: model.loaded,
    strategy: strategy ?? config.strategy,
    ownStrategy: strategy,
    preference,
    requires: model.config.unload.requires,
    neededBy: model.loaded ? neededBy(model, models).map((other) => other.name) : [],
    lastUsedAt: unusedMs === null ? null : wall - unusedMs,
    idleSeconds: idleMs === null ? null : idleMs / 1000,
    memoryBytes: model.measured().bytes,
    totals: log.of(name),
    rank: null,
    whyNot: null,
    goesInSeconds: null,
  };
}
