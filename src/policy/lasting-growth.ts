import { mannKendallZ, type Point, type Slope, theilSen } from './statistics.js';

export interface LastingGrowth extends Slope {
  /** Not by chance. */
  significant: boolean;
  /** All the time, and not ending. */
  sustained: boolean;
}

/**
 * The time seen is cut in so many parts. The last one only shows what of the growth before it lasts. Without a trend the six minima are
 * in ascending order in one case of 6! = 720 (Mann–Kendall test with its greatest S: p = 0.0014, exact).
 */
const PARTS = 5;
const BLOCKS = 12;
const SIGNIFICANT_Z = 3.72;
/** Each part brings at least so much of what a part brings on average: steps leave parts without any. */
const MOST_PART = 2;
const LEAST_PART = 0.25;
/** The later half brings at least so much of what the earlier one brought: what warms up flattens. */
const LEAST_LATER_HALF = 0.55;
/** Of 95 %, both sides. */
const Z = 1.96;

/**
 * How much a value grows that never comes back. What counts at each moment is the least of all that follows (its lasting floor), so a
 * sawtooth counts with its floors only, and not at all while its period is up to half of the time seen: before its last floor nothing lasts.
 * The slope is the median of all pairs of lasting floors, so noise and single steps hardly move it.
 * The interval is a little narrow: lasting floors depend on each other. That's why significance is tested on the parts' own minima.
 * @param floors in order of time
 * @returns null where a part has no floor
 */
export function lastingGrowth(floors: readonly Point[]): LastingGrowth | null {
  const [first, last] = [floors[0], floors.at(-1)];
  if (!first || !last || last.at <= first.at) return null;
  const partMs = (last.at - first.at) / PARTS;
  const minima = new Array<number>(PARTS).fill(Number.POSITIVE_INFINITY);
  for (const { at, value } of floors) {
    const part = Math.min(PARTS - 1, Math.floor((at - first.at) / partMs));
    minima[part] = Math.min(minima[part] as number, value);
  }
  if (!minima.every(Number.isFinite)) return null;
  const lasting = lastingFloors(floors).filter(({ at }) => at <= last.at - partMs);
  const slope = theilSen(lasting, Z);
  return slope && { ...slope, significant: mannKendallZ(minimaOf(floors, BLOCKS)) >= SIGNIFICANT_Z, sustained: isSustained(lasting, minima) };
}

function lastingFloors(floors: readonly Point[]): Point[] {
  let least = Number.POSITIVE_INFINITY;
  return floors
    .toReversed()
    .map(({ at, value }) => {
      least = Math.min(least, value);
      return { at, value: least };
    })
    .reverse();
}

/** The least of each of so many equal parts of the time, where there is any. */
function minimaOf(floors: readonly Point[], parts: number): Point[] {
  const [first, last] = [floors[0] as Point, floors.at(-1) as Point];
  const partMs = (last.at - first.at) / parts;
  const minima = new Map<number, Point>();
  for (const { at, value } of floors) {
    const part = Math.min(parts - 1, Math.floor((at - first.at) / partMs));
    minima.set(part, { at: part, value: Math.min(value, minima.get(part)?.value ?? value) });
  }
  return [...minima.values()];
}

function isSustained(lasting: readonly Point[], minima: readonly number[]): boolean {
  const gains = minima.slice(1).map((least, i) => least - (minima[i] as number));
  const meanGain = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
  if (gains.some((gain) => gain < LEAST_PART * meanGain || gain > MOST_PART * meanGain)) return false;
  const [first, last] = [lasting[0] as Point, lasting.at(-1) as Point];
  const halfway = (first.at + last.at) / 2;
  const middle = lasting.find(({ at }) => at >= halfway) as Point;
  const perMs = (from: Point, to: Point) => (to.value - from.value) / (to.at - from.at);
  return perMs(middle, last) >= LEAST_LATER_HALF * perMs(first, middle);
}
