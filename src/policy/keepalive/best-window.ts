import type { Stretch } from './idle-histogram.js';

export interface Window {
  keepMs: number;
  prewarmMs: number | null;
}

/** Unloading for less than this is not worth the loading. */
const LEAST_PREWARM_MS = 60_000;

/**
 * The window after the last call in which a model should be loaded: outside of it a cold start is to be expected, inside memory lies idle.
 *
 * Let G(t) be what staying loaded from the first moment until t saves in cold starts, less its memory. A window from p to k is worth
 * G(k) − G(p), so it ends on a peak of G and begins at its lowest point before that, if that is below 0: one pass over the stretches.
 * @param unseen weight of idle times unlike any in `stretches`: the model may never be called again
 * @param coldMs what a cold start costs
 * @param leadMs how long before its first call a model has to be loaded again
 * @param pricePerMs what memory costs, in the unit of `coldMs`
 */
export function bestWindow(
  stretches: readonly Stretch[],
  unseen: number,
  coldMs: number,
  leadMs: number,
  pricePerMs: number,
): Window {
  let total = unseen;
  for (const { weight } of stretches) total += weight;
  let best: Window = { keepMs: 0, prewarmMs: null };
  let bestWorth = 0;
  let lowest = 0;
  let prewarmMs: number | null = null;
  let worth = 0;
  let left = 1;
  let at = 0;
  for (const { fromMs, toMs, weight } of stretches) {
    worth -= pricePerMs * left * (fromMs - at);
    const start = fromMs - leadMs;
    const worthAtStart = worth + pricePerMs * left * leadMs;
    if (start >= LEAST_PREWARM_MS && worthAtStart < lowest) {
      lowest = worthAtStart;
      prewarmMs = start;
    }
    const share = weight / total;
    worth += coldMs * share - pricePerMs * (left - share / 2) * (toMs - fromMs);
    left -= share;
    at = toMs;
    if (worth - lowest > bestWorth) {
      bestWorth = worth - lowest;
      best = { keepMs: toMs, prewarmMs };
    }
  }
  return best;
}
