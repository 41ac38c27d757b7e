import { SupError } from '../errors.js';
import type { Model } from './model.js';

/** Why no request is taken now; null while one would be answered, or would wait for a load and then be answered. */
export function refusal(model: Model, now: number): SupError | null {
  const { app, pool, failure, name } = model;
  if (model.isReady) return null;
  if (pool.phase !== 'running') return app.isRestarting(pool) ? null : notRunning(model);
  if (failure !== null && failure.until > now) {
    const seconds = Math.max(1, Math.ceil((failure.until - now) / 1000));
    return new SupError(
      'SUP_LOAD_FAILED',
      `${name} could not be loaded: ${failure.error.message}; requests try again in ${seconds} s, 'supervisor load ${name}' at once`,
      { model: app.name, version: model.version, retry_after_seconds: seconds },
      { cause: failure.error },
    );
  }
  const active = pool.active();
  const bad = active.find(hasFailed);
  if (bad && active.every(hasFailed))
    return new SupError('SUP_WORKER_BOOT_FAILED', `${name} is not ready: ${bad.lastFailure}`, { model: app.name });
  return null;
}

function hasFailed({ failedBoots, state }: { failedBoots: number; state: string }): boolean {
  return failedBoots > 0 || state === 'failed';
}

function notRunning({ app, name, version }: Model): SupError {
  // Stopped alone, or with all the others.
  const what = app.running ? name : app.name;
  if (app.serves(version) || !app.running)
    return new SupError('SUP_APP_STOPPED', `${what} is stopped; start it with: supervisor start ${what}`, {
      app: app.name,
    });
  return new SupError(
    'SUP_APP_STOPPED',
    `${name} is not served (version_policy); load it with: supervisor load ${name}`,
    { app: app.name, version },
  );
}
