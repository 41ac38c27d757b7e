import type { AppState } from '../master/supervisor.js';
import type { Pool } from '../pool/pool.js';

/** The state of a pool as users see it, and where it is not `online` or `idle`, why. */
export function poolState(pool: Pool): { state: AppState; reason: string | null } {
  if (pool.phase === 'stopping') return { state: 'stopping', reason: 'its workers drain' };
  if (pool.phase === 'stopped') return { state: 'stopped', reason: null };
  if (pool.desired === 0) {
    if (pool.waitingFor !== null) return { state: 'starting', reason: `waiting for ${pool.waitingFor}` };
    return pool.loadFailure === null ? { state: 'idle', reason: null } : { state: 'failed', reason: pool.loadFailure };
  }
  const active = pool.active();
  const ready = pool.readyCount();
  const troubled =
    active.find((w) => w.state === 'failed') ?? active.find((w) => w.lastFailure !== null && w.state !== 'ready');
  if (pool.stalled !== null) return { state: 'degraded', reason: pool.stalled };
  if (ready >= pool.desired) return { state: 'online', reason: null };
  if (ready > 0) return { state: 'degraded', reason: troubled?.lastFailure ?? waiting(pool) };
  if (active.length > 0 && active.every((w) => w.ended)) {
    const failed = active.find((w) => w.ended === 'failed');
    return failed ? { state: 'failed', reason: failed.lastFailure } : { state: 'stopped', reason: 'ended by itself' };
  }
  if (troubled?.state === 'failed') return { state: 'failed', reason: troubled.lastFailure };
  return { state: 'starting', reason: troubled?.lastFailure ?? waiting(pool) };
}

function waiting(pool: Pool): string | null {
  const starting = pool.workers.find((w) => w.state === 'starting');
  return starting?.waitingFor ? `waiting for ${starting.waitingFor}` : null;
}
