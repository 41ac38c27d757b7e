import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Forecast } from '../../../src/policy/keepalive/idle-history.js';
import { nextUseRate } from '../../../src/policy/unload/next-use.js';

const MINUTE = 60_000;

const forecasts = fc
  .record({
    parts: fc.array(
      fc.record({
        gapMs: fc.integer({ min: 0, max: 50 * MINUTE }),
        lengthMs: fc.integer({ min: 1, max: 50 * MINUTE }),
        weight: fc.double({ min: 0.05, max: 20, noNaN: true }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    unseen: fc.double({ min: 0.01, max: 3, noNaN: true }),
  })
  .map(({ parts, unseen }): Forecast => {
    let at = 0;
    const stretches = parts.map(({ gapMs, lengthMs, weight }) => {
      const fromMs = at + gapMs;
      at = fromMs + lengthMs;
      return { fromMs, toMs: at, weight };
    });
    return { stretches, unseen, basis: 'learned' };
  });

/** By the definition: chance of a use that gains, and mean time kept, up to a moment; in small steps. */
function reckoned({ stretches, unseen }: Forecast, idleMs: number, leadMs: number, untilMs: number): number {
  const after = (ms: number) =>
    stretches.reduce(
      (sum, { fromMs, toMs, weight }) =>
        sum + weight * Math.min(1, Math.max(0, (toMs - Math.max(ms, fromMs)) / (toMs - fromMs))),
      unseen,
    );
  const all = after(idleMs);
  const gained = (after(Math.min(untilMs, idleMs + leadMs)) - after(untilMs)) / all;
  const steps = 2000;
  let keptMs = 0;
  for (let i = 0; i < steps; i++)
    keptMs += ((after(idleMs + ((i + 0.5) * (untilMs - idleMs)) / steps) / all) * (untilMs - idleMs)) / steps;
  return gained / keptMs;
}

describe('nextUseRate', () => {
  it('is no less than what any moment to keep it until would bring, and as much as the best brings', () => {
    fc.assert(
      fc.property(
        forecasts,
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        fc.integer({ min: 0, max: 10 * MINUTE }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (forecast, idleShare, leadMs, untilShare) => {
          const longest = forecast.stretches.at(-1)!.toMs;
          const idleMs = Math.floor(idleShare * longest);
          const rate = nextUseRate(forecast, idleMs, leadMs);
          const untilMs = idleMs + 1 + untilShare * (longest - idleMs);
          expect(reckoned(forecast, idleMs, leadMs, untilMs)).toBeLessThanOrEqual(rate * 1.02 + 1e-15);
          const ends = forecast.stretches.map(({ toMs }) => toMs).filter((toMs) => toMs > idleMs);
          const best = Math.max(...ends.map((end) => reckoned(forecast, idleMs, leadMs, end)));
          expect(rate).toBeLessThanOrEqual(best * 1.02 + 1e-15);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is the rate of what comes at random', () => {
    // Idle times of an exponential distribution with a mean of 10 min, in stretches of a minute.
    const share = (ms: number) => Math.exp(-ms / (10 * MINUTE));
    const stretches = Array.from({ length: 200 }, (_, i) => ({
      fromMs: i * MINUTE,
      toMs: (i + 1) * MINUTE,
      weight: 1000 * (share(i * MINUTE) - share((i + 1) * MINUTE)),
    }));
    const forecast: Forecast = { stretches, unseen: 0.001, basis: 'learned' };
    for (const idleMs of [0, 5 * MINUTE, 20 * MINUTE])
      expect(nextUseRate(forecast, idleMs) * 10 * MINUTE).toBeCloseTo(1, 1);
  });

  it('rises to the time at which a timer is due, and is gone after it', () => {
    const hourly: Forecast = {
      stretches: [{ fromMs: 59 * MINUTE, toMs: 60 * MINUTE, weight: 10 }],
      unseen: 0.1,
      basis: 'learned',
    };
    const rates = [0, 30, 50, 58].map((minutes) => nextUseRate(hourly, minutes * MINUTE));
    expect(rates).toEqual([...rates].sort((a, b) => a - b));
    expect(rates[3]!).toBeGreaterThan(20 * rates[0]!);
    expect(nextUseRate(hourly, 60 * MINUTE)).toBe(0);
  });

  it('does not gain by a use that comes before the load is done', () => {
    const soon: Forecast = { stretches: [{ fromMs: 0, toMs: 1000, weight: 10 }], unseen: 1, basis: 'learned' };
    expect(nextUseRate(soon, 0, 1000)).toBe(0);
    expect(nextUseRate(soon, 0, 500)).toBeCloseTo(nextUseRate(soon, 0, 0) / 2, 9);
  });

  it('is 0 where nothing is expected', () => {
    expect(nextUseRate({ stretches: [], unseen: 0.2, basis: 'learned' }, 0)).toBe(0);
  });
});
