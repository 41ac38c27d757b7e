/** One value in time. */
export interface Point {
  at: number;
  value: number;
}

/** A slope and where it lies with some confidence. */
export interface Slope {
  slope: number;
  atLeast: number;
  atMost: number;
}

/**
 * The median of the slopes between all pairs of points, which a quarter of wild points can't carry away (Theil 1950, Sen 1968), and Sen's
 * interval around it: as many ranks to both sides as the variance of Kendall's S gives, ties taken off (Gilbert, "Statistical
 * Methods for Environmental Pollution Monitoring", 1987, p. 217 ff.), and more where what is left besides the slope hangs together from one
 * point to the next, since such points say less (as many as (1 − r) ÷ (1 + r) of them would; Bayley & Hammersley 1946).
 * @param points in order of time, no two at one moment
 * @param z quantile of the normal distribution; 1.96 for 95 %
 * @returns null for fewer than two points
 */
export function theilSen(points: readonly Point[], z: number): Slope | null {
  const n = points.length;
  if (n < 2) return null;
  const slopes = new Float64Array((n * (n - 1)) / 2);
  let count = 0;
  for (const [i, later] of points.entries())
    for (let j = 0; j < i; j++) {
      const earlier = points[j] as Point;
      slopes[count++] = (later.value - earlier.value) / (later.at - earlier.at);
    }
  slopes.sort();
  const middle = (count - 1) / 2;
  const rank = (at: number) => slopes[Math.min(count - 1, Math.max(0, at))] as number;
  const slope = (rank(Math.floor(middle)) + rank(Math.ceil(middle))) / 2;
  const r = autocorrelation(points, slope);
  const halfWidth = (z * Math.sqrt((kendallVariance(points) * (1 + r)) / (1 - r))) / 2;
  return {
    slope,
    atLeast: rank(Math.floor(middle - halfWidth)),
    atMost: rank(Math.ceil(middle + halfWidth)),
  };
}

/**
 * How far Kendall's S (pairs that rise less pairs that fall) is from what chance gives, in standard deviations: the Mann–Kendall test
 * for a trend.
 */
export function mannKendallZ(points: readonly Point[]): number {
  let s = 0;
  for (const [i, later] of points.entries())
    for (let j = 0; j < i; j++) s += Math.sign(later.value - (points[j] as Point).value);
  const variance = kendallVariance(points);
  return variance === 0 ? 0 : (s - Math.sign(s)) / Math.sqrt(variance);
}

/** Of Kendall's S where there is no trend. */
function kendallVariance(points: readonly Point[]): number {
  const sizes = new Map<number, number>();
  for (const { value } of points) sizes.set(value, (sizes.get(value) ?? 0) + 1);
  const term = (k: number) => k * (k - 1) * (2 * k + 5);
  let variance = term(points.length);
  for (const size of sizes.values()) variance -= term(size);
  return variance / 18;
}

/** Of neighbours, after the slope is taken off; from 0 to 0.95. */
function autocorrelation(points: readonly Point[], slope: number): number {
  const levels = points.map(({ at, value }) => value - slope * at);
  const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
  let products = 0;
  let squares = 0;
  for (const [i, level] of levels.entries()) {
    squares += (level - mean) ** 2;
    if (i > 0) products += (level - mean) * ((levels[i - 1] as number) - mean);
  }
  return squares === 0 ? 0 : Math.min(0.95, Math.max(0, products / squares));
}
