import { describe, expect, it } from 'vitest';
import { lastingGrowth } from '../../src/policy/lasting-growth.js';
import type { Point } from '../../src/policy/statistics.js';
import * as shapes from './memory-shapes.js';

const BUCKET_S = 15;

/** The least of each 15 s between two seconds. */
function floors(memory: shapes.Shape, fromSecond: number, toSecond: number): Point[] {
  const points: Point[] = [];
  for (let second = 0; second < toSecond; second++) {
    const value = memory(second);
    if (second < fromSecond) continue;
    const bucket = points[Math.floor((second - fromSecond) / BUCKET_S)];
    if (bucket) bucket.value = Math.min(bucket.value, value);
    else points.push({ at: second, value });
  }
  return points;
}

const growthOf = (memory: shapes.Shape, fromSecond = 0, toSecond = fromSecond + 900) =>
  lastingGrowth(floors(memory, fromSecond, toSecond))!;

describe('lastingGrowth', () => {
  it('is the slope of what never comes back', () => {
    const draw = shapes.drawFrom(1);
    const growth = growthOf(shapes.sum(shapes.leak(3), shapes.sawtooth(draw, 50, 40), shapes.jitter(draw, 2)));
    expect(growth.slope * 60).toBeGreaterThan(2.8);
    expect(growth.slope * 60).toBeLessThan(3.2);
    expect(growth.atLeast).toBeLessThanOrEqual(growth.slope);
    expect(growth.atMost).toBeGreaterThanOrEqual(growth.slope);
    expect(growth).toMatchObject({ significant: true, sustained: true });
  });

  it('is nothing for what came back until now, however high it is', () => {
    const peak: shapes.Shape = (s) => (s < 800 ? s : 0);
    expect(growthOf(peak)).toMatchObject({ slope: 0, atLeast: 0 });
  });

  it('is not sustained where two steps make all of it', () => {
    const twoSteps: shapes.Shape = (s) => (s > 250 ? 40 : 0) + (s > 600 ? 40 : 0);
    expect(growthOf(twoSteps)).toMatchObject({ sustained: false });
  });

  it('is not sustained where one moment brought most of it, even if all the rest grew too', () => {
    expect(growthOf((s) => s / 60)).toMatchObject({ sustained: true });
    expect(growthOf((s) => s / 60 + (s > 400 ? 60 : 0))).toMatchObject({ sustained: false });
  });

  it('is not sustained where it flattens', () => {
    expect(growthOf((s) => 400 * (1 - Math.exp(-s / 300)), 0, 720).sustained).toBe(false);
    expect(growthOf((s) => s / 2, 0, 720).sustained).toBe(true);
  });

  it.each([82, 288, 334, 560, 648, 722])(
    'is not sustained where it flattens under a sawtooth that is rising now (%d)',
    (seed) => {
      const draw = shapes.drawFrom(seed);
      expect(growthOf(shapes.sum(shapes.warmUp(draw), shapes.sawtooth(draw)), 0, 720).sustained).toBe(false);
    },
  );

  it('is significant for steady growth that is not even, and seldom for a load that wanders', () => {
    expect(growthOf((s) => s / 60 + (s / 300) ** 2).significant).toBe(true);
    let significant = 0;
    for (let seed = 0; seed < 1000; seed++)
      if (growthOf(shapes.wandering(shapes.drawFrom(seed)), 0, 900).significant) significant++;
    expect(significant).toBeLessThanOrEqual(1);
  });

  it('is not known where a part of the time was not seen, or nothing was', () => {
    const seen = floors(shapes.leak(5), 0, 900);
    expect(lastingGrowth(seen.filter(({ at }) => at < 300 || at > 550))).toBeNull();
    expect(lastingGrowth(seen.slice(0, 1))).toBeNull();
    expect(lastingGrowth([])).toBeNull();
  });
});
