import type { ModelStatus } from '../../src/master/model-status.js';
import type { ModelWindow } from '../../src/metrics/model-history.js';

type Parts<T> = { [K in keyof T]?: T[K] extends object ? Partial<T[K]> : T[K] };

/** A version of the model `intents` with one worker that is ready, unused so far. */
export function modelStatus(version: string, parts: Parts<ModelStatus> = {}): ModelStatus {
  const { instances, loads, inputs, keepalive, ...rest } = parts;
  return {
    name: 'intents',
    version,
    default: true,
    share: 1,
    state: 'ready',
    reason: null,
    queued: 0,
    in_flight: 0,
    idle_seconds: null,
    memory_bytes: null,
    memory_pending: false,
    gpu_memory_bytes: null,
    ...rest,
    instances: { active: 1, loading: 0, target: 1, min: 1, max: 1, ...instances },
    keepalive: keepalive ? (keepalive as ModelStatus['keepalive']) : null,
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
      ...loads,
    },
    inputs: {
      requests: 0,
      succeeded: 0,
      model_errors: 0,
      expired: 0,
      cancelled: 0,
      refused: 0,
      lost: 0,
      retries: 0,
      batches: 0,
      compute_ms: 0,
      queue_ms: 0,
      ...inputs,
    },
  };
}

/** A window in which nothing happened. */
export function modelWindow(parts: Partial<ModelWindow> = {}): ModelWindow {
  return {
    window_seconds: 60,
    observed_seconds: 60,
    requests: 0,
    succeeded: 0,
    model_errors: 0,
    expired: 0,
    cancelled: 0,
    refused: 0,
    lost: 0,
    batches: 0,
    compute_ms: 0,
    queue_ms: 0,
    loads: 0,
    unloads: 0,
    failures: 0,
    cold_starts: 0,
    hits: 0,
    total_seconds: 0,
    scale_ups: 0,
    scale_downs: 0,
    ...parts,
  };
}
