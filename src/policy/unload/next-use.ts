import type { Forecast } from '../keepalive/idle-history.js';

/**
 * How soon a model is likely to be used, as uses per ms of keeping it: the chance of a use by a moment ÷ the mean time until that use or that
 * moment, for the moment at which this is highest (a Gittins index). Where calls come at random it is their rate; where they come each hour
 * it rises to the hour, and falls after it. A fixed look ahead can't tell models that are all due within it from each other.
 * @param idleMs since the end of the last use
 * @param leadMs a use before this is too early to gain by
 */
export function nextUseRate({ stretches, unseen }: Forecast, idleMs: number, leadMs = 0): number {
  let total = unseen;
  for (const { fromMs, toMs, weight } of stretches)
    if (toMs > idleMs) total += (weight * (toMs - Math.max(fromMs, idleMs))) / (toMs - fromMs || 1);
  const gainsAt = idleMs + leadMs;
  let best = 0;
  let gained = 0;
  let used = 0;
  let keptMs = 0;
  let at = idleMs;
  for (const { fromMs, toMs, weight } of stretches) {
    if (toMs <= idleMs) continue;
    const begin = Math.max(fromMs, idleMs);
    const share = (weight * (toMs - begin)) / (toMs - fromMs || 1) / total;
    keptMs += (1 - used) * (begin - at) + (1 - used - share / 2) * (toMs - begin);
    used += share;
    if (toMs > gainsAt) gained += begin >= gainsAt ? share : (share * (toMs - gainsAt)) / (toMs - begin);
    at = toMs;
    if (keptMs > 0 && gained > best * keptMs) best = gained / keptMs;
    // Not even all that is still to come would bring more.
    if (gained + 1 - used <= best * keptMs) break;
  }
  return best;
}
