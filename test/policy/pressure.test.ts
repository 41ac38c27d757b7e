import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decidePressure, type PressureLevel, type PressureThresholds } from '../../src/policy/pressure.js';

const usual: PressureThresholds = { medium: 0.5, high: 0.7, critical: 0.85 };
const LEVELS: readonly PressureLevel[] = ['low', 'medium', 'high', 'critical'];
const rank = (level: PressureLevel) => LEVELS.indexOf(level);

/** Even over its range: the doubles of fast-check are mostly next to zero. */
const between = (min: number, max: number) =>
  fc.integer({ min: Math.round(min * 10_000), max: Math.round(max * 10_000) }).map((x) => x / 10_000);

const share = between(0, 1.3);
const level = fc.constantFrom(...LEVELS);
/** At least 5 points apart, so that a swing of 2 points meets one threshold at most. */
const thresholds = fc
  .tuple(between(0.05, 0.3), between(0.05, 0.3))
  .map(([first, second]): PressureThresholds => ({ medium: 0.3, high: 0.3 + first, critical: 0.3 + first + second }));

describe('decidePressure', () => {
  it.each([
    [0.499, 'low', 'low', 'hold'],
    [0.5, 'low', 'medium', 'raise'],
    [0.7, 'medium', 'high', 'raise'],
    [0.85, 'low', 'critical', 'raise'],
    [1.2, 'high', 'critical', 'raise'],
    [0.84, 'critical', 'critical', 'hold'],
    [0.8301, 'critical', 'critical', 'hold'],
    [0.83, 'critical', 'high', 'lower'],
    [0.68, 'high', 'medium', 'lower'],
    [0.48, 'medium', 'low', 'lower'],
    [0.1, 'critical', 'low', 'lower'],
    [0.69, 'critical', 'high', 'lower'],
  ] as const)('at a share of %d, %s becomes %s (%s)', (used, before, after, action) => {
    expect(decidePressure(used, before, usual)).toMatchObject({ level: after, action });
  });

  it('says what it was decided on', () => {
    expect(decidePressure(0.712, 'medium', usual)).toEqual({
      action: 'raise',
      level: 'high',
      reason: 'memory is at 71.2 % of its limit: high from 70 %',
      numbers: { share: 0.712, level: 'high', before: 'medium', threshold: 0.7 },
    });
    expect(decidePressure(0.41, 'high', usual)).toMatchObject({
      reason: 'memory fell to 41 % of its limit: high ends 2 points below 70 %',
      numbers: { level: 'low', before: 'high' },
    });
  });

  it('changes nothing when memory is not known', () => {
    fc.assert(
      fc.property(level, thresholds, (before, given) => {
        expect(decidePressure(null, before, given)).toMatchObject({ action: 'hold', level: before });
      }),
    );
  });

  it('changes its level once at most for noise of less than 2 points', () => {
    const noise = fc.array(between(0, 0.0199), { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(share, noise, level, thresholds, (base, swings, before, given) => {
        let now = decidePressure(base, before, given).level;
        let changes = 0;
        for (const swing of swings) {
          const decision = decidePressure(base + swing, now, given);
          if (decision.level !== now) changes++;
          now = decision.level;
        }
        expect(changes).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });

  it('is monotone: more memory, or a higher level before, never gives a lower level', () => {
    fc.assert(
      fc.property(share, share, level, level, thresholds, (a, b, x, y, given) => {
        const [less, more] = a <= b ? [a, b] : [b, a];
        const [lower, higher] = rank(x) <= rank(y) ? [x, y] : [y, x];
        expect(rank(decidePressure(less, lower, given).level)).toBeLessThanOrEqual(
          rank(decidePressure(more, higher, given).level),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is never below what memory has reached, and at most 2 points late in falling', () => {
    fc.assert(
      fc.property(share, level, thresholds, (used, before, given) => {
        const begins = { low: Number.NEGATIVE_INFINITY, ...given };
        const after = decidePressure(used, before, given).level;
        for (const candidate of LEVELS)
          if (used >= begins[candidate]) expect(rank(after)).toBeGreaterThanOrEqual(rank(candidate));
        expect(used).toBeGreaterThanOrEqual(begins[after] - 0.02 - 1e-6);
      }),
      { numRuns: 500 },
    );
  });

  it('has settled after one decision: the same sample again changes nothing', () => {
    fc.assert(
      fc.property(share, level, thresholds, (used, before, given) => {
        const { level: after } = decidePressure(used, before, given);
        expect(decidePressure(used, after, given)).toMatchObject({ action: 'hold', level: after });
      }),
    );
  });
});
