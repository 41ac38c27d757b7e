/** The statistics extension. Fields that would have to be guessed are left out. */
import type { ModelStatus } from '../../master/model-status.js';

const NS_PER_MS = 1e6;

/** @param now wall clock, ms */
export function statisticsOf({ name, version, idle_seconds: idle, in_flight, inputs }: ModelStatus, now: number) {
  const lastMs = idle !== null ? now - idle * 1000 : in_flight > 0 ? now : null;
  const failed = inputs.model_errors + inputs.expired + inputs.cancelled + inputs.refused + inputs.lost;
  return {
    name,
    version,
    ...(lastMs !== null && { last_inference: Math.round(lastMs) }),
    inference_count: inputs.succeeded,
    execution_count: inputs.batches,
    inference_stats: {
      success: { count: inputs.succeeded },
      fail: { count: failed },
      queue: { count: inputs.succeeded + inputs.model_errors, ns: ns(inputs.queue_ms) },
      compute_infer: { count: inputs.batches, ns: ns(inputs.compute_ms) },
    },
    batch_stats: [],
  };
}

function ns(ms: number): number {
  return Math.round(ms * NS_PER_MS);
}
