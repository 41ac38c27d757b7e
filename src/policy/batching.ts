/** How many of what waits one worker gets, and whether it is worth waiting for more. Pure. */
export interface BatchFacts {
  /** Inputs that may share a batch. */
  queued: number;
  /** What the worker would get if the queue were spread over all that have room. */
  share: number;
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

/** Whether a batch may leave: it is full, or of a preferred size, or its oldest input has waited for `maxDelayMs`. */
export function isWorthwhile(
  { queued, oldestMs }: { queued: number; oldestMs: number },
  { maxSize, maxDelayMs, preferred }: BatchLimits,
): boolean {
  return queued >= (preferred[0] ?? maxSize) || oldestMs >= maxDelayMs;
}

/** Size of the batch that leaves now. */
export function batchSize({ queued, share, costMs }: BatchFacts, { maxSize, preferred }: BatchLimits): number {
  const cheap = costMs !== null && costMs * queued < SPREAD_FROM_MS;
  const part = Math.min(maxSize, queued, cheap ? queued : share);
  const [smallest] = preferred;
  if (smallest === undefined) return part;
  // The smallest preferred size comes before an equal part for each idle worker: below it the model wastes its time.
  const aim = Math.min(queued, Math.max(part, smallest));
  return preferred.findLast((size) => size <= aim) ?? part;
}
