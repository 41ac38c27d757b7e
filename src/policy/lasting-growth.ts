import { mannKendallZ, type Point, type Slope, theilSen } from './statistics.js';

export interface LastingGrowth extends Slope {
  /** Not by chance. */
  significant: boolean;
  /** All the time, and not ending. */
  sustained: boolean;
}

/** The time seen is cut in so many parts for the shape of the growth; the last one only shows what of the growth before it lasts. */
const PARTS = 5;
/** And in so many for its significance: their minima are in order, or they are not. */
const BLOCKS = 12;
/** Of a one-sided test: by chance in one of 20,000 cases. */
const SIGNIFICANT_Z = 3.9;
/** Of 95 %, both sides. */
const INTERVAL_Z = 1.96;

// The next four: by simulation, so that test/policy/leak.test.ts holds and what the comments there say of larger runs.
/** Each part brings at least so much of what a part brings on average. */
const LEAST_PART = 0.15;
/** No moment brings more than so much of all. */
const MOST_AT_ONCE = 0.4;
/** The later half of the proven time grows at least so fast as this share of the earlier half. */
const LEAST_LATER_PROVEN = 0.45;
/** The same of all the time: longer, so surer, but a sawtooth that is rising now makes its end too steep. */
const LEAST_LATER = 0.6;

/**
 * How much a value grows that never comes back. What counts at each moment is the least of all that follows, its lasting floor: so
 * noise and a sawtooth count with their floors only, and what has come back until now not at all. The slope is the median of all pairs of
 * lasting floors (Theil–Sen), which single steps hardly move.
 *
 * It is `significant` when the minima of twelve blocks rise (Mann–Kendall), nearly each above all before. It is `sustained` when each
 * part of the time brought its share (steps, and a sawtooth of a period up to half of the time, leave parts without any) and the later
 * half about as much as the earlier one (what warms up flattens).
 *
 * A load that grows for the whole time can't be told from a leak, nor can one that wanders over minutes and by chance wanders up:
 * in simulation 3 in 1,500 hours where it forgets within a minute where it was, 12 where within two, 97 where within five.
 * @param floors in order of time
 * @returns null where a part has no floor
 */
export function lastingGrowth(floors: readonly Point[]): LastingGrowth | null {
  const parts = minimaOf(floors, PARTS);
  if (parts.length < PARTS) return null;
  const end = (floors.at(-1) as Point).at;
  const partMs = (end - (floors[0] as Point).at) / PARTS;
  const lasting = lastingFloors(floors);
  const proven = lasting.filter(({ at }) => at <= end - partMs);
  const slope = theilSen(proven, INTERVAL_Z);
  if (!slope) return null;
  return {
    ...slope,
    significant: mannKendallZ(minimaOf(floors, BLOCKS)) >= SIGNIFICANT_Z,
    sustained: isEverywhere(parts, proven) && goesOn(proven, LEAST_LATER_PROVEN) && goesOn(lasting, LEAST_LATER),
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

function isEverywhere(parts: readonly Point[], proven: readonly Point[]): boolean {
  const least = (LEAST_PART * gain(parts)) / (parts.length - 1);
  const most = MOST_AT_ONCE * gain(proven);
  return gains(parts).every((part) => part >= least) && gains(proven).every((step) => step <= most);
}

function goesOn(lasting: readonly Point[], leastLater: number): boolean {
  const halfway = ((lasting[0] as Point).at + (lasting.at(-1) as Point).at) / 2;
  const middle = lasting.findIndex(({ at }) => at >= halfway);
  const earlier = theilSen(lasting.slice(0, middle + 1), 0);
  const later = theilSen(lasting.slice(middle), 0);
  return earlier !== null && later !== null && later.slope >= leastLater * earlier.slope;
}

function gains(points: readonly Point[]): number[] {
  return points.slice(1).map(({ value }, i) => value - (points[i] as Point).value);
}

function gain(points: readonly Point[]): number {
  return (points.at(-1) as Point).value - (points[0] as Point).value;
}
