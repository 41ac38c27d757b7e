import type { App } from '../apps/app.js';
import type { Model } from '../models/model.js';
import type { ModelRuntime } from '../models/runtime.js';
import type { Availability } from '../pool/dispatcher.js';

/** Opens and closes a model's queues as its pools come and go. */
export function updateQueues(app: App, runtime: ModelRuntime): void {
  if (app.config.kind !== 'model') return;
  for (const pool of app.pools.values()) {
    const model = runtime.of(app, pool) as Model;
    model.dispatcher.setAvailability(availability(model, runtime));
    // It was scaled to zero with a queue. Not in this turn: the pool is about to retire its last worker.
    if (pool.phase === 'running' && pool.desired === 0 && model.dispatcher.stats().queued > 0)
      setImmediate(() => runtime.wakeIfQueued(model));
  }
}

function availability(model: Model, runtime: ModelRuntime): Availability {
  if (model.isReady) return { kind: 'up' };
  const error = runtime.refusal(model);
  if (error) return { kind: 'down', error };
  // A load that nobody has seen finish yet is a cold start: its time does not count against a request's deadline.
  const isComingBack = model.pool.active().some((worker) => worker.restarts > 0 || worker.state === 'unhealthy');
  return isComingBack ? { kind: 'up' } : { kind: 'loading', limitMs: runtime.coldStartMs(model) };
}
