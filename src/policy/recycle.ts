import { act, hold, type PolicyDecision } from './decision.js';

/** A worker's own limits: the configuration's with the worker's jitter already in them. Null: not limited. */
export interface RecycleLimits {
  maxUsers: number | null;
  maxRequests: number | null;
  maxAgeMs: number | null;
  maxMemoryBytes: number | null;
  /** Kill on one sample above this, whatever the age; without jitter. */
  hardMemoryBytes: number | null;
}

export interface WorkerFacts {
  users: number;
  requests: number;
  ageMs: number;
  /** From start to ready. */
  bootMs: number;
  /** Newest last; null where a sample failed. */
  memoryBytes: readonly (number | null)[];
  /** First sample after it got ready; null while there is none. */
  bornWithBytes: number | null;
}

/** Younger than this a worker has not yet paid for its own boot: replacing it again is a stampede, not a cure. */
export const MIN_AGE_MS = 10_000;
/** Share of max_memory at which a worker is killed on one sample, whatever its age. */
export const HARD_SHARE = 1.2;
/** Share of max_memory from which memory is sampled twice as often: native code can fill hundreds of MiB in a second. */
export const CLOSE_SHARE = 0.8;

/** Whether one worker is due. */
export function decideRecycle(worker: WorkerFacts, limits: RecycleLimits): PolicyDecision<'recycle' | 'kill'> {
  const latest = worker.memoryBytes.at(-1) ?? null;
  const previous = worker.memoryBytes.at(-2) ?? null;
  const { maxMemoryBytes } = limits;
  const hardMemoryBytes = hardLimit(limits.hardMemoryBytes, worker.bornWithBytes);
  if (hardMemoryBytes !== null && over(latest, hardMemoryBytes))
    return act('kill', 'memory over the hard limit', { memory_bytes: latest, hard_limit_bytes: hardMemoryBytes });
  const floorMs = Math.max(MIN_AGE_MS, 2 * worker.bootMs);
  if (worker.ageMs < floorMs) return hold('too young', { age_ms: worker.ageMs, floor_ms: floorMs });
  if (reached(worker.users, limits.maxUsers))
    return act('recycle', 'users', { users: worker.users, limit: limits.maxUsers });
  if (reached(worker.requests, limits.maxRequests))
    return act('recycle', 'requests', { requests: worker.requests, limit: limits.maxRequests });
  if (reached(worker.ageMs, limits.maxAgeMs))
    return act('recycle', 'age', { age_ms: Math.round(worker.ageMs), limit_ms: limits.maxAgeMs });
  if (maxMemoryBytes !== null && over(latest, maxMemoryBytes) && over(previous, maxMemoryBytes)) {
    // What starts over its limit comes back over its limit: replacing it for ever cures nothing.
    if (over(worker.bornWithBytes, maxMemoryBytes))
      return hold('a fresh worker is over the memory limit already: raise max_memory', {
        memory_bytes: latest,
        born_with_bytes: worker.bornWithBytes,
        limit_bytes: maxMemoryBytes,
      });
    return act('recycle', 'memory over the limit twice', {
      memory_bytes: latest,
      previous_bytes: previous,
      limit_bytes: maxMemoryBytes,
    });
  }
  return hold('within limits');
}

/**
 * The limits of one worker: each moved by up to ± jitter, drawn once, so that workers of one age don't leave together.
 * @param draw one number in [0, 1) a call
 */
export function drawLimits(
  limits: Omit<RecycleLimits, 'hardMemoryBytes'> & { jitter: number },
  draw: () => number,
): RecycleLimits {
  const moved = (limit: number | null) =>
    limit === null ? null : Math.max(1, Math.round(limit * (1 + limits.jitter * (2 * draw() - 1))));
  return {
    maxUsers: moved(limits.maxUsers),
    maxRequests: moved(limits.maxRequests),
    maxAgeMs: moved(limits.maxAgeMs),
    maxMemoryBytes: moved(limits.maxMemoryBytes),
    hardMemoryBytes: limits.maxMemoryBytes === null ? null : Math.round(limits.maxMemoryBytes * HARD_SHARE),
  };
}

/**
 * One that starts over the hard limit would be killed, start, and be killed again for ever: it may grow by the same share over
 * what it started with before that is tried.
 */
function hardLimit(hardMemoryBytes: number | null, bornWithBytes: number | null): number | null {
  if (hardMemoryBytes === null || !over(bornWithBytes, hardMemoryBytes)) return hardMemoryBytes;
  return Math.round((bornWithBytes as number) * HARD_SHARE);
}

function reached(value: number, limit: number | null): boolean {
  return limit !== null && value >= limit;
}

function over(value: number | null, limit: number): boolean {
  return value !== null && value > limit;
}
