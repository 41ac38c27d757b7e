/** The word that was probably meant. */
import { closest, distance } from 'fastest-levenshtein';

/** The candidate nearest to a misspelt word, or null where none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const wanted = plain(word);
  const spellings = candidates.map(plain);
  const same = spellings.indexOf(wanted);
  if (same !== -1) return candidates[same]!;
  if (candidates.length === 0 || wanted === '') return null;
  const best = closest(wanted, spellings);
  if (distance(wanted, best) <= Math.ceil(wanted.length / 3)) return candidates[spellings.indexOf(best)]!;
  // `TERM` for SIGTERM, `max_mem` for max_memory: far by letters, near by sense.
  const partial = wanted.length >= 3 ? candidates.filter((_, index) => spellings[index]!.includes(wanted)) : [];
  return partial.length === 1 ? partial[0]! : null;
}

/** `, did you mean \`x\`?`, or nothing. */
export function didYouMean(candidate: string | null): string {
  return candidate === null ? '' : `, did you mean \`${candidate}\`?`;
}

/** `maxRequests`, `max-requests` and `MAX_REQUESTS` are one spelling. */
function plain(word: string): string {
  return word
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[-. ]/g, '_')
    .toLowerCase();
}
