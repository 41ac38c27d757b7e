import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Popularity } from '../../src/policy/popularity.js';

const HOUR = 3_600_000;

describe('popularity', () => {
  it('counts uses, those of a window ago as 1/e', () => {
    const popularity = new Popularity(undefined, 24 * HOUR);
    popularity.add(10, 0);
    expect(popularity.value(0)).toBe(10);
    expect(popularity.value(24 * HOUR)).toBeCloseTo(10 / Math.E, 9);
    popularity.add(5, 24 * HOUR);
    expect(popularity.value(24 * HOUR)).toBeCloseTo(5 + 10 / Math.E, 9);
  });

  it('outlives its process, and takes nothing from what it cannot read', () => {
    const popularity = new Popularity(undefined, HOUR);
    popularity.add(7, 1000);
    const kept = new Popularity(JSON.parse(JSON.stringify(popularity)), HOUR);
    expect(kept.value(1000)).toBe(7);
    for (const bad of [null, 'x', {}, { uses: -1, at: 0 }, { uses: 'many', at: 0 }, { uses: 3, at: null }])
      expect(new Popularity(bad, HOUR).value(0)).toBe(0);
  });

  it('falls while nobody asks, whatever the clock does, and is never negative', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -HOUR, max: HOUR }), fc.integer({ min: 0, max: 9 }))),
        (steps) => {
          const popularity = new Popularity(undefined, HOUR);
          let wall = 10 * HOUR;
          let total = 0;
          for (const [ms, uses] of steps) {
            wall += ms;
            const before = popularity.value(wall);
            popularity.add(uses, wall);
            total += uses;
            const after = popularity.value(wall);
            expect(after).toBeCloseTo(before + uses, 6);
            expect(after).toBeLessThanOrEqual(total + 1e-6);
            expect(popularity.value(wall + HOUR)).toBeLessThanOrEqual(after);
            expect(popularity.value(wall - HOUR)).toBeLessThanOrEqual(after + 1e-6);
          }
        },
      ),
    );
  });
});
