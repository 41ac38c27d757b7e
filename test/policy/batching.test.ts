import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BatchFacts, type BatchLimits, batchSize, isWorthwhile } from '../../src/policy/batching.js';

const facts = (queued: number, more: Partial<BatchFacts> = {}): BatchFacts => ({
  queued,
  share: queued,
  costMs: null,
  ...more,
});
const limits = (more: Partial<BatchLimits> = {}): BatchLimits => ({
  maxSize: 32,
  maxDelayMs: 0,
  preferred: [],
  ...more,
});

describe('batchSize', () => {
  it('takes what is queued, at most max_size', () => {
    expect(batchSize(facts(5), limits())).toBe(5);
    expect(batchSize(facts(50), limits())).toBe(32);
  });

  it('divides dear work among the workers that have room, and keeps cheap work together', () => {
    expect(batchSize(facts(8, { share: 3, costMs: 5 }), limits())).toBe(3);
    expect(batchSize(facts(8, { share: 3, costMs: 0.01 }), limits())).toBe(8);
  });

  it('is cut to the largest preferred size that is filled', () => {
    const preferred = [4, 8, 16];
    expect([3, 4, 7, 8, 15, 16, 31, 40].map((queued) => batchSize(facts(queued), limits({ preferred })))).toEqual([
      3, 4, 4, 8, 8, 16, 16, 16,
    ]);
  });

  it('fills the smallest preferred size before it spreads over idle workers', () => {
    expect(batchSize(facts(12, { share: 3, costMs: 50 }), limits({ preferred: [8] }))).toBe(8);
  });

  it('waits for a preferred size, or a full batch, only as long as max_delay', () => {
    const preferred = [4, 8];
    const leaves = (queued: number, oldestMs: number, sizes: number[]) =>
      isWorthwhile({ queued, oldestMs }, limits({ preferred: sizes, maxDelayMs: 10 }));
    expect(leaves(3, 9, preferred)).toBe(false);
    expect(leaves(3, 10, preferred)).toBe(true);
    expect(leaves(4, 0, preferred)).toBe(true);
    expect(leaves(31, 9, [])).toBe(false);
    expect(leaves(32, 0, [])).toBe(true);
    expect(batchSize(facts(3), limits({ preferred }))).toBe(3);
  });

  it('never takes more than there is or may be, never nothing, and cuts to a preferred size where one is filled', () => {
    const anyFacts = fc.record({
      queued: fc.integer({ min: 1, max: 200 }),
      share: fc.integer({ min: 1, max: 200 }),
      costMs: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
    });
    const anyLimits = fc
      .record({ maxSize: fc.integer({ min: 1, max: 64 }), maxDelayMs: fc.nat(20), sizes: fc.array(fc.nat(63)) })
      .map(({ maxSize, maxDelayMs, sizes }) => {
        const preferred = [...new Set(sizes.map((n) => (n % maxSize) + 1))].sort((a, b) => a - b);
        return { maxSize, maxDelayMs, preferred };
      });
    fc.assert(
      fc.property(anyFacts, anyLimits, (given, limits) => {
        const size = batchSize(given, limits);
        expect(size).toBeLessThanOrEqual(Math.min(given.queued, limits.maxSize));
        expect(size).toBeGreaterThan(0);
        const [smallest] = limits.preferred;
        if (smallest !== undefined && given.queued >= smallest) expect(limits.preferred).toContain(size);
      }),
    );
  });
});
