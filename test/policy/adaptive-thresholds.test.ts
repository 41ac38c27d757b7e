import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AdaptiveThresholds } from '../../src/policy/adaptive-thresholds.js';
import { decidePressure, type PressureLevel, type PressureThresholds } from '../../src/policy/pressure.js';

const usual: PressureThresholds = { medium: 0.5, high: 0.7, critical: 0.85 };
const HOUR_MS = 3_600_000;

/** Even over its range: the doubles of fast-check are mostly next to zero. */
const between = (min: number, max: number) =>
  fc.integer({ min: Math.round(min * 10_000), max: Math.round(max * 10_000) }).map((x) => x / 10_000);

/** Feeds a share for each moment between two hours. */
function live(
  thresholds: AdaptiveThresholds,
  fromHour: number,
  toHour: number,
  shareAt: (hour: number) => number | null,
  everyMs = 5000,
): void {
  for (let at = fromHour * HOUR_MS; at < toHour * HOUR_MS; at += everyMs) thresholds.add(shareAt(at / HOUR_MS), at);
}

/** Between -1 and 1, the same on each run. */
function noise(seed: number): number {
  const x = Math.sin(seed * 12.9898) * 43_758.5453;
  return 2 * (x - Math.floor(x)) - 1;
}

describe('AdaptiveThresholds', () => {
  it('moves nothing before there is an hour of history', () => {
    const adaptive = new AdaptiveThresholds(usual);
    live(adaptive, 0, 0.99, () => 0.75);
    expect(adaptive.thresholds).toEqual(usual);
    live(adaptive, 0.99, 1.1, () => 0.75);
    expect(adaptive.thresholds).not.toEqual(usual);
  });

  it('does not call a box high for ever that always sits at 75 %', () => {
    const adaptive = new AdaptiveThresholds(usual);
    let level: PressureLevel = 'low';
    live(adaptive, 0, 24, (hour) => {
      const share = 0.75 + 0.01 * noise(hour);
      level = decidePressure(share, level, adaptive.thresholds).level;
      return share;
    });
    const { medium, high, critical } = adaptive.thresholds;
    expect(high).toBeGreaterThan(0.77);
    expect(high).toBeLessThanOrEqual(0.8);
    expect(medium).toBeCloseTo(high - 0.05);
    expect(critical).toBe(0.85);
    expect(level).toBe('medium');
  });

  it('follows a whole day: busy hours are usual, one short peak is not, and an easy next day brings the levels back', () => {
    const adaptive = new AdaptiveThresholds(usual);
    // Busy from 9 to 18; a peak of 40 minutes at noon.
    const day = (hour: number) => {
      const clock = hour % 24;
      const bump = (from: number, to: number) => Math.max(0, Math.min(1, (clock - from) * 3, (to - clock) * 3));
      return 0.4 + 0.32 * bump(9, 18) + 0.1 * bump(12, 12.67) + 0.005 * noise(hour);
    };
    live(adaptive, 0, 24, day);
    expect(adaptive.thresholds.high).toBeGreaterThan(0.735);
    expect(adaptive.thresholds.high).toBeLessThan(0.76);
    live(adaptive, 24, 50, () => 0.3);
    expect(adaptive.thresholds).toEqual(usual);
  });

  it('begins critical earlier where memory is known to grow fast, and forgets that after a day', () => {
    const adaptive = new AdaptiveThresholds(usual);
    live(adaptive, 0, 2, () => 0.3);
    // 24 points in 8 s.
    for (let second = 0; second <= 8; second++) adaptive.add(0.3 + 0.03 * second, 2 * HOUR_MS + second * 1000);
    expect(adaptive.thresholds.critical).toBeCloseTo(0.76);
    expect(adaptive.thresholds.high).toBe(0.7);
    live(adaptive, 2.01, 25, () => 0.3);
    expect(adaptive.thresholds.critical).toBeCloseTo(0.76);
    live(adaptive, 25, 28, () => 0.3);
    expect(adaptive.thresholds).toEqual(usual);
  });

  it('keeps critical 5 points above the configured high, however fast memory grew', () => {
    const adaptive = new AdaptiveThresholds(usual);
    live(adaptive, 0, 2, () => 0.1);
    adaptive.add(0.9, 2 * HOUR_MS);
    expect(adaptive.thresholds).toEqual({ ...usual, critical: 0.75 });
  });

  it('does not take a slow rise for a fast one, nor two samples that are far apart', () => {
    const adaptive = new AdaptiveThresholds(usual);
    live(adaptive, 0, 2, (hour) => 0.1 + 0.25 * hour, 1000);
    adaptive.add(0.1, 2 * HOUR_MS);
    adaptive.add(0.6, 2 * HOUR_MS + 30_000);
    expect(adaptive.thresholds.critical).toBe(0.85);
  });

  it('learns nothing from missing data', () => {
    const adaptive = new AdaptiveThresholds(usual);
    live(adaptive, 0, 48, () => null);
    adaptive.add(0.2, 48 * HOUR_MS);
    adaptive.add(null, 48 * HOUR_MS + 1000);
    adaptive.add(0.9, 48 * HOUR_MS + 2000);
    expect(adaptive.thresholds).toEqual(usual);
    live(adaptive, 49, 51, () => 0.9);
    expect(adaptive.thresholds.critical).toBe(0.85);
  });

  it('keeps what it saw when it is configured anew', () => {
    const adaptive = new AdaptiveThresholds(usual);
    live(adaptive, 0, 2, () => 0.75);
    adaptive.configure({ medium: 0.5, high: 0.72, critical: 0.95 });
    expect(adaptive.thresholds.high).toBeCloseTo(0.775);
  });

  it('is ascending, never below the configured medium and high, never above the configured critical', () => {
    const configured = fc
      .tuple(between(0.2, 0.5), between(0, 0.2), between(0, 0.2))
      .map(([medium, b, c]): PressureThresholds => ({ medium, high: medium + b, critical: medium + b + c }));
    const steps = fc.array(
      fc.record({
        change: fc.option(between(-0.1, 0.1), { freq: 10 }),
        afterMs: fc.integer({ min: 5000, max: 60_000 }),
      }),
      { minLength: 200, maxLength: 400 },
    );
    let moved = 0;
    fc.assert(
      fc.property(configured, between(0, 1.2), steps, (given, base, samples) => {
        const adaptive = new AdaptiveThresholds(given);
        let now = 0;
        for (const { change, afterMs } of samples) {
          now += afterMs;
          adaptive.add(change === null ? null : base + change, now);
        }
        const { medium, high, critical } = adaptive.thresholds;
        if (medium !== given.medium || high !== given.high || critical !== given.critical) moved++;
        expect(medium).toBeGreaterThanOrEqual(given.medium);
        expect(high).toBeGreaterThanOrEqual(given.high);
        expect(critical).toBeLessThanOrEqual(given.critical);
        expect(medium).toBeLessThanOrEqual(high);
        expect(high).toBeLessThanOrEqual(critical);
        if (high > given.high) expect(high).toBeLessThanOrEqual(critical - 0.05 + 1e-9);
        if (medium > given.medium) expect(medium).toBeLessThanOrEqual(high - 0.05 + 1e-9);
        if (critical < given.critical) expect(critical).toBeGreaterThanOrEqual(given.high + 0.05 - 1e-9);
      }),
      { numRuns: 300 },
    );
    // Else this would prove nothing.
    expect(moved).toBeGreaterThan(50);
  });
});
