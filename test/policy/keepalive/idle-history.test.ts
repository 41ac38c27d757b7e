import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../bench/sim/random.js';
import { IdleHistogram } from '../../../src/policy/keepalive/idle-histogram.js';
import { IdleHistory } from '../../../src/policy/keepalive/idle-history.js';
import { withTail } from '../../../src/policy/keepalive/tail.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONDAY = Date.UTC(2024, 0, 1);

const idleTimes = fc.array(fc.integer({ min: 1, max: 20 * DAY }), { minLength: 1, maxLength: 80 });

/** Calls that take no time, after these idle times. */
function live(history: IdleHistory, idle: Iterable<number>, from = MONDAY): number {
  let at = from;
  for (const ms of idle) {
    at += ms;
    history.used(ms, at);
  }
  return at;
}

function* poisson(perDay: number, count: number, seed = 1): Generator<number> {
  const random = new Random(seed);
  for (let i = 0; i < count; i++) yield Math.ceil(random.exponential(DAY / perDay));
}

describe('IdleHistogram', () => {
  it('gives what it was given in stretches without overlaps, and loses nothing', () => {
    fc.assert(
      fc.property(idleTimes, (list) => {
        const histogram = new IdleHistogram();
        for (const ms of list) histogram.add(ms);
        const stretches = histogram.stretches();
        expect(stretches.reduce((sum, { weight }) => sum + weight, 0)).toBe(list.length);
        let before = 0;
        for (const { fromMs, toMs } of stretches) {
          expect(fromMs).toBeGreaterThanOrEqual(before);
          expect(toMs).toBeGreaterThanOrEqual(fromMs);
          before = toMs;
        }
        for (const ms of list) expect(stretches.some(({ fromMs, toMs }) => ms >= fromMs && ms <= toMs)).toBe(true);
      }),
    );
  });

  it('knows a timer to the second, however wide its bin is', () => {
    const histogram = new IdleHistogram();
    for (let i = 0; i < 30; i++) histogram.add(HOUR - 2000 + (i % 5) * 1000);
    expect(histogram.stretches()).toHaveLength(1);
    const { fromMs, toMs } = histogram.stretches()[0]!;
    expect(fromMs).toBeGreaterThan(HOUR - 15_000);
    expect(toMs).toBeLessThan(HOUR + 15_000);
  });

  it('is a density: what it expects adds up to less than one, as something else may always come', () => {
    const histogram = new IdleHistogram();
    for (const ms of poisson(100, 500)) histogram.add(ms);
    let sum = 0;
    for (let ms = 0.5; ms < 3 * HOUR; ms += 1000) sum += histogram.density(ms) * 1000;
    expect(sum).toBeGreaterThan(0.97);
    expect(sum).toBeLessThan(1.02);
  });

  it('forgets what has faded', () => {
    const histogram = new IdleHistogram();
    histogram.add(1000);
    for (let i = 0; i < 50; i++) histogram.decay(0.8);
    expect(histogram.stretches()).toEqual([]);
    expect(histogram.total).toBe(0);
  });
});

describe('withTail', () => {
  it('goes on after the longest, nearly as likely as one more sample, and for longer where that is usual', () => {
    const tailOf = (list: number[]) => {
      const histogram = new IdleHistogram();
      for (const ms of list) histogram.add(ms);
      const seen = histogram.stretches();
      const longest = seen.at(-1)!.toMs;
      const tail = withTail(histogram.stretches()).slice(seen.length);
      return { weight: tail.reduce((sum, { weight }) => sum + weight, 0), reach: tail.at(-1)!.toMs - longest };
    };
    const regular = tailOf(Array.from({ length: 40 }, (_, i) => HOUR + i * 100));
    const scattered = tailOf([...poisson(24, 40)]);
    for (const { weight } of [regular, scattered]) {
      expect(weight).toBeGreaterThan(0.7);
      expect(weight).toBeLessThanOrEqual(1);
    }
    expect(scattered.reach).toBeGreaterThan(100 * regular.reach);
    expect(withTail([])).toEqual([]);
  });
});

