/** The value below which `share` of the values lie (nearest rank); null where there is none. @param counts how often each was seen */
export function quantileOf(counts: Uint32Array, share: number): number | null {
  let total = 0;
  for (const count of counts) total += count;
  if (total === 0) return null;
  let left = Math.max(1, Math.ceil(share * total));
  for (let value = 0; value < counts.length; value++) {
    left -= counts[value]!;
    if (left <= 0) return value;
  }
  return counts.length - 1;
}
