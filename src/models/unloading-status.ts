import type { UnloadingConfig } from '../config/schema.js';
import type { Keepalive } from '../master/model-status.js';
import type { PackageStatus, UnloadingStatus } from '../master/unloading-status.js';
import { isBuiltIn, shifted } from '../policy/unload/strategies.js';
import type { Idle } from './idle.js';
import type { Model } from './model.js';
import { neededBy } from './requirements.js';
import type { Strategies } from './strategies.js';
import type { UnloadLog } from './unload-log.js';
import type { Unloader } from './unloader.js';

interface Known {
  unloader: Unloader;
  idle: Idle;
  strategies: Strategies;
  refused: UnloadingStatus['refused'];
  config: UnloadingConfig;
  log: UnloadLog;
  box: UnloadingStatus['box'];
  observedMs: number;
  now: number;
  wall: number;
}

/** What `/api/package-unloading/*`, `list` and `describe` are made of. */
export function unloadingStatus(models: readonly Model[], known: Known): UnloadingStatus {
  const { config, log, box, observedMs, strategies, refused } = known;
  const order = orderOf(models, known);
  return {
    enabled: config.enabled,
    checkIntervalSeconds: config.checkIntervalMs / 1000,
    strategy: config.strategy,
    currentStrategy: currentStrategy(known),
    strategies: strategies.names,
    pressureThreshold: config.pressureThreshold,
    maxPerCycle: config.maxPerCycle,
    minSavingsBytes: config.minSavingsBytes,
    observedSeconds: observedMs / 1000,
    totals: log.all,
    packages: models.map((model) => packageStatus(model, models, order, known)),
    box,
    refused,
  };
}

/** One's own is followed under any pressure: it knows of it. */
function currentStrategy({ config, strategies, box }: Known): string {
  const { strategy, adaptive } = config;
  return adaptive && isBuiltIn(strategy) && strategies.names.includes(strategy)
    ? shifted(strategy, box.pressure)
    : strategy;
}

interface Order {
  /** From 1, by names of models. */
  ranks: ReadonlyMap<string, number>;
  whyNot: ReadonlyMap<string, string>;
}

function orderOf(models: readonly Model[], { unloader }: Known): Order {
  const { decision, next } = unloader.look(models);
  const due = decision.due.map(({ name }) => name);
  const order = [...due, ...next.filter((name) => !due.includes(name))];
  return { ranks: new Map(order.map((name, index) => [name, index + 1])), whyNot: decision.kept };
}

function packageStatus(
  model: Model,
  models: readonly Model[],
  { ranks, whyNot }: Order,
  { config, log, idle, now, wall }: Known,
): PackageStatus {
  const { app, name, version } = model;
  const unusedMs = model.unusedMs(now);
  const idleMs = model.idleMs(now);
  const { strategy, preference } = model.unload;
  const rules = strategy ?? config.strategy;
  return {
    model: app.name,
    version,
    key: model.config.versions.length === 1 ? app.name : name,
    loaded: model.loaded,
    strategy: rules,
    ownStrategy: strategy,
    preference,
    requires: model.config.unload.requires,
    neededBy: model.loaded ? neededBy(model, models).map((other) => other.name) : [],
    lastUsedAt: unusedMs === null ? null : wall - unusedMs,
    idleSeconds: idleMs === null ? null : idleMs / 1000,
    memoryBytes: model.measured().bytes,
    totals: log.of(name),
    rank: ranks.get(name) ?? null,
    whyNot: model.loaded ? (whyNot.get(name) ?? (model.unloading === null ? null : 'unloading')) : null,
    goesInSeconds: ranks.has(name) ? goesInSeconds(idle.describe(model), idleMs) : null,
  };
}

/** Null where it stays for ever, or a function decides. */
function goesInSeconds(keepalive: Keepalive | null, idleMs: number | null): number | null {
  if (keepalive === null || keepalive.keep_seconds === null || idleMs === null) return null;
  return Math.max(0, keepalive.keep_seconds - idleMs / 1000);
}
