import fc from 'fast-check';
import { expect, it } from 'vitest';
import { patienceAfter, REGRET_MS } from '../../../src/policy/unload/patience.js';

it('doubles with each regret up to eightfold, and halves with each unloading that was right', () => {
  const after = (times: number, goneMs: number, from = 1) =>
    Array.from({ length: times }).reduce<number>((patience) => patienceAfter(patience, goneMs), from);
  expect([1, 2, 3, 4].map((times) => after(times, 1000))).toEqual([2, 4, 8, 8]);
  expect([1, 2, 3, 4].map((times) => after(times, REGRET_MS, 8))).toEqual([4, 2, 1, 1]);
});

it('stays within its bounds, whatever happens', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10 * REGRET_MS)), (gaps) => {
      const end = gaps.reduce(patienceAfter, 1);
      expect(end).toBeGreaterThanOrEqual(1);
      expect(end).toBeLessThanOrEqual(8);
    }),
  );
});
