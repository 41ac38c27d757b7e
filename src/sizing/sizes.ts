import { SupError } from '../errors.js';

/** As for `supervisor scale`. */
const MAX_WORKERS = 512;
/** Without a word on it, no more than this are tried. */
const MAX_DEFAULT = 8;
const FORM = /^\d{1,4}(\.\.\d{1,4})?$/;

/** `1..8`, `1,2,4` or `4`: the sizes to measure, smallest first. @throws SupError SUP_USAGE */
export function parseSizes(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  const sizes = parts.flatMap((part) => {
    if (!FORM.test(part)) throw refusal(text);
    const [first = 0, last = first] = part.split('..').map(Number);
    if (first < 1 || last > MAX_WORKERS || last < first) throw refusal(text);
    return upTo(last).slice(first - 1);
  });
  return [...new Set(sizes)].sort((a, b) => a - b);
}

/** All that its range allows; twice the cores where its size is fixed: more than that has rarely been of use. At most 8. */
export function defaultSizes(range: { min: number; max: number }, cores: number): number[] {
  const most = range.min === range.max ? 2 * cores : range.max;
  return upTo(Math.min(most, MAX_DEFAULT));
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

function refusal(text: string): SupError {
  return new SupError(
    'SUP_USAGE',
    `--workers wants sizes from 1 to ${MAX_WORKERS}, such as 1..8, 1,2,4 or 4, not '${text}'`,
  );
}
