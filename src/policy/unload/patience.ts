/** A model that had to be loaded again sooner than this was unloaded too soon. */
export const REGRET_MS = 120_000;
const MOST = 8;

/**
 * By how much longer a model is kept for what came of unloading it so far: twice as long after each unloading that was regretted, half
 * of that after each that was not.
 * @param goneMs from the unloading to the next request
 */
export function patienceAfter(patience: number, goneMs: number): number {
  return goneMs < REGRET_MS ? Math.min(MOST, patience * 2) : Math.max(1, patience / 2);
}
