import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Clockwork, DAY_MS, dayOf, SLOTS_A_DAY, WEEK_DAYS, WEEK_MS } from '../../../src/policy/keepalive/clockwork.js';

const rates = (length: number) =>
  fc
    .array(fc.integer({ min: 0, max: 300 }), { minLength: length, maxLength: length })
    .map((list) => Float64Array.from(list, (rate) => rate / 100));
const clockwork = fc.tuple(rates(SLOTS_A_DAY), rates(WEEK_DAYS)).map(([daily, weekly]) => new Clockwork(daily, weekly));
const moment = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) });

describe('Clockwork', () => {
  it('never stands still, and a week of it is a week', () => {
    fc.assert(
      fc.property(clockwork, moment, fc.integer({ min: 1, max: 3 * WEEK_MS }), (clock, at, later) => {
        expect(clock.at(at + later)).toBeGreaterThan(clock.at(at));
        expect(clock.at(at + WEEK_MS) - clock.at(at)).toBeCloseTo(WEEK_MS, 0);
        expect(clock.rate(at)).toBeGreaterThan(0);
      }),
    );
  });

  it('finds back to the time that it was asked for', () => {
    fc.assert(
      fc.property(clockwork, fc.array(moment, { maxLength: 5 }), (clock, moments) => {
        const sorted = Float64Array.from(moments).sort();
        const shown = sorted.map((at) => clock.at(at));
        clock.toWall(shown);
        for (const [i, at] of sorted.entries()) expect(Math.abs(shown[i]! - at)).toBeLessThan(1);
      }),
    );
  });

  it('runs as fast as what it was given says', () => {
    const daily = Float64Array.from({ length: SLOTS_A_DAY }, (_, slot) => (slot < SLOTS_A_DAY / 2 ? 0.5 : 1.5));
    const clock = new Clockwork(daily, new Float64Array(WEEK_DAYS).fill(1));
    const monday = Date.UTC(2024, 0, 1);
    expect(clock.rate(monday)).toBeCloseTo(0.5);
    expect(clock.rate(monday + DAY_MS - 1)).toBeCloseTo(1.5);
    expect(clock.at(monday + DAY_MS / 2) - clock.at(monday)).toBeCloseTo(DAY_MS / 4, 0);
  });

  it('knows Mondays, before 1970 too', () => {
    expect([Date.UTC(2024, 0, 1), Date.UTC(2024, 0, 7, 23, 59), 0, Date.UTC(1969, 11, 29)].map(dayOf)).toEqual([
      0, 6, 3, 0,
    ]);
  });
});
