import { Inflation } from '../../../src/policy/unload/gdsf.js';
import type { Box, Contender, Slot } from './box.js';
import type { Requests } from './requests.js';
import { leastFirst } from './victims.js';

/** Least recently used. */
export function lru(): Contender {
  return { victims: leastFirst((slot) => slot.usedAt) };
}

/** The same, and whatever is idle for so long goes at once. */
export function lruWithTtl(box: Box, ttlMs: number): Contender {
  return {
    ...lru(),
    tick: (now) => {
      for (const slot of box.slots) if (box.isIdle(slot) && now - (slot.busyUntil ?? 0) >= ttlMs) box.unloadEarly(slot);
    },
  };
}

/**
 * Greedy dual size and frequency, as "FaasCache" (Fuerst and Sharma, ASPLOS 2021) keeps functions: inflation + uses since it was loaded × load
 * seconds ÷ MB.
 */
export function gdsf(box: Box): Contender {
  const inflation = new Inflation();
  const uses = new Float64Array(box.slots.length);
  const priority = ({ index, loadMs, mb, usedAt }: Slot) => inflation.at(usedAt) + (uses[index]! * loadMs) / mb;
  return {
    used: ({ index }) => {
      uses[index]!++;
    },
    victims: leastFirst(priority),
    evicted: (slot, now) => {
      inflation.raise(priority(slot), now);
      uses[slot.index] = 0;
    },
  };
}

/** By what the clairvoyant decides who goes. */
export const SIGHTS = ['farthest', 'sqrt', 'cost'] as const;
export type Sight = (typeof SIGHTS)[number];
const POWERS: Readonly<Record<Sight, number>> = { farthest: 0, sqrt: 0.5, cost: 1 };

/**
 * Knows when each model is called next, and loads on demand: the farthest next call goes (Belady), weighted with load seconds ÷ MB or its root.
 * Where models differ in size and cost none of these is the optimum, which nobody can compute for so many requests: the best of them is the bound.
 */
export function clairvoyant(requests: Requests, sight: Sight): Contender {
  const power = POWERS[sight];
  return {
    victims: leastFirst(
      ({ index, loadMs, mb }, now) => (loadMs / mb) ** power / (requests.nextAt(index) - now),
      'needless ones stay',
    ),
  };
}
