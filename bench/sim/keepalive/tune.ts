import type { Outcome } from './outcome.js';

/** Ours at one price of memory. */
export interface Priced extends Outcome {
  price: number;
}

/** Wasting so much less than a rival is as good as equal. Never more: that would be unfair. */
const CLOSE_SHARE = 0.01;
const FAR = 4;
const MOST_ROUNDS = 14;

/** Prices to begin with, beside those of the strategies: what 10 and 60 min and the hybrid waste in the week of seed 1, where most runs end up near. */
export const FIRST_PRICES = [5.3e-6, 2.4e-6, 2.02e-6];

/**
 * Finds, for each waste, the price at which ours wastes as much: bisection on the logarithms, which are nearly straight, with all open ones in one run.
 * @param known what was tried already
 * @param run tries prices
 * @returns in the order of `wastes`; null where no price wastes so little
 */
export async function tuned(
  wastes: readonly number[],
  known: readonly Priced[],
  run: (prices: number[]) => Promise<Priced[]>,
  mostRounds = MOST_ROUNDS,
): Promise<(Priced | null)[]> {
  const tried = [...known];
  for (let round = 0; round < mostRounds; round++) {
    const prices = wastes.map((waste) => nextPrice(tried, waste, round)).filter((price) => price !== null);
    if (prices.length === 0) break;
    tried.push(...(await run([...new Set(prices)])));
  }
  return wastes.map((waste) => closest(tried, waste));
}

/** The most that is wasted without wasting more. */
function closest(tried: readonly Priced[], waste: number): Priced | null {
  return tried
    .filter(({ wasted_mb_s }) => wasted_mb_s <= waste)
    .reduce<Priced | null>((best, one) => (best === null || one.wasted_mb_s > best.wasted_mb_s ? one : best), null);
}

/** Null: close enough. Dear memory wastes little. */
function nextPrice(tried: readonly Priced[], waste: number, round: number): number | null {
  const below = closest(tried, waste);
  if (below && below.wasted_mb_s >= waste * (1 - CLOSE_SHARE)) return null;
  const above = tried
    .filter(({ wasted_mb_s }) => wasted_mb_s > waste)
    .reduce<Priced | null>((best, one) => (best === null || one.wasted_mb_s < best.wasted_mb_s ? one : best), null);
  if (below === null) return above === null ? null : above.price * FAR;
  if (above === null) return below.price / FAR;
  // A little below the target: the next is close enough where the line is straight.
  const aim = Math.log(waste * (1 - CLOSE_SHARE / 2));
  const share = (aim - Math.log(below.wasted_mb_s)) / (Math.log(above.wasted_mb_s) - Math.log(below.wasted_mb_s));
  // A line alone may creep up on it from one side.
  const bounded = round % 2 === 0 ? Math.min(0.98, Math.max(0.02, share)) : (share + 0.5) / 2;
  return Math.exp(Math.log(below.price) * (1 - bounded) + Math.log(above.price) * bounded);
}
