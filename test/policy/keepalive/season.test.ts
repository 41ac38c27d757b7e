import { describe, expect, it } from 'vitest';
import { Random } from '../../../bench/sim/random.js';
import { DAY_MS } from '../../../src/policy/keepalive/clockwork.js';
import { Season } from '../../../src/policy/keepalive/season.js';

const HOUR = 3_600_000;
const MONDAY = Date.UTC(2024, 0, 1);

/** Poisson calls at so many an hour. */
function called(days: number, perHour: (at: number) => number, seed = 1): { season: Season; until: number } {
  const random = new Random(seed);
  const season = new Season();
  const until = MONDAY + days * DAY_MS;
  for (let at = MONDAY; at < until; at += HOUR / 10) if (random.next() < perHour(at) / 10) season.add(at);
  return { season, until };
}

const hourOf = (at: number) => Math.floor((at % DAY_MS) / HOUR);
const daytime = (at: number) => (hourOf(at) >= 8 && hourOf(at) < 20 ? 2 : 0.2);

describe('Season', () => {
  it('says nothing before two days are known', () => {
    const { season, until } = called(1.9, daytime);
    expect(season.clockwork(until)).toBeNull();
    const longer = called(2.5, daytime);
    expect(longer.season.clockwork(longer.until)).not.toBeNull();
  });

  it('tells day from night', () => {
    const { season, until } = called(7, daytime);
    const clock = season.clockwork(until)!;
    expect(clock.rate(MONDAY + 14 * HOUR)).toBeGreaterThan(1.4);
    expect(clock.rate(MONDAY + 2 * HOUR)).toBeLessThan(0.5);
  });

  it('sees next to nothing where there is nothing, from few calls and from many', () => {
    for (const perHour of [0.2, 1, 5])
      for (let seed = 1; seed <= 5; seed++) {
        const { season, until } = called(14, () => perHour, seed);
        const clock = season.clockwork(until)!;
        for (let hour = 0; hour < 24; hour++) expect(Math.abs(clock.rate(MONDAY + hour * HOUR) - 1)).toBeLessThan(0.75);
      }
    const { season, until } = called(28, () => 5);
    const clock = season.clockwork(until)!;
    for (let hour = 0; hour < 24; hour++) expect(Math.abs(clock.rate(MONDAY + hour * HOUR) - 1)).toBeLessThan(0.2);
  });

  it('does not take for quiet what it did not watch yet', () => {
    // Until noon of the third day: mornings were seen three times, evenings twice. Called all the time.
    const { season, until } = called(2.5, () => 10);
    const clock = season.clockwork(until)!;
    for (let hour = 0; hour < 24; hour++) expect(Math.abs(clock.rate(MONDAY + hour * HOUR) - 1)).toBeLessThan(0.1);
  });

  it('knows weekends once there are two weeks', () => {
    const working = (at: number) => (Math.floor((at - MONDAY) / DAY_MS) % 7 < 5 ? 2 : 0.2);
    const saturday = MONDAY + 5 * DAY_MS;
    const short = called(12, working);
    expect(short.season.clockwork(short.until)!.rate(saturday)).toBeGreaterThan(0.8);
    const long = called(28, working);
    expect(long.season.clockwork(long.until)!.rate(saturday)).toBeLessThan(0.4);
    expect(long.season.clockwork(long.until)!.rate(MONDAY)).toBeGreaterThan(1.1);
  });

  it('bears a clock that is set back', () => {
    const { season, until } = called(7, daytime);
    season.add(until - 3 * DAY_MS);
    season.add(until - 3 * DAY_MS + HOUR);
    expect(season.clockwork(until)!.rate(MONDAY + 14 * HOUR)).toBeGreaterThan(1.3);
  });

  it('comes back from what it saved', () => {
    const { season, until } = called(20, daytime);
    const again = new Season(JSON.parse(JSON.stringify(season.toJSON())));
    for (let hour = 0; hour < 168; hour++)
      expect(again.clockwork(until)!.rate(MONDAY + hour * HOUR)).toBeCloseTo(
        season.clockwork(until)!.rate(MONDAY + hour * HOUR),
        3,
      );
    expect(new Season().toJSON()).toBeNull();
  });
});
