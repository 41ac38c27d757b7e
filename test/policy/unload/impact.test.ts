import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { successRate, type UnloadOutcome, unloadImpact } from '../../../src/policy/unload/impact.js';

const MB = 1024 ** 2;

/** The example of docs/http-api.md. */
const EXAMPLE: UnloadOutcome = {
  models: 50,
  meanBytes: 2 * MB,
  unloads: 25,
  succeeded: 23,
  freedBytes: 50 * MB,
  unloadSeconds: 12.5,
  observedSeconds: 12.5 / 0.03,
};
const NOTHING: UnloadOutcome = { ...EXAMPLE, unloads: 0, succeeded: 0, freedBytes: 0, unloadSeconds: 0 };

describe('the impact of unloading', () => {
  it('gives the figures of the example', () => {
    const { memoryEfficiency, timeEfficiency, successRate, score } = unloadImpact(EXAMPLE);
    expect(memoryEfficiency).toBe(0.5);
    expect(timeEfficiency).toBeCloseTo(0.97, 10);
    expect(successRate).toBe(0.92);
    expect(score).toBeCloseTo(0.2 * 0.5 + 0.3 * 0.97 + 0.5 * 0.92, 10);
    expect(Math.round(score * 100) / 100).toBe(0.85);
  });

  it('holds nothing against it that nothing was unloaded', () => {
    expect(unloadImpact(NOTHING)).toEqual({ memoryEfficiency: 0, timeEfficiency: 1, successRate: 1, score: 0.8 });
    expect(unloadImpact({ ...NOTHING, models: 0, meanBytes: null, observedSeconds: 0 }).score).toBe(0.8);
    expect(successRate({ unloads: 0, succeeded: 0 })).toBe(1);
  });

  it('is worse with each failure, and with each second', () => {
    const of = (more: Partial<UnloadOutcome>) => unloadImpact({ ...EXAMPLE, ...more }).score;
    expect(of({ succeeded: 12 })).toBeLessThan(of({}));
    expect(of({ unloadSeconds: 100 })).toBeLessThan(of({}));
    expect(of({ freedBytes: 25 * MB })).toBeLessThan(of({}));
    expect(of({ freedBytes: 1000 * MB })).toBeCloseTo(of({ freedBytes: 100 * MB }), 10);
  });

  it('knows no memory efficiency of models that were never measured', () => {
    expect(unloadImpact({ ...EXAMPLE, meanBytes: null }).memoryEfficiency).toBe(0);
  });

  it('stays within 0 and 1, whatever was counted', () => {
    const amount = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e15, noNaN: true }));
    fc.assert(
      fc.property(
        fc.record({
          models: fc.nat(1000),
          meanBytes: fc.option(amount, { nil: null }),
          unloads: fc.nat(1e6),
          succeeded: fc.nat(1e6),
          freedBytes: amount,
          unloadSeconds: amount,
          observedSeconds: amount,
        }),
        (outcome) => {
          for (const share of Object.values(unloadImpact(outcome))) {
            expect(share).toBeGreaterThanOrEqual(0);
            expect(share).toBeLessThanOrEqual(1);
          }
        },
      ),
    );
  });
});
