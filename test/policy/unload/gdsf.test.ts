import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Inflation } from '../../../src/policy/unload/gdsf.js';

describe('Inflation', () => {
  it('is what it would be if each use wrote it down', () => {
    const steps = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 1, max: 1000 }),
        evicted: fc.option(fc.double({ min: 0, max: 100, noNaN: true }), { nil: null }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const inflation = new Inflation();
        const written: { at: number; level: number }[] = [];
        let now = 0;
        let level = 0;
        for (const { afterMs, evicted } of all) {
          now += afterMs;
          if (evicted === null) written.push({ at: now, level });
          else {
            inflation.raise(evicted, now);
            level = Math.max(level, evicted);
          }
        }
        for (const { at, level: known } of written) {
          // What was used before the first eviction is taken for used at it.
          const first = all.find(({ evicted }) => (evicted ?? 0) > 0)?.evicted ?? 0;
          expect(inflation.at(at)).toBe(known === 0 ? first : known);
        }
      }),
    );
  });

  it('remembers the last thousand steps at most, and takes what is older for as old as those', () => {
    const inflation = new Inflation();
    for (let i = 1; i <= 5000; i++) inflation.raise(i, i);
    expect(inflation.at(5000)).toBe(5000);
    expect(inflation.at(4700)).toBe(4700);
    expect(inflation.at(1)).toBeGreaterThan(3900);
  });
});
