import type { Stretch } from './idle-histogram.js';

/** The longest tenth of the idle times tells how it goes on after them; of few samples the longest half, up to ten. */
const TAIL_SHARE = 0.1;
const TAIL_FEW = 10;
const TAIL_FEW_SHARE = 0.5;
/** One more idle time will be longer than all that were seen: with n samples the chance is 1 in n + 1. */
const TAIL_WEIGHT = 1;
/** Where the stretches beyond the longest end, in mean excesses of the tail. */
const ENDS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20];

/**
 * What was seen and, after the longest of it, what may be expected there: idle times whose excess over the tail's beginning is exponential
 * with a mean that is only known from k samples (so a Lomax distribution). Without it, a model that is called all day is
 * unloaded whenever it is idle for a little longer than ever before.
 * @param seen in order, changed by this
 */
export function withTail(seen: Stretch[]): Stretch[] {
  const longest = seen.at(-1)?.toMs;
  if (longest === undefined) return seen;
  const total = seen.reduce((sum, { weight }) => sum + weight, 0);
  const wanted = Math.max(total * TAIL_SHARE, Math.min(total * TAIL_FEW_SHARE, TAIL_FEW));
  let k = 0;
  let sum = 0;
  let first = seen.length;
  while (k < wanted && first > 0) {
    const { fromMs, toMs, weight } = seen[--first]!;
    k += weight;
    sum += (weight * (fromMs + toMs)) / 2;
  }
  const begins = seen[first]!.fromMs;
  const excess = Math.max(1, sum - k * begins);
  let fromMs = longest;
  let left = 1;
  for (const end of ENDS) {
    const toMs = longest + (end * excess) / k;
    const after = (1 + end / k) ** -k;
    seen.push({ fromMs, toMs, weight: TAIL_WEIGHT * (left - after) });
    fromMs = toMs;
    left = after;
  }
  return seen;
}
