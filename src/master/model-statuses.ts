import type { ModelAppConfig } from '../config/schema.js';
import type { ModelStatus } from './model-status.js';
import type { Registry } from './registry.js';

/** Stands in until the model runtime tells more. */
export function modelStatuses(registry: Registry): ModelStatus[] {
  return registry.entries.flatMap(({ app, model }) => {
    if (!model) return [];
    const config = app.config as ModelAppConfig;
    return config.versions.map(({ version }): ModelStatus => {
      const pool = app.pools.get(version);
      const stats = model.dispatcher(version).stats();
      const row = app.rows().find((each) => each.version === version);
      const active = pool?.readyCount() ?? 0;
      const loading = (pool?.workers ?? []).filter((worker) => worker.state === 'starting').length;
      const standing = row?.state === 'failed' ? 'failed' : row?.state === 'stopped' ? 'stopped' : 'unloaded';
      return {
        name: app.name,
        version,
        default: version === config.defaultVersion,
        share: version === config.defaultVersion ? 1 : 0,
        state: active > 0 ? 'ready' : loading > 0 ? 'loading' : standing,
        reason: row?.reason ?? null,
        instances: { active, loading, target: row?.desired ?? 0, min: config.workers.min, max: config.workers.max },
        queued: stats.queued,
        in_flight: stats.inFlight,
        idle_seconds: null,
        keepalive: null,
        loads: {
          loads: 0,
          unloads: 0,
          failures: 0,
          cold_starts: 0,
          hits: 0,
          hit_rate: null,
          mean_seconds: null,
          last_seconds: null,
          total_seconds: 0,
          popularity: 0,
        },
        memory_bytes: row?.memory_bytes ?? null,
        gpu_memory_bytes: null,
        inputs: {
          requests: stats.requests,
          succeeded: stats.succeeded,
          model_errors: stats.modelErrors,
          expired: stats.expired,
          cancelled: stats.cancelled,
          refused: stats.refused,
          lost: stats.lost,
          retries: stats.retries,
          batches: stats.batches,
          compute_ms: stats.computeMs,
          queue_ms: 0,
        },
      };
    });
  });
}
