import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cost } from '../../../src/pool/balancers/cost.js';
import { Pace } from '../../../src/pool/balancers/pace.js';

describe('the cost of a batch', () => {
  it('is found whatever the sizes are, where time is linear in size', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.double({ min: 0.01, max: 10, noNaN: true }),
        fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 2, maxLength: 50 }),
        (fixed, each, sizes) => {
          const cost = new Cost();
          for (const size of sizes) cost.observe(size, fixed + each * size);
          fc.pre(new Set(sizes).size > 1);
          for (const size of [1, 7, 64]) expect(cost.of(size)).toBeCloseTo(fixed + each * size, 3);
        },
      ),
    );
  });

  it('is in proportion to the size where only one was seen, and unknown at first', () => {
    const cost = new Cost();
    expect([cost.of(1), cost.perInput()]).toEqual([null, null]);
    for (let i = 0; i < 10; i++) cost.observe(4, 20);
    expect(cost.of(4)).toBeCloseTo(20, 9);
    expect(cost.of(8)).toBeCloseTo(40, 9);
  });

  it('is never negative, and finite', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 64 }), fc.double({ min: 0, max: 1e6, noNaN: true })), {
          minLength: 1,
          maxLength: 100,
        }),
        (samples) => {
          const cost = new Cost();
          for (const [size, ms] of samples) cost.observe(size, ms);
          for (const size of [1, 64]) {
            expect(cost.of(size)).toBeGreaterThanOrEqual(0);
            expect(Number.isFinite(cost.of(size))).toBe(true);
          }
        },
      ),
    );
  });
});

describe('the pace of a worker', () => {
  it('rises with a few slow batches, and falls slowly', () => {
    const pace = new Pace();
    for (let i = 0; i < 50; i++) pace.observe(1, i);
    for (let i = 0; i < 3; i++) pace.observe(5, 50 + i);
    expect(pace.at(53)).toBeGreaterThan(3);
    for (let i = 0; i < 3; i++) pace.observe(1, 53 + i);
    expect(pace.at(56)).toBeGreaterThan(2.5);
    for (let i = 0; i < 100; i++) pace.observe(1, 56 + i);
    expect(pace.at(156)).toBeLessThan(1.1);
  });

  it('is never 0 nor endless, so that it can be divided by', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, noNaN: true }), { maxLength: 50 }), fc.nat(1e6), (samples, later) => {
        const pace = new Pace();
        samples.forEach((sample, now) => {
          pace.observe(sample, now);
        });
        expect(pace.at(samples.length + later)).toBeGreaterThan(0.01);
        expect(pace.at(samples.length + later)).toBeLessThan(100);
      }),
    );
  });

  it('drifts to the common pace without samples, from either side, and a late sample counts in full', () => {
    for (const relative of [5, 0.2]) {
      const pace = new Pace();
      pace.observe(relative, 0);
      expect(pace.at(0)).toBeCloseTo(relative, 9);
      expect(Math.abs(pace.at(20_000) - 1)).toBeLessThan(Math.abs(relative - 1) / 5);
      pace.observe(1, 60_000);
      expect(pace.at(60_000)).toBeCloseTo(1, 1);
    }
  });
});
