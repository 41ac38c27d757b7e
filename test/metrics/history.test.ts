import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { History } from '../../src/metrics/history.js';

type Counters = { a: number; b: number };
const of = (a: number, b = 0): ReadonlyMap<string, Counters> => new Map([['x', { a, b }]]);
const open = (startedAt = 0) => new History<keyof Counters>(['a', 'b'], startedAt);

describe('a window', () => {
  it('holds what was counted since its beginning', () => {
    const history = open();
    for (let second = 1; second <= 100; second++) history.add(second * 1000, of(second * 2, second));
    expect(history.over(10_000, 100_000)).toEqual({ spanMs: 10_000, counts: { a: 20, b: 10 } });
    expect(history.over(1000, 100_000)).toEqual({ spanMs: 1000, counts: { a: 2, b: 1 } });
  });

  it('is what there is, where the history is shorter', () => {
    const history = open(500);
    history.add(1500, of(7));
    expect(history.over(60_000, 2000)).toEqual({ spanMs: 1500, counts: { a: 7, b: 0 } });
    expect(open(500).over(60_000, 500)).toEqual({ spanMs: 0, counts: { a: 0, b: 0 } });
  });

  it('begins at a sample, so it is up to a step longer', () => {
    const history = open();
    for (let second = 1; second <= 10; second++) history.add(second * 1000, of(second));
    expect(history.over(2500, 10_000)).toEqual({ spanMs: 3000, counts: { a: 3, b: 0 } });
  });

  it('holds what came since the last sample', () => {
    const history = open();
    history.add(1000, of(5));
    history.add(1300, of(8));
    expect(history.over(400, 1400)).toEqual({ spanMs: 400, counts: { a: 3, b: 0 } });
  });

  it('is an hour at most, and keeps no more than that', () => {
    const history = open();
    for (let second = 1; second <= 20_000; second++) history.add(second * 1000, of(second));
    expect(history.over(3_600_000, 20_000_000)).toEqual({ spanMs: 3_600_000, counts: { a: 3600, b: 0 } });
    const { spanMs, counts } = history.over(10 ** 9, 20_000_000);
    expect(spanMs).toBeLessThan(4_000_000);
    expect(counts.a).toBe(spanMs / 1000);
  });

  it('covers an hour also with ticks of a tenth of a second', () => {
    const history = open();
    for (let tick = 1; tick <= 50_000; tick++) history.add(tick * 100, of(tick));
    expect(history.over(3_600_000, 5_000_000).spanMs).toBeGreaterThanOrEqual(3_600_000);
    expect(history.over(3_600_000, 5_000_000).spanMs).toBeLessThanOrEqual(3_601_000);
  });
});

describe('counters', () => {
  it('that are lower than before have begun anew', () => {
    const history = open();
    history.add(1000, of(100, 5));
    history.add(2000, of(3, 6));
    expect(history.over(1000, 2000).counts).toEqual({ a: 3, b: 1 });
  });

  it('of a subject that is gone stay counted, and begin anew if it comes back', () => {
    const history = open();
    history.add(1000, of(10));
    history.add(2000, new Map());
    history.add(3000, of(12));
    expect(history.over(60_000, 3000).counts.a).toBe(22);
  });

  it('are what a list of all that happened says', () => {
    const tick = fc.record({
      afterMs: fc.integer({ min: 1, max: 3000 }),
      x: fc.nat(9),
      y: fc.nat(9),
      reset: fc.constantFrom(false, false, false, true),
    });
    fc.assert(
      fc.property(
        fc.array(tick, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 60_000 }),
        (ticks, windowMs) => {
          const history = open();
          const events: { at: number; count: number }[] = [];
          const sampled = [0];
          let at = 0;
          let [x, y] = [0, 0];
          for (const step of ticks) {
            at += step.afterMs;
            if (step.reset) x = 0;
            x += step.x;
            y += step.y;
            // A counter that began anew and is as high again as before can't be told from one that went on.
            if (step.reset) x = 0;
            events.push({ at, count: (step.reset ? 0 : step.x) + step.y });
            history.add(
              at,
              new Map([
                ['x', { a: x, b: 0 }],
                ['y', { a: y, b: 0 }],
              ]),
            );
            if (at - sampled.at(-1)! >= 950) sampled.push(at);
          }
          const from = sampled.filter((time) => time <= at - windowMs).at(-1) ?? 0;
          const expected = events.filter((event) => event.at > from).reduce((sum, event) => sum + event.count, 0);
          expect(history.over(windowMs, at)).toEqual({ spanMs: at - from, counts: { a: expected, b: 0 } });
        },
      ),
    );
  });
});
