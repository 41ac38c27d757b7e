import type { WorkerState } from '../worker/state.js';
import type { Worker } from '../worker/worker.js';

/** What serves least goes first. */
const ORDER: Record<WorkerState, number> = {
  stopped: 0,
  failed: 1,
  backoff: 2,
  starting: 3,
  unhealthy: 4,
  draining: 5,
  ready: 6,
};

/**
 * Which workers go when `count` are too many: those that do not serve, then those that are being replaced anyway, then the
 * idlest, then the youngest. Never more than there are.
 */
export function pickVictims(
  workers: readonly Worker[],
  count: number,
  isBeingReplaced: (worker: Worker) => boolean,
  inFlight: (worker: Worker) => number,
): Worker[] {
  if (count <= 0) return [];
  return [...workers]
    .sort(
      (a, b) =>
        ORDER[a.state] - ORDER[b.state] ||
        Number(isBeingReplaced(b)) - Number(isBeingReplaced(a)) ||
        inFlight(a) - inFlight(b) ||
        b.bornAt - a.bornAt,
    )
    .slice(0, count);
}
