/** What `/autoscaler/stats`, `/health` and `/metrics` answer: figures of all models, in the words of an autoscaler. */
import type { ModelStatus } from '../master/model-status.js';
import type { MemoryStatus, ResourceReport } from '../master/supervisor.js';
import type { ModelWindow } from '../metrics/model-history.js';

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

export function statsReport(models: readonly ModelStatus[]) {
  const hits = total(models, (model) => model.loads.hits);
  const coldStarts = total(models, (model) => model.loads.cold_starts);
  return {
    models,
    totals: {
      models: models.length,
      loaded_models: models.filter(({ state }) => state === 'ready').length,
      loading_models: models.filter(({ state }) => state === 'loading').length,
      failed_models: models.filter(({ state }) => state === 'failed').length,
      ...instances(models),
      queued: total(models, (model) => model.queued),
      in_flight: total(models, (model) => model.in_flight),
      requests: total(models, (model) => model.inputs.requests),
      loads: total(models, (model) => model.loads.loads),
      unloads: total(models, (model) => model.loads.unloads),
      load_failures: total(models, (model) => model.loads.failures),
      cold_starts: coldStarts,
      hits,
      hit_rate: round(share(hits, hits + coldStarts)),
      memory_bytes: known(models, (model) => model.memory_bytes),
      gpu_memory_bytes: known(models, (model) => model.gpu_memory_bytes),
    },
  };
}

export function healthReport(models: readonly ModelStatus[], pressure: MemoryStatus['pressure']) {
  const rows = models.map((model) => ({
    name: model.name,
    version: model.version,
    state: model.state,
    ...health(model),
  }));
  const wanted = rows.filter(({ state }) => state !== 'stopped');
  const reasons = rows.flatMap(({ name, version, reasons }) =>
    reasons.map((reason) => `${name}@${version}: ${reason}`),
  );
  if (pressure === 'critical') reasons.push('memory pressure is critical');
  return { status: overall(wanted, reasons), reasons, pressure, ...instances(models), models: rows };
}

export function metricsReport(models: readonly ModelStatus[], window: ModelWindow, resources: ResourceReport) {
  const { window_seconds, observed_seconds, ...counts } = window;
  const errors = counts.model_errors + counts.expired + counts.refused + counts.lost;
  const answered = counts.succeeded + counts.model_errors;
  const { cpu, memory, gpus } = resources.status;
  return {
    time: resources.time,
    window_seconds,
    observed_seconds: round(observed_seconds),
    ...instances(models),
    queued: total(models, (model) => model.queued),
    in_flight: total(models, (model) => model.in_flight),
    requests: counts.requests,
    errors,
    requests_per_second: round(share(counts.requests, observed_seconds)),
    average_response_time_ms: responseMs(answered, counts),
    error_rate_percent: percent(share(errors, answered + errors - counts.model_errors + counts.cancelled)),
    cpu_usage_percent: percent(cpu.share),
    memory_usage_percent: percent(memory.used_share),
    gpu_usage_percent: percent(mean((gpus ?? []).flatMap((gpu) => gpu.share ?? []))),
    scale_up_events: counts.scale_ups,
    scale_down_events: counts.scale_downs,
    loads: counts.loads,
    unloads: counts.unloads,
    load_failures: counts.failures,
    average_load_time_ms: round(share(counts.total_seconds * 1000, counts.loads)),
    cold_starts: counts.cold_starts,
    warm_start_rate: round(share(counts.hits, counts.hits + counts.cold_starts)),
    // There is no cache of answers yet.
    cache_hit_rate: null,
    model_load_times: byName(models, ({ loads }) => ({
      mean_seconds: loads.mean_seconds,
      last_seconds: loads.last_seconds,
    })),
    model_popularity: byName(models, ({ loads }) => loads.popularity),
  };
}

function health({ state, reason, instances: { active, min } }: ModelStatus): {
  status: HealthStatus;
  reasons: string[];
} {
  if (state === 'failed') return { status: 'unhealthy', reasons: [reason ?? 'it failed'] };
  // Without a worker by its own rules, it is as well as with one.
  if (state === 'stopped' || state === 'unloaded' || state === 'unloading' || active >= min)
    return { status: 'healthy', reasons: [] };
  const missing = `${active} of at least ${min} ${min === 1 ? 'worker is' : 'workers are'} ready`;
  return { status: 'degraded', reasons: [reason === null ? missing : `${missing}: ${reason}`] };
}

/** Unhealthy is what serves nothing that it should. */
function overall(wanted: readonly { status: HealthStatus }[], reasons: readonly string[]): HealthStatus {
  if (wanted.length > 0 && wanted.every(({ status }) => status === 'unhealthy')) return 'unhealthy';
  return reasons.length > 0 ? 'degraded' : 'healthy';
}

function instances(models: readonly ModelStatus[]) {
  const active = total(models, (model) => model.instances.active);
  const loading = total(models, (model) => model.instances.loading);
  return { active_instances: active, loading_instances: loading, total_instances: active + loading };
}

/** The mean wait of an input that got an answer, and the mean time of the batch that it went in. */
function responseMs(
  answered: number,
  { queue_ms, compute_ms, batches }: Pick<ModelWindow, 'queue_ms' | 'compute_ms' | 'batches'>,
): number | null {
  const waited = share(queue_ms, answered);
  const computed = share(compute_ms, batches);
  return waited === null || computed === null ? null : round(waited + computed);
}

function byName<T>(models: readonly ModelStatus[], of: (model: ModelStatus) => T): Record<string, T> {
  return Object.fromEntries(models.map((model) => [`${model.name}@${model.version}`, of(model)]));
}

function total(models: readonly ModelStatus[], of: (model: ModelStatus) => number): number {
  return models.reduce((sum, model) => sum + of(model), 0);
}

/** The sum of what is known; null where nothing is. */
function known(models: readonly ModelStatus[], of: (model: ModelStatus) => number | null): number | null {
  const values = models.map(of).filter((value) => value !== null);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

function mean(values: readonly number[]): number | null {
  return share(
    values.reduce((sum, value) => sum + value, 0),
    values.length,
  );
}

function share(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

function percent(share: number | null): number | null {
  return share === null ? null : round(share * 100);
}

function round(value: number): number;
function round(value: number | null): number | null;
function round(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}
