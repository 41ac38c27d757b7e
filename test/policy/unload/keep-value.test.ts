import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdleHistory } from '../../../src/policy/keepalive.js';
import { EXCHANGE_EVERY_MS } from '../../../src/policy/unload/exchange.js';
import { isTimeToLoad, type KeepFacts, keepValue, loadValue } from '../../../src/policy/unload/keep-value.js';

const MINUTE = 60_000;
const MONDAY = Date.UTC(2024, 0, 1);

/** Called so often, each time after so many ms. */
function calledEach(ms: number, times: number): { history: IdleHistory; wallMs: number } {
  const history = new IdleHistory();
  for (let i = 0; i < times; i++) history.used(i === 0 ? null : ms, MONDAY + i * ms);
  return { history, wallMs: MONDAY + (times - 1) * ms };
}

function facts(
  known: { history: IdleHistory; wallMs: number },
  unusedMs: number | null,
  given: Partial<KeepFacts> = {},
) {
  return {
    history: known.history,
    wallMs: known.wallMs + (unusedMs ?? 0),
    unusedMs,
    idleMs: unusedMs ?? 0,
    loadSeconds: 2,
    mib: 100,
    uses: 3,
    inflation: 0,
    ...given,
  };
}

describe('keepValue', () => {
  it('tells models from each other that are all due within minutes', () => {
    const each = (minutes: number) => keepValue('keep_value', facts(calledEach(minutes * MINUTE, 50), 1000));
    expect(each(1)).toBeGreaterThan(3 * each(5));
    expect(each(5)).toBeGreaterThan(1.5 * each(12));
  });

  it('grows with the cost of a load, and falls with the size', () => {
    const known = calledEach(10 * MINUTE, 20);
    const orders = fc.constantFrom('keep_value' as const, 'gdsf' as const);
    fc.assert(
      fc.property(
        orders,
        fc.double({ min: 0.1, max: 60, noNaN: true }),
        fc.integer({ min: 1, max: 5000 }),
        (order, seconds, mib) => {
          const value = (loadSeconds: number, size: number) =>
            keepValue(order, facts(known, MINUTE, { loadSeconds, mib: size }));
          expect(value(2 * seconds, mib)).toBeCloseTo(2 * value(seconds, mib), 9);
          expect(value(seconds, 2 * mib)).toBeCloseTo(value(seconds, mib) / 2, 9);
        },
      ),
    );
  });

  it('takes a model that was used once, or in one burst, for the rarer the longer ago that was', () => {
    const history = new IdleHistory();
    history.used(null, MONDAY);
    for (let i = 1; i < 1000; i++) history.used(0, MONDAY + i);
    const value = (unusedMs: number) => keepValue('keep_value', facts({ history, wallMs: MONDAY + 1000 }, unusedMs));
    expect(value(MINUTE)).toBeCloseTo((1 / (61 * 1000)) * (2000 / 100), 9);
    expect(value(60 * MINUTE)).toBeLessThan(value(MINUTE) / 50);
  });

  it('is nothing for a model that was never used', () => {
    expect(keepValue('keep_value', facts({ history: new IdleHistory(), wallMs: MONDAY }, null))).toBe(0);
  });

  it('gdsf: uses count from the level at the last of them', () => {
    const known = calledEach(MINUTE, 5);
    expect(keepValue('gdsf', facts(known, 0, { uses: 4, inflation: 7 }))).toBeCloseTo(7 + (4 * 2000) / 100, 9);
  });

  it('lru: whoever was used last is worth most, whatever it costs', () => {
    const known = calledEach(MINUTE, 5);
    const used = (idleMs: number, loadSeconds: number) =>
      keepValue('lru', facts(known, idleMs, { idleMs, loadSeconds }));
    expect(used(1000, 0.1)).toBeGreaterThan(used(2000, 60));
  });

  it('is a number for any history, and never negative but for lru', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 3 * 86_400_000 }), { maxLength: 40 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 0, max: 30 * 86_400_000 }), (idleTimes, unusedMs) => {
        const history = new IdleHistory();
        let wallMs = MONDAY;
        for (const [i, idleMs] of idleTimes.entries()) {
          wallMs += idleMs;
          history.used(i === 0 ? null : idleMs, wallMs);
        }
        const given = facts({ history, wallMs }, unusedMs, { mib: 0 });
        for (const value of [keepValue('keep_value', given), keepValue('gdsf', given), loadValue(given)]) {
          expect(Number.isFinite(value)).toBe(true);
          expect(value).toBeGreaterThanOrEqual(0);
        }
        expect(Number.isFinite(keepValue('lru', given))).toBe(true);
      }),
    );
  });
});

describe('loading ahead', () => {
  const hourly = calledEach(60 * MINUTE, 40);

  it('is worth no more than keeping', () => {
    for (const minutes of [0, 20, 59])
      expect(loadValue(facts(hourly, minutes * MINUTE))).toBeLessThanOrEqual(
        keepValue('keep_value', facts(hourly, minutes * MINUTE)) * (1 + 1e-9),
      );
  });

  it('is due shortly before the next use, and not after it', () => {
    const isTime = (minutes: number) => isTimeToLoad(facts(hourly, minutes * MINUTE), 1e-5);
    expect([1, 30, 55, 59.95, 90].map(isTime)).toEqual([false, false, false, true, false]);
  });

  it('is not due and over between two looks, however exactly the next use is known, and never too late for the load', () => {
    const loadMs = 2000;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: EXCHANGE_EVERY_MS - 1 }), (phaseMs) => {
        const looks = Array.from({ length: 400 }, (_, i) => phaseMs + i * EXCHANGE_EVERY_MS);
        const first = looks.find((ms) => isTimeToLoad(facts(hourly, ms), 1e-6))!;
        expect(first).toBeLessThan(60 * MINUTE - loadMs);
        expect(first).toBeGreaterThan(59 * MINUTE);
      }),
    );
  });

  it('never is for a model that is hardly known, or was never used', () => {
    expect(isTimeToLoad(facts(calledEach(MINUTE, 3), MINUTE - 1), 0)).toBe(false);
    expect(isTimeToLoad(facts(hourly, null), 0)).toBe(false);
  });
});
