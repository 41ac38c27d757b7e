import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideRecycle,
  drawLimits,
  MIN_AGE_MS,
  type RecycleLimits,
  type WorkerFacts,
} from '../../src/policy/recycle.js';

const MIB = 1024 ** 2;
const none: RecycleLimits = {
  maxUsers: null,
  maxRequests: null,
  maxAgeMs: null,
  maxMemoryBytes: null,
  hardMemoryBytes: null,
};
const memoryOf = (limit: number): RecycleLimits => ({ ...none, maxMemoryBytes: limit, hardMemoryBytes: limit * 1.2 });
const grown: WorkerFacts = { users: 0, requests: 0, ageMs: 60_000, bootMs: 100, memoryBytes: [], bornWithBytes: null };

const facts = fc.record({
  users: fc.nat(1000),
  requests: fc.nat(100_000),
  ageMs: fc.nat(10_000_000),
  bootMs: fc.nat(60_000),
  memoryBytes: fc.array(fc.option(fc.nat(4096 * MIB)), { maxLength: 4 }),
  bornWithBytes: fc.option(fc.nat(4096 * MIB)),
});

describe('decideRecycle', () => {
  it.each([
    ['users', { ...grown, users: 50 }, { ...none, maxUsers: 50 }],
    ['requests', { ...grown, requests: 1000 }, { ...none, maxRequests: 1000 }],
    ['age', grown, { ...none, maxAgeMs: 60_000 }],
    ['memory over the limit twice', { ...grown, memoryBytes: [101 * MIB, 102 * MIB] }, memoryOf(100 * MIB)],
  ])('recycles for %s, with the numbers', (reason, worker, limits) => {
    const decision = decideRecycle(worker, limits);
    expect(decision).toMatchObject({ action: 'recycle', reason });
    expect(Object.keys(decision.numbers).length).toBeGreaterThanOrEqual(2);
  });

  it.each([
    ['users', { ...grown, users: 49 }, { ...none, maxUsers: 50 }],
    ['requests', { ...grown, requests: 999 }, { ...none, maxRequests: 1000 }],
    ['age', { ...grown, ageMs: 59_999 }, { ...none, maxAgeMs: 60_000 }],
    ['one sample over the memory limit', { ...grown, memoryBytes: [99 * MIB, 102 * MIB] }, memoryOf(100 * MIB)],
    ['a gap between two samples', { ...grown, memoryBytes: [102 * MIB, null] }, memoryOf(100 * MIB)],
  ])('holds just below: %s', (_, worker, limits) => {
    expect(decideRecycle(worker, limits).action).toBe('hold');
  });

  it('kills at 120 % on one sample, whatever the age', () => {
    const young = { ...grown, ageMs: 5, memoryBytes: [121 * MIB] };
    expect(decideRecycle(young, memoryOf(100 * MIB))).toMatchObject({
      action: 'kill',
      numbers: { memory_bytes: 121 * MIB },
    });
  });

  it('does not kill again and again one that starts over the hard limit, unless it grows from there', () => {
    const born = { ...grown, bornWithBytes: 200 * MIB };
    expect(decideRecycle({ ...born, memoryBytes: [201 * MIB] }, memoryOf(100 * MIB)).action).toBe('hold');
    expect(decideRecycle({ ...born, memoryBytes: [241 * MIB] }, memoryOf(100 * MIB)).action).toBe('kill');
  });

  it('stops recycling for memory when a fresh worker starts over the limit', () => {
    const hopeless = { ...grown, memoryBytes: [105 * MIB, 105 * MIB], bornWithBytes: 104 * MIB };
    const decision = decideRecycle(hopeless, memoryOf(100 * MIB));
    expect(decision.action).toBe('hold');
    expect(decision.reason).toContain('raise max_memory');
  });

  it('never recycles one that is younger than 10 s or twice its boot', () => {
    const any = fc.record({
      maxUsers: fc.option(fc.nat(10)),
      maxRequests: fc.option(fc.nat(10)),
      maxAgeMs: fc.option(fc.nat(10)),
      maxMemoryBytes: fc.option(fc.nat(MIB)),
      hardMemoryBytes: fc.constant(null),
    });
    fc.assert(
      fc.property(facts, any, (worker, limits) => {
        fc.pre(worker.ageMs < Math.max(MIN_AGE_MS, 2 * worker.bootMs));
        expect(decideRecycle(worker, limits).action).toBe('hold');
      }),
    );
  });

  it('does nothing when nothing is limited, whatever was measured', () => {
    fc.assert(fc.property(facts, (worker) => decideRecycle(worker, none).action === 'hold'));
  });

  it('never acts on memory that was not measured', () => {
    fc.assert(
      fc.property(facts, (worker) => {
        const blind = { ...worker, memoryBytes: [null, null] };
        expect(decideRecycle(blind, memoryOf(1)).action).toBe('hold');
      }),
    );
  });
});

describe('drawLimits', () => {
  it('moves each limit by at most the jitter, and never the hard one', () => {
    const limits = { maxUsers: 50, maxRequests: 1000, maxAgeMs: 3_600_000, maxMemoryBytes: 512 * MIB, jitter: 0.1 };
    fc.assert(
      fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), (draws) => {
        const drawn = drawLimits(limits, () => draws.next().value as number);
        for (const key of ['maxUsers', 'maxRequests', 'maxAgeMs', 'maxMemoryBytes'] as const)
          expect(Math.abs((drawn[key] as number) - limits[key])).toBeLessThanOrEqual(limits[key] * 0.1 + 0.5);
        expect(drawn.hardMemoryBytes).toBe(Math.round(512 * MIB * 1.2));
      }),
    );
  });

  it('spreads workers of one age', () => {
    let seed = 1;
    const draw = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const limits = { maxUsers: null, maxRequests: 1000, maxAgeMs: null, maxMemoryBytes: null, jitter: 0.1 };
    const drawn = Array.from({ length: 100 }, () => drawLimits(limits, draw).maxRequests);
    expect(new Set(drawn).size).toBeGreaterThan(50);
  });
});
