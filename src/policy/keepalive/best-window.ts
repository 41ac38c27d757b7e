import type { Stretch } from './idle-histogram.js';

export interface BestWindow {
  keepMs: number;
  prewarmMs: number | null;
}

const LEAST_PREWARM_MS = 60_000;

/**
 * The window in which a model is loaded after its last call that costs least on average: a cold start outside of it, memory inside.
 * With G(t) = what was saved by being loaded until t, less what that cost, a window from p to k costs G(p) - G(k) more than none: so it
 * ends on a peak of G and begins where G is lowest before that.
 */
export function bestWindow(
  stretches: readonly Stretch[],
  unseen: number,
  loadMs: number,
  costPerMs: number,
): BestWindow {
  const total = stretches.reduce((sum, { weight }) => sum + weight, unseen);
  let best: BestWindow = { keepMs: 0, prewarmMs: null };
  let bestGain = 0;
  let from: number | null = null;
  let lowest = 0;
  let gain = 0;
  let left = 1;
  let at = 0;
  for (const { fromMs, toMs, weight } of stretches) {
    const gapCost = costPerMs * left * (fromMs - at);
    gain -= gapCost;
    // A load that begins in time costs memory while it loads.
    const start = fromMs - loadMs;
    const low = gain + costPerMs * left * Math.min(loadMs, fromMs - at);
    if (start >= LEAST_PREWARM_MS && low < lowest) {
      lowest = gain + costPerMs * left * loadMs;
      from = start;
    }
    const share = weight / total;
    gain += loadMs * share - costPerMs * (left - share / 2) * (toMs - fromMs);
    left -= share;
    at = toMs;
    if (gain - lowest > bestGain) {
      bestGain = gain - lowest;
      best = { keepMs: toMs, prewarmMs: from };
    }
  }
  return best;
}
