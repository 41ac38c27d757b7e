import { act, hold, type PolicyDecision } from './decision.js';
import { LEAST_SEEN } from './memory-history.js';

export { MemoryHistory } from './memory-history.js';

export interface MemoryPoint {
  /** Monotonic ms. */
  at: number;
  bytes: number;
}

/** What a worker tells about the heap that its engine manages for it, memory outside the heap that its objects hold included. */
export interface HeapPoint {
  usedBytes: number;
  /** With the room that it keeps for later. */
  heldBytes: number;
  /** In use right after the last full garbage collection; null before the first one. */
  liveBytes: number | null;
}

export interface LeakLimits {
  windowMs: number;
  /** Bytes a minute. */
  minGrowthBytes: number;
}

/** Growth that never came back, in bytes a minute. */
export interface Trend {
  bytesPerMinute: number;
  /** Bounds of its 95 % confidence interval. */
  atLeastBytesPerMinute: number;
  atMostBytesPerMinute: number;
  /** Not by chance. */
  significant: boolean;
  /** All the time, and not ending. */
  sustained: boolean;
}

export interface Growth extends Trend {
  /** Seconds until the limit at this rate; null without a limit, or without growth. */
  secondsToLimit: number | null;
  /** How much of the window has been seen, 0..1. */
  seen: number;
  /** The same of the process as it is, garbage that waits for a full collection included; null where nothing is known of its heap. */
  withGarbage: Trend | null;
  /** Since the last full collection that was seen. */
  collectedAgoMs: number | null;
}

/** An estimate of a leak of exactly the least growth is below it as often as not, where there is much noise by so much. */
const TOLERANCE = 0.75;
/** A full collection is not asked for again within this share of the window. */
const COLLECTION_SHARE = 1 / 6;
const MB = 1e6;

/**
 * `suspect` once growth is significant, sustained and above the least. `collect` where only garbage may be growing: after a full collection
 * the heap tells how much of it lives.
 */
export function decideLeak(growth: Growth | null, limits: LeakLimits): PolicyDecision<'suspect' | 'collect'> {
  if (growth === null || growth.seen < LEAST_SEEN) return hold('too little of its memory has been seen');
  if (isLeak(growth, limits)) return act('suspect', sentence(growth, limits), numbersOf(growth, growth));
  const { withGarbage, collectedAgoMs } = growth;
  if (withGarbage === null || !isLeak(withGarbage, limits)) return hold('no lasting growth');
  if (collectedAgoMs !== null && collectedAgoMs < limits.windowMs * COLLECTION_SHARE)
    return hold('what grows is garbage, or was added since the last full collection');
  const reason = `memory grows by ${perMinute(withGarbage)}, and only a full garbage collection can tell how much of that stays`;
  return act('collect', reason, numbersOf(withGarbage, growth));
}

function isLeak(trend: Trend, { minGrowthBytes }: LeakLimits): boolean {
  return (
    trend.significant &&
    trend.sustained &&
    trend.bytesPerMinute > 0 &&
    trend.bytesPerMinute >= minGrowthBytes * TOLERANCE
  );
}

function sentence(growth: Growth, { windowMs }: LeakLimits): string {
  const { secondsToLimit, seen } = growth;
  const minutes = Math.max(1, Math.round((windowMs * seen) / 60_000));
  const toLimit = secondsToLimit === null ? '' : `; at this rate it reaches its limit in ${duration(secondsToLimit)}`;
  return (
    `memory has grown by ${perMinute(growth)} for ${minutes} min and does not come back${toLimit}. ` +
    'Look for what it keeps (a heap snapshot); until then set recycle.max_memory, or leak.recycle: true'
  );
}

function perMinute({ bytesPerMinute }: Trend): string {
  return `${Number((bytesPerMinute / MB).toPrecision(3))} MB/min`;
}

function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return 'less than a minute';
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function numbersOf(trend: Trend, { secondsToLimit, seen }: Growth): Record<string, number | null> {
  return {
    mb_per_minute: rounded(trend.bytesPerMinute / MB),
    at_least_mb_per_minute: rounded(trend.atLeastBytesPerMinute / MB),
    at_most_mb_per_minute: rounded(trend.atMostBytesPerMinute / MB),
    seconds_to_limit: secondsToLimit === null ? null : Math.round(secondsToLimit),
    seen: rounded(seen),
  };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
