/** How many of what waits one worker gets, and whether it is worth waiting for more. Pure. */
export interface BatchFacts {
  /** Inputs that may share a batch. */
  queued: number;
  /** How long the oldest of them has waited. */
  oldestMs: number;
  /** Workers that could take a batch now. */
  room: number;
  /** What one input costs a worker; null: nothing is known yet. */
  costMs: number | null;
}

export interface BatchLimits {
  maxSize: number;
  maxDelayMs: number;
  /** Sizes that the model runs best, ascending. */
  preferred: readonly number[];
}

/** Work that is cheaper than this stays together: spreading it over idle workers costs more in messages than it gains. */
const SPREAD_FROM_MS = 1;

/** Size of the batch that is to leave now; 0: wait until the oldest has waited for `maxDelayMs`, or more have come. */
export function batchSize(facts: BatchFacts, { maxSize, maxDelayMs, preferred }: BatchLimits): number {
  const { queued, oldestMs } = facts;
  if (queued === 0) return 0;
  const worthwhile = preferred[0] ?? maxSize;
  if (queued < worthwhile && oldestMs < maxDelayMs) return 0;
  const share = Math.min(maxSize, shareOf(facts));
  if (preferred.length === 0) return share;
  // The smallest preferred size comes before an equal part for each idle worker: below it the model wastes its time.
  const aim = Math.min(queued, Math.max(share, worthwhile));
  return preferred.findLast((size) => size <= aim) ?? share;
}

/** All of it while that is cheap, else an equal part for each worker that has room. */
function shareOf({ queued, costMs, room }: BatchFacts): number {
  if (costMs !== null && costMs * queued < SPREAD_FROM_MS) return queued;
  return Math.ceil(queued / Math.max(1, room));
}
