import type { Contender, Slot } from './box.js';

/** Who makes room, the least valuable first. @param needless of these, whether those stay without whom there is room enough, too */
export function leastFirst(
  value: (slot: Slot, now: number) => number,
  needless: 'needless ones go' | 'needless ones stay' = 'needless ones go',
): Contender['victims'] {
  return (lackMb, idle, now) => {
    const order = idle.map((slot) => ({ slot, worth: value(slot, now) })).sort((a, b) => a.worth - b.worth);
    const chosen: Slot[] = [];
    let sum = 0;
    for (const { slot } of order) {
      if (sum >= lackMb) break;
      chosen.push(slot);
      sum += slot.mb;
    }
    if (sum < lackMb) return null;
    if (needless === 'needless ones go') return chosen;
    return chosen
      .toReversed()
      .filter((slot) => {
        const isNeedless = sum - slot.mb >= lackMb;
        if (isNeedless) sum -= slot.mb;
        return !isNeedless;
      })
      .toReversed();
  };
}
