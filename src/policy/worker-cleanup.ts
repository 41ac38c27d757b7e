import { act, hold, type PolicyDecision } from './decision.js';

/** What one worker is asked to do about its own limit; its recycling (100 %) and kill (120 %) are policy/recycle.ts. */
export interface WorkerCleanupFacts {
  bytes: number | null;
  limitBytes: number | null;
  /** The latest cleanup of this worker. */
  last: { level: 'trim' | 'emergency'; at: number; afterBytes: number | null } | null;
}

/** Shares of the worker's limit. */
const TRIM_SHARE = 0.8;
const EMERGENCY_SHARE = 0.95;

/** A cleanup costs full collections of garbage: even a worker that comes back at once is not asked more often. */
const AGAIN_MS = 10_000;
/** While it is not known what the last one brought. */
const UNKNOWN_MS = 30_000;
/** After one that brought nothing: what is there is needed. */
const FRUITLESS_MS = 300_000;

/** Whether a worker near its memory limit is asked to clean up. */
export function decideWorkerCleanup(
  { bytes, limitBytes, last }: WorkerCleanupFacts,
  now: number,
): PolicyDecision<'trim' | 'emergency'> {
  if (limitBytes === null || limitBytes <= 0) return hold('no memory limit');
  if (bytes === null) return hold('it is not known how much memory it uses');
  const share = bytes / limitBytes;
  if (share < TRIM_SHARE) return hold('enough room');
  const level = share >= EMERGENCY_SHARE ? 'emergency' : 'trim';
  const threshold = level === 'emergency' ? EMERGENCY_SHARE : TRIM_SHARE;
  // A trim does not stand in the way of an emergency; an emergency has trimmed as well.
  const counts = last !== null && (level === 'trim' || last.level === 'emergency');
  if (counts && now < last.at + spacingMs(last.afterBytes, threshold * limitBytes))
    return hold(`the last ${last.level} was not long ago`);
  const reason = `memory is at ${Math.floor(share * 100)} % of the worker's limit (${level} from ${threshold * 100} %)`;
  return act(level, reason, {
    memory_bytes: bytes,
    limit_bytes: limitBytes,
    share: Math.round(share * 10_000) / 10_000,
  });
}

function spacingMs(afterBytes: number | null, thresholdBytes: number): number {
  if (afterBytes === null) return UNKNOWN_MS;
  return afterBytes < thresholdBytes ? AGAIN_MS : FRUITLESS_MS;
}
