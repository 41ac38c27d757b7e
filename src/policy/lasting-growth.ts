import { mannKendallZ, type Point, type Slope, theilSen } from './statistics.js';

export interface LastingGrowth extends Slope {
  /** Not by chance. */
  significant: boolean;
  /** All the time, and not ending. */
  sustained: boolean;
}

/** The time seen is cut in so many parts for the shape of the growth; the last one only shows what of the growth before it lasts. */
const PARTS = 5;
/** And in so many for its significance: their minima are ordered, or they are not. */
const BLOCKS = 12;
/** Of a one-sided test: by chance in one of 10,000 cases. */
const SIGNIFICANT_Z = 3.72;
/** What comes and goes is small where it is on average less than this share of what stays. */
const SMALL_SHARE = 0.1;
/** Each part brings at least so much of what a part brings on average: steps leave parts without any. */
const LEAST_PART = 0.25;
/** No moment brings more than so much of it all. */
const MOST_AT_ONCE = 0.4;
/** The later half brings at least so much of what the earlier one brought: what warms up flattens. */
const LEAST_LATER_HALF = 0.6;
/** Of 95 %, both sides. */
const INTERVAL_Z = 1.96;

/**
 * How much a value grows that never comes back. What counts at each moment is the least of all that follows, its lasting floor: so
 * noise and a sawtooth count with their floors only, and what has come back until now not at all. The slope is the median of all pairs of
 * lasting floors (Theil–Sen), which single steps hardly move.
 *
 * It is `significant` when the minima of twelve blocks rise (Mann–Kendall): even where a load that wanders slowly would look like that now
 * and then, unless all that comes and goes is small beside what stays. It is `sustained` when each part of the time brought its share
 * (steps, and a sawtooth of a period up to half of the time, leave parts without any) and the later half about as much as the
 * earlier one (what warms up flattens). A load that grows for the whole time can't be told from a leak.
 * @param floors in order of time
 * @returns null where a part has no floor
 */
export function lastingGrowth(floors: readonly Point[]): LastingGrowth | null {
  const parts = minimaOf(floors, PARTS);
  if (parts.length < PARTS) return null;
  const end = (floors.at(-1) as Point).at;
  const partMs = (end - (floors[0] as Point).at) / PARTS;
  const isProven = ({ at }: Point) => at <= end - partMs;
  const all = lastingFloors(floors);
  const lasting = all.filter(isProven);
  const slope = theilSen(lasting, INTERVAL_Z);
  if (!slope) return null;
  const steady = mean(floors.filter(isProven)) - mean(lasting) <= SMALL_SHARE * gain(lasting);
  return {
    ...slope,
    significant: mannKendallZ(minimaOf(floors, BLOCKS), steady) >= SIGNIFICANT_Z,
    sustained: isSustained(lasting, parts) && later(all),
  };
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
  const [first, last] = [floors[0], floors.at(-1)];
  if (!first || !last) return [];
  const partMs = (last.at - first.at) / parts;
  const minima = new Map<number, Point>();
  for (const { at, value } of floors) {
    const part = Math.min(parts - 1, Math.floor((at - first.at) / partMs));
    minima.set(part, { at: part, value: Math.min(value, minima.get(part)?.value ?? value) });
  }
  return [...minima.values()];
}

function isSustained(lasting: readonly Point[], parts: readonly Point[]): boolean {
  const leastGain = (LEAST_PART * gain(parts)) / (parts.length - 1);
  if (parts.some(({ value }, i) => i > 0 && value - (parts[i - 1] as Point).value < leastGain)) return false;
  const mostAtOnce = MOST_AT_ONCE * gain(lasting);
  if (lasting.some(({ value }, i) => i > 0 && value - (lasting[i - 1] as Point).value > mostAtOnce)) return false;
  const [first, last] = [lasting[0] as Point, lasting.at(-1) as Point];
  const middle = lasting.findIndex(({ at }) => at >= (first.at + last.at) / 2);
  const earlier = theilSen(lasting.slice(0, middle + 1), 0);
  const later = theilSen(lasting.slice(middle), 0);
  return earlier !== null && later !== null && later.slope >= LEAST_LATER_HALF * earlier.slope;
}

function gain(points: readonly Point[]): number {
  return (points.at(-1) as Point).value - (points[0] as Point).value;
}

function mean(points: readonly Point[]): number {
  return points.reduce((sum, { value }) => sum + value, 0) / points.length;
}

// @ts-ignore
const LF = +(process.env.LF ?? 0.6);
function later(lasting: readonly Point[]): boolean {
  const [first, last] = [lasting[0] as Point, lasting.at(-1) as Point];
  const middle = lasting.findIndex(({ at }) => at >= (first.at + last.at) / 2);
  const earlier = theilSen(lasting.slice(0, middle + 1), 0);
  const later = theilSen(lasting.slice(middle), 0);
  return earlier !== null && later !== null && later.slope >= LF * earlier.slope;
}
