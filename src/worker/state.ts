import { SupError } from '../errors.js';

/**
 * What a worker is doing. Only `ready` takes work.
 * - starting: its process or thread is booting; not routed
 * - ready: serves
 * - unhealthy: alive, but its health checks fail; not routed
 * - draining: takes nothing new and finishes what it has
 * - backoff: died or failed to boot; waits for its next start
 * - failed: gave up after too many deaths; tried again after `restart.retry_after`
 * - stopped: ended for good
 */
export type WorkerState = 'starting' | 'ready' | 'unhealthy' | 'draining' | 'backoff' | 'failed' | 'stopped';

export type WorkerEvent = 'booted' | 'bootFailed' | 'sick' | 'recovered' | 'drain' | 'exited' | 'retry' | 'giveUp';

const NEXT: Record<WorkerState, Partial<Record<WorkerEvent, WorkerState>>> = {
  // A worker that is stopped while it boots still has a process to end, hence draining and not stopped.
  starting: { booted: 'ready', bootFailed: 'backoff', drain: 'draining', exited: 'backoff' },
  ready: { sick: 'unhealthy', drain: 'draining', exited: 'backoff' },
  unhealthy: { recovered: 'ready', drain: 'draining', exited: 'backoff' },
  draining: { exited: 'stopped' },
  backoff: { retry: 'starting', giveUp: 'failed', drain: 'stopped' },
  failed: { retry: 'starting', drain: 'stopped' },
  stopped: {},
};

/** @throws SupError SUP_ILLEGAL_TRANSITION, naming the worker, its state and the event. */
export function transition(worker: string, from: WorkerState, event: WorkerEvent): WorkerState {
  const to = NEXT[from][event];
  if (!to)
    throw new SupError('SUP_ILLEGAL_TRANSITION', `${worker} is ${from}, which '${event}' does not leave`, {
      worker,
      from,
      event,
    });
  return to;
}

export function mayTransition(from: WorkerState, event: WorkerEvent): boolean {
  return NEXT[from][event] !== undefined;
}
