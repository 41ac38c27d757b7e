export interface TrendPoint {
  /** Monotonic ms. */
  at: number;
  value: number;
}

export interface TrendSummary {
  windowMs: number;
  samples: number;
  min: number;
  max: number;
  p50: number;
  p95: number;
  /** Slope of the least-squares line; null over less than a minute, when it would be a guess. */
  perMinute: number | null;
}

const MINUTE_MS = 60_000;

/** Null with fewer than two points in time. */
export function trendOf(points: readonly TrendPoint[]): TrendSummary | null {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || last.at <= first.at) return null;
  const sorted = points.map((p) => p.value).sort((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] as number;
  return {
    windowMs: last.at - first.at,
    samples: points.length,
    min: sorted[0] as number,
    max: sorted.at(-1) as number,
    p50: quantile(0.5),
    p95: quantile(0.95),
    perMinute: last.at - first.at < MINUTE_MS ? null : slope(points) * MINUTE_MS,
  };
}

function slope(points: readonly TrendPoint[]): number {
  const meanAt = mean(points.map((p) => p.at));
  const meanValue = mean(points.map((p) => p.value));
  let covariance = 0;
  let variance = 0;
  for (const { at, value } of points) {
    covariance += (at - meanAt) * (value - meanValue);
    variance += (at - meanAt) ** 2;
  }
  return covariance / variance;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The last so many points, at most one every so often. */
export class TrendSeries {
  #points: TrendPoint[] = [];

  constructor(
    private readonly everyMs: number,
    private readonly windowMs: number,
  ) {}

  add(at: number, value: number | null): void {
    const last = this.#points.at(-1);
    if (value === null || (last && at - last.at < this.everyMs)) return;
    this.#points.push({ at, value });
    if (at - (this.#points[0] as TrendPoint).at > this.windowMs) this.#points.shift();
  }

  summary(): TrendSummary | null {
    return trendOf(this.#points);
  }
}
