/** The ms below which `share` of the counted values lie (nearest rank); null where there is none. */
export function quantileOf(counts: Uint32Array, share: number): number | null {
  let total = 0;
  for (const count of counts) total += count;
  if (total === 0) return null;
  let left = Math.max(1, Math.ceil(share * total));
  for (let ms = 0; ms < counts.length; ms++) {
    left -= counts[ms]!;
    if (left <= 0) return ms;
  }
  return counts.length - 1;
}
