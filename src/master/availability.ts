import type { App } from '../apps/app.js';
import { stopped } from '../apps/model-app.js';
import { SupError } from '../errors.js';
import type { Model } from '../models/model.js';
import type { ModelRuntime } from '../models/runtime.js';
import type { Availability } from '../pool/dispatcher.js';

/** Opens and closes a model's queues as its pools come and go. */
export function updateQueues(app: App, runtime: ModelRuntime): void {
  if (app.config.kind !== 'model') return;
  for (const pool of app.pools.values()) {
    const model = runtime.of(app, pool) as Model;
    model.dispatcher.setAvailability(availability(app, model, runtime));
    // It was scaled to zero with a queue. Not in this turn: the pool is about to retire its last worker.
    if (pool.phase === 'running' && pool.desired === 0 && model.dispatcher.stats().queued > 0)
      setImmediate(() => runtime.wake(model));
  }
}

function availability(app: App, model: Model, runtime: ModelRuntime): Availability {
  const { pool } = model;
  if (model.isReady) return { kind: 'up' };
  const loading: Availability = { kind: 'loading', limitMs: runtime.coldStartMs(model) };
  if (pool.phase !== 'running') return app.restarting ? loading : { kind: 'down', error: notRunning(app, model) };
  const refusal = runtime.refusal(model);
  if (refusal) return { kind: 'down', error: refusal };
  const active = pool.active();
  const bad = active.find((w) => w.failedBoots > 0 || w.state === 'failed');
  if (bad && active.every((w) => w.failedBoots > 0 || w.state === 'failed'))
    return {
      kind: 'down',
      error: new SupError('SUP_WORKER_BOOT_FAILED', `${pool.name} is not ready: ${bad.lastFailure}`, {
        model: app.name,
      }),
    };
  // A load that nobody has seen finish yet is a cold start: its time does not count against a request's deadline.
  return active.some((w) => w.restarts > 0 || w.state === 'unhealthy') ? { kind: 'up' } : loading;
}

function notRunning(app: App, { name, version }: Model): SupError {
  if (app.serves(version) || !app.running) return stopped(app.name);
  return new SupError(
    'SUP_APP_STOPPED',
    `${name} is not served (version_policy); load it with: supervisor load ${name}`,
    { app: app.name, version },
  );
}
