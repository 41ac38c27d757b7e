import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BatchFacts, type BatchLimits, batchSize } from '../../src/policy/batching.js';

const facts = (queued: number, more: Partial<BatchFacts> = {}): BatchFacts => ({
  queued,
  oldestMs: 0,
  room: 1,
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
    expect(batchSize(facts(8, { room: 3, costMs: 5 }), limits())).toBe(3);
    expect(batchSize(facts(8, { room: 3, costMs: 0.01 }), limits())).toBe(8);
  });

  it('is cut to the largest preferred size that is filled', () => {
    const preferred = [4, 8, 16];
    expect([3, 4, 7, 8, 15, 16, 31, 40].map((queued) => batchSize(facts(queued), limits({ preferred })))).toEqual([
      3, 4, 4, 8, 8, 16, 16, 16,
    ]);
  });

  it('fills the smallest preferred size before it spreads over idle workers', () => {
    expect(batchSize(facts(12, { room: 4, costMs: 50 }), limits({ preferred: [8] }))).toBe(8);
  });

  it('waits for a preferred size, or a full batch, only as long as max_delay', () => {
    const preferred = [4, 8];
    expect(batchSize(facts(3, { oldestMs: 9 }), limits({ preferred, maxDelayMs: 10 }))).toBe(0);
    expect(batchSize(facts(3, { oldestMs: 10 }), limits({ preferred, maxDelayMs: 10 }))).toBe(3);
    expect(batchSize(facts(4), limits({ preferred, maxDelayMs: 10 }))).toBe(4);
    expect(batchSize(facts(31, { oldestMs: 9 }), limits({ maxDelayMs: 10 }))).toBe(0);
    expect(batchSize(facts(32), limits({ maxDelayMs: 10 }))).toBe(32);
  });

  it('never takes more than there is or may be, leaves nobody beyond max_delay, and cuts to a preferred size where one is filled', () => {
    const anyFacts = fc.record({
      queued: fc.integer({ min: 0, max: 200 }),
      oldestMs: fc.nat(30),
      room: fc.nat(5),
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
        if (given.queued > 0 && given.oldestMs >= limits.maxDelayMs) expect(size).toBeGreaterThan(0);
        const [smallest] = limits.preferred;
        if (smallest !== undefined && given.queued >= smallest) expect(limits.preferred).toContain(size);
      }),
    );
  });
});
