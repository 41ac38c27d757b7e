import type { Outcome } from './run.js';

/** Goodput that differs by less is the same: a few requests of a run are chance. */
export const SAME_GOODPUT = 0.001;
/** A fixed size with this share of the best goodput that any fixed size has is as good as the best. */
const AS_GOOD = 0.999;
/** Sizes that are tried at once in each step of the search. */
const TRIED_AT_ONCE = 2;

/** As good and as cheap as the other, and really better in one of the two. */
export function dominates(one: Outcome, other: Outcome, same = SAME_GOODPUT): boolean {
  const asGood = one.goodput >= other.goodput - same;
  const asCheap = one.worker_seconds <= other.worker_seconds;
  return asGood && asCheap && (one.worker_seconds < other.worker_seconds || one.goodput > other.goodput + same);
}

export interface FixedSize extends Outcome {
  size: number;
}

export interface FixedSizes {
  /** The smallest that is as good as any: what somebody would have chosen who knew the load beforehand. */
  best: FixedSize;
  /** The least goodput. */
  worst: FixedSize;
}

/**
 * @param most the largest size that there may be
 * @param monotone more workers never answer fewer: then only some sizes have to be tried
 */
export async function fixedSizes(
  most: number,
  monotone: boolean,
  tried: (sizes: number[]) => Promise<Outcome[]>,
): Promise<FixedSizes> {
  const outcomes = new Map<number, FixedSize>();
  const tryAll = async (sizes: number[]) => {
    const found = await tried(sizes);
    for (const [i, size] of sizes.entries()) outcomes.set(size, { size, ...found[i]! });
  };
  if (!monotone) await tryAll(Array.from({ length: most }, (_, i) => i + 1));
  else {
    await tryAll(most === 1 ? [1] : [1, most]);
    await search(outcomes, most, tryAll);
  }
  const all = [...outcomes.values()].sort((a, b) => a.size - b.size);
  const enough = AS_GOOD * Math.max(...all.map(({ goodput }) => goodput));
  return {
    best: all.find(({ goodput }) => goodput >= enough)!,
    worst: all.reduce((least, one) => (one.goodput < least.goodput ? one : least)),
  };
}

/** Narrows down between which sizes the smallest that is good enough lies. */
async function search(
  outcomes: ReadonlyMap<number, Outcome>,
  most: number,
  tryAll: (sizes: number[]) => Promise<void>,
): Promise<void> {
  const enough = AS_GOOD * outcomes.get(most)!.goodput;
  let tooFew = 0;
  let plenty = most;
  const learn = () => {
    for (const [size, { goodput }] of outcomes)
      if (goodput >= enough) plenty = Math.min(plenty, size);
      else tooFew = Math.max(tooFew, size);
  };
  learn();
  while (plenty - tooFew > 1) {
    const parts = TRIED_AT_ONCE + 1;
    const sizes = Array.from({ length: TRIED_AT_ONCE }, (_, i) =>
      Math.round(tooFew + ((i + 1) * (plenty - tooFew)) / parts),
    ).filter((size) => size > tooFew && size < plenty);
    await tryAll([...new Set(sizes)]);
    learn();
  }
}
