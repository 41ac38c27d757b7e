import { servedVersions, versionWeights } from '../config/versions.js';
import type { InputCounts, LoadCounts, ModelState, ModelStatus } from '../master/model-status.js';
import type { ModelCounts } from '../metrics/model-history.js';
import type { Idle } from './idle.js';
import type { Loads } from './loads.js';
import type { MemoryLedger } from './memory-ledger.js';
import type { Model } from './model.js';

interface Known {
  loads: Loads;
  idle: Idle;
  ledger: MemoryLedger<Model>;
  now: number;
  wall: number;
}

/** One model version as `GET /autoscaler/stats` and others show it. */
export function modelStatus(model: Model, { loads, idle, ledger, now, wall }: Known): ModelStatus {
  const { pool, config, version } = model;
  const stats = model.dispatcher.stats();
  const active = pool.active();
  const { state, reason } = stateOf(model, loads, now);
  const idleMs = model.idleMs(now);
  return {
    name: config.name,
    version,
    default: version === config.defaultVersion,
    share: shareOf(model),
    state,
    reason,
    instances: {
      active: pool.readyCount(),
      loading: active.filter((worker) => worker.state === 'starting').length,
      target: pool.desired,
      min: config.workers.min,
      max: config.workers.max,
    },
    queued: stats.queued,
    in_flight: stats.inFlight,
    idle_seconds: idleMs === null ? null : Math.round(idleMs) / 1000,
    keepalive: idle.describe(model),
    loads: loadCounts(model, wall),
    memory_bytes: model.measured().bytes,
    memory_pending: ledger.has(model),
    gpu_memory_bytes: model.measured().gpuBytes,
    inputs: inputCounts(model),
  };
}

/** What only counts up, and the wanted size: cheap enough for each tick. */
export function modelCounts(model: Model, wall: number): ModelCounts {
  const { config, version, pool } = model;
  return {
    name: config.name,
    version,
    instances: { target: pool.desired, min: config.workers.min },
    loads: loadCounts(model, wall),
    inputs: inputCounts(model),
  };
}

export function stateOf(model: Model, loads: Loads, now: number): { state: ModelState; reason: string | null } {
  const { pool, failure } = model;
  if (pool.phase === 'stopped')
    return {
      state: 'stopped',
      reason: model.app.serves(model.version) ? 'stopped by hand' : 'left out by version_policy',
    };
  if (pool.phase === 'stopping') return { state: 'unloading', reason: 'its workers drain' };
  if (model.isReady) return { state: 'ready', reason: null };
  const loading = loads.stateOf(model);
  // Also without a load that is wanted: a start that is made up for when what it requires is there.
  if (loading === 'waiting' || (loading === null && pool.desired === 0 && pool.waitingFor !== null))
    return { state: 'loading', reason: `it waits for ${pool.waitingFor ?? 'its turn'}` };
  if (failure !== null && failure.until > now) return { state: 'failed', reason: failure.error.message };
  const troubled = pool.active().find((worker) => worker.lastFailure !== null);
  if (troubled) return { state: 'failed', reason: troubled.lastFailure };
  if (loading === 'loading' || pool.desired > 0) return { state: 'loading', reason: 'its workers start' };
  if (model.isLeaving) return { state: 'unloading', reason: 'its workers drain' };
  return { state: 'unloaded', reason: 'the next request loads it' };
}

/** 0..1 of the requests that name no version. */
function shareOf({ config, version }: Model): number {
  const weights = versionWeights({ ...config, versions: servedVersions(config.versions, config.versionPolicy) });
  if (weights === null) return version === config.defaultVersion ? 1 : 0;
  const total = [...weights.values()].reduce((a, b) => a + b, 0);
  return total === 0 ? 0 : (weights.get(version) ?? 0) / total;
}

function loadCounts(model: Model, wall: number): LoadCounts {
  const { loads, unloads, failures, coldStarts, hits, loadSeconds } = model.counts;
  const rounded = (value: number | null) => (value === null ? null : Math.round(value * 1000) / 1000);
  return {
    loads,
    unloads,
    failures,
    cold_starts: coldStarts,
    hits,
    hit_rate: hits + coldStarts === 0 ? null : rounded(hits / (hits + coldStarts)),
    mean_seconds: loads === 0 ? null : rounded(loadSeconds / loads),
    last_seconds: rounded(model.lastLoadSeconds),
    total_seconds: rounded(loadSeconds) as number,
    popularity: rounded(model.history.popularity(wall)) as number,
  };
}

function inputCounts({ dispatcher }: Model): InputCounts {
  const { requests, succeeded, modelErrors, expired, cancelled, refused, lost, retries, batches, computeMs, queueMs } =
    dispatcher.stats();
  return {
    requests,
    succeeded,
    model_errors: modelErrors,
    expired,
    cancelled,
    refused,
    lost,
    retries,
    batches,
    compute_ms: Math.round(computeMs * 1000) / 1000,
    queue_ms: Math.round(queueMs * 1000) / 1000,
  };
}
