import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mannKendallZ, type Point, theilSen } from '../../src/policy/statistics.js';
import { drawFrom } from './memory-shapes.js';

const points = (...values: number[]): Point[] => values.map((value, at) => ({ at, value }));
const series = fc
  .array(fc.integer({ min: -1000, max: 1000 }), { minLength: 3, maxLength: 30 })
  .map((v) => points(...v));

function normal(draw: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}

describe('theilSen', () => {
  it('is the median of the slopes of all pairs', () => {
    // Slopes of pairs: 1, 4, 1, -1.
    expect(theilSen(points(0, 1, 4), 0)?.slope).toBe(2);
    expect(theilSen(points(0, 1, 1, 0), 0)?.slope).toBe(0.25 - 0.25);
    expect(theilSen(points(5), 0)).toBeNull();
    expect(theilSen([], 0)).toBeNull();
  });

  it('is not carried away by a quarter of wild points', () => {
    const wild = points(...Array.from({ length: 40 }, (_, i) => (i % 5 === 0 ? 1e6 * (i % 2) : 3 * i)));
    expect(theilSen(wild, 1.96)?.slope).toBeCloseTo(3);
  });

  it('moves and scales with its values', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 20 }), (given, tilt, scale) => {
        const before = theilSen(given, 1.96)?.slope as number;
        const tilted = given.map(({ at, value }) => ({ at, value: value * scale + tilt * at + 7 }));
        expect(theilSen(tilted, 1.96)?.slope).toBeCloseTo(before * scale + tilt, 6);
      }),
    );
  });

  it('lies within its interval, which has the true slope in it for about 95 % of noisy lines', () => {
    let hit = 0;
    for (let seed = 0; seed < 500; seed++) {
      const draw = drawFrom(seed);
      const { slope, atLeast, atMost } = theilSen(
        points(...Array.from({ length: 40 }, (_, i) => 2 * i + 10 * normal(draw))),
        1.96,
      )!;
      expect(atLeast).toBeLessThanOrEqual(slope);
      expect(atMost).toBeGreaterThanOrEqual(slope);
      if (atLeast <= 2 && atMost >= 2) hit++;
    }
    expect(hit / 500).toBeGreaterThan(0.92);
    expect(hit / 500).toBeLessThan(0.99);
  });

  it('is less sure where neighbours hang together', () => {
    const width = (memory: number, seed: number) => {
      const draw = drawFrom(seed);
      let value = 0;
      const wandering = Array.from({ length: 50 }, () => {
        value = memory * value + normal(draw) * Math.sqrt(1 - memory ** 2);
        return value;
      });
      const { atLeast, atMost } = theilSen(points(...wandering), 1.96)!;
      return atMost - atLeast;
    };
    const meanWidth = (memory: number) =>
      Array.from({ length: 100 }, (_, seed) => width(memory, seed)).reduce((sum, w) => sum + w / 100, 0);
    expect(meanWidth(0.9)).toBeGreaterThan(1.5 * meanWidth(0));
  });
});

describe('mannKendallZ', () => {
  it('agrees with the worked value: 12 values in order are 4.46 standard deviations from chance', () => {
    // S = 66, variance = 12 · 11 · 29 / 18.
    const ordered = points(...Array.from({ length: 12 }, (_, i) => i ** 2));
    expect(mannKendallZ(ordered)).toBeCloseTo(65 / Math.sqrt((12 * 11 * 29) / 18), 10);
    expect(mannKendallZ(ordered.map(({ at, value }) => ({ at, value: -value })))).toBeCloseTo(-4.457, 3);
  });

  it('takes ties off the variance, and says nothing about values that are all the same', () => {
    // S = 8 (2 · 4 pairs rise), variance = (6 · 5 · 17 − 2 · 1 · 9 − 4 · 3 · 13) / 18.
    expect(mannKendallZ(points(1, 1, 2, 2, 2, 2))).toBeCloseTo(7 / Math.sqrt((510 - 18 - 156) / 18), 10);
    expect(mannKendallZ(points(3, 3, 3, 3))).toBe(0);
    expect(mannKendallZ([])).toBe(0);
  });

  it('is beyond 1.96 by chance in about one of twenty cases', () => {
    let beyond = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const draw = drawFrom(seed);
      if (Math.abs(mannKendallZ(points(...Array.from({ length: 30 }, () => normal(draw))))) > 1.96) beyond++;
    }
    expect(beyond / 1000).toBeGreaterThan(0.03);
    expect(beyond / 1000).toBeLessThan(0.07);
  });
});
