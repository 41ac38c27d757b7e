import type { App } from '../apps/app.js';
import { type ModelParts, stopped } from '../apps/model-app.js';
import { SupError } from '../errors.js';
import type { Availability } from '../pool/dispatcher.js';
import type { Pool } from '../pool/pool.js';
import type { DecisionLog } from './decisions.js';

export interface Waking {
  decisions: DecisionLog;
  warn: (text: string) => void;
}

/** Opens and closes a model's queues as its pools come and go. */
export function updateQueues(app: App, waking: Waking): void {
  if (app.config.kind !== 'model') return;
  const model = app.parts as ModelParts;
  for (const [version, pool] of app.pools) {
    const dispatcher = model.dispatcher(version as string);
    dispatcher.setAvailability(availability(app, pool));
    // It was scaled to zero with a queue. Not in this turn: the pool is about to retire its last worker.
    if (isAsleep(pool) && dispatcher.stats().queued > 0) setImmediate(() => wake(pool, waking));
  }
}

/** Starts the first worker of a model that is scaled to zero. */
export function wake(pool: Pool, { decisions, warn }: Waking): void {
  if (!isAsleep(pool)) return;
  decisions.add(pool.name, 'load', { action: 'load', reason: 'a request came while it had no worker', numbers: {} });
  pool.resize(1).catch((error: Error) => warn(error.message));
}

function isAsleep(pool: Pool): boolean {
  return pool.phase === 'running' && pool.desired === 0;
}

function availability(app: App, pool: Pool): Availability {
  if (pool.readyCount() > 0) return { kind: 'up' };
  if (pool.phase !== 'running')
    return app.restarting ? { kind: 'loading' } : { kind: 'down', error: stopped(app.name) };
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
  return active.some((w) => w.restarts > 0 || w.state === 'unhealthy') ? { kind: 'up' } : { kind: 'loading' };
}