describe('IdleHistory', () => {
  it('counts idle times, and neither calls nor gaps within a burst', () => {
    const history = new IdleHistory();
    history.used(null, MONDAY);
    history.used(0, MONDAY + 10);
    for (let i = 1; i <= 20; i++) history.used(999, MONDAY + i * 1000);
    expect(history.samples).toBe(0);
    history.used(1000, MONDAY + 30_000);
    expect(history.samples).toBe(1);
  });

  it('counts popularity in calls a window, the older the less', () => {
    const history = new IdleHistory(undefined, { windowMs: DAY });
    const last = live(history, new Array(24 * 14).fill(HOUR));
    expect(history.popularity(last)).toBeGreaterThan(23);
    expect(history.popularity(last)).toBeLessThan(26);
    expect(history.popularity(last + DAY)).toBeCloseTo(history.popularity(last) / Math.E, 5);
    expect(history.callsPerDay(last)!).toBeGreaterThan(23);
    expect(history.callsPerDay(last)!).toBeLessThan(25);
  });

  it('knows the rate from the beginning, not only once a window is over', () => {
    const history = new IdleHistory();
    expect(history.callsPerDay(MONDAY)).toBeNull();
    const last = live(history, new Array(12).fill(HOUR));
    expect(history.callsPerDay(last)!).toBeGreaterThan(22);
    expect(history.callsPerDay(last)!).toBeLessThan(30);
  });

  it('gives chances: between 0 and 1, growing with the horizon', () => {
    const some = fc.integer({ min: 0, max: 30 * DAY });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 * DAY }), { maxLength: 80 }),
        some,
        some,
        some,
        (list, idle, horizon, more) => {
          const history = new IdleHistory();
          const last = live(history, list);
          const chance = (ms: number) => history.nextUseWithin(ms, idle, last + idle);
          expect(chance(0)).toBeCloseTo(0, 9);
          expect(chance(horizon)).toBeGreaterThanOrEqual(0);
          expect(chance(horizon + more)).toBeGreaterThanOrEqual(chance(horizon) - 1e-9);
          expect(chance(horizon + more)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('expects a timer when it is due', () => {
    const history = new IdleHistory();
    const last = live(history, new Array(30).fill(HOUR));
    expect(history.nextUseWithin(15 * MINUTE, 5 * MINUTE, last + 5 * MINUTE)).toBeLessThan(0.05);
    expect(history.nextUseWithin(15 * MINUTE, 50 * MINUTE, last + 50 * MINUTE)).toBeGreaterThan(0.9);
    expect(history.nextUseWithin(15 * MINUTE, 10 * HOUR, last + 10 * HOUR)).toBeLessThan(0.05);
  });

  it('expects as much as Poisson calls come to', () => {
    const history = new IdleHistory();
    const last = live(history, poisson(48, 2000));
    for (const idle of [0, 20 * MINUTE, HOUR])
      expect(history.nextUseWithin(30 * MINUTE, idle, last + idle)).toBeCloseTo(1 - Math.exp(-1), 1);
  });

  it('expects a call soon of a model that was never idle, from how often it is called', () => {
    const history = new IdleHistory();
    expect(history.nextUseWithin(HOUR, 0, MONDAY)).toBe(0);
    for (let i = 0; i < 100; i++) history.used(i === 0 ? null : 0, MONDAY + i * MINUTE);
    expect(history.nextUseWithin(10 * MINUTE, 0, MONDAY + 100 * MINUTE)).toBeGreaterThan(0.99);
  });

  it('finds that the time of day matters, where it does, and only there', () => {
    const random = new Random(3);
    const history = new IdleHistory();
    let previous = MONDAY;
    for (let at = MONDAY; at < MONDAY + 21 * DAY; at += 3000) {
      if (random.next() > (2 / 1200) * (1 - 0.95 * Math.cos((2 * Math.PI * (at % DAY)) / DAY))) continue;
      history.used(at - previous, at);
      previous = at;
    }
    expect(history.seasonal).toBe(true);
    const night = MONDAY + 21 * DAY + 23 * HOUR;
    const noon = MONDAY + 21 * DAY + 12 * HOUR;
    expect(history.nextUseWithin(HOUR, 0, noon)).toBeGreaterThan(0.85);
    expect(history.nextUseWithin(HOUR, 0, night)).toBeLessThan(0.5);
    const timer = new IdleHistory();
    live(timer, new Array(24 * 21).fill(HOUR));
    expect(timer.seasonal).toBe(false);
  });

  it('follows when a model changes its ways', () => {
    const history = new IdleHistory();
    const before = live(history, new Array(24 * 30).fill(HOUR));
    const last = live(history, new Array(24 * 30 * 6).fill(10 * MINUTE), before);
    expect(history.nextUseWithin(11 * MINUTE, 0, last)).toBeGreaterThan(0.95);
  });

  it('remembers a few even of a model that is hardly ever called', () => {
    const history = new IdleHistory(undefined, { windowMs: HOUR });
    const last = live(history, new Array(40).fill(3 * DAY));
    expect(history.nextUseWithin(DAY, 2.5 * DAY, last + 2.5 * DAY)).toBeGreaterThan(0.8);
  });

  it('comes back from JSON knowing the same, and is a few KB', () => {
    const history = new IdleHistory();
    const last = live(history, poisson(200, 20_000));
    const text = JSON.stringify(history);
    expect(text.length).toBeLessThan(8000);
    const again = new IdleHistory(JSON.parse(text));
    expect(again.samples).toBe(history.samples);
    expect(again.seasonal).toBe(history.seasonal);
    expect(again.popularity(last)).toBeCloseTo(history.popularity(last), 1);
    for (const idle of [0, 5 * MINUTE, HOUR])
      expect(again.nextUseWithin(10 * MINUTE, idle, last + idle)).toBeCloseTo(
        history.nextUseWithin(10 * MINUTE, idle, last + idle),
        1,
      );
    expect(JSON.stringify(again)).toBe(JSON.stringify(new IdleHistory(JSON.parse(JSON.stringify(again)))));
  });

  it.each([
    null,
    'garbage',
    {},
    [],
    { version: 2 },
    { ...new IdleHistory().toJSON(), idle: [[1, 'x', 2, 3]] },
    {
      ...new IdleHistory().toJSON(),
      idle: [
        [-1, 5, 2, 3],
        [1e9, 5, 2, 3],
        [1.5, 1, 1, 1],
      ],
    },
    { ...new IdleHistory().toJSON(), samples: Number.NaN },
  ])('starts empty with %j', (saved) => {
    const history = new IdleHistory(saved);
    expect(history.samples).toBe(0);
    expect(history.nextUseWithin(HOUR, 0, MONDAY)).toBe(0);
    history.used(HOUR, MONDAY);
    expect(history.samples).toBe(1);
  });

  it('bears a clock that is set back', () => {
    const history = new IdleHistory();
    const last = live(history, new Array(100).fill(HOUR));
    live(history, new Array(100).fill(HOUR), last - 30 * DAY);
    expect(history.nextUseWithin(2 * HOUR, 0, last)).toBeGreaterThan(0.9);
    expect(history.popularity(last - 30 * DAY)).toBeGreaterThan(0);
  });
});
