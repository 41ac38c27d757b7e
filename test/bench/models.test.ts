import { describe, expect, it } from 'vitest';
import { callsOf, DAY_MS, type TracedModel } from '../../bench/sim/models/calls.js';
import { synthesizeModels } from '../../bench/sim/models/synthesis.js';
import { median } from '../../bench/support/numbers.js';

const MINUTE_MS = 60_000;

/** All calls of a model; days are only valid until the next is asked for. */
function calls(model: TracedModel, days: number): { at: number[]; ms: number[] } {
  const at: number[] = [];
  const ms: number[] = [];
  for (const day of callsOf(model, days)) {
    at.push(...day.at.subarray(0, day.count));
    ms.push(...day.ms.subarray(0, day.count));
  }
  return { at, ms };
}

const shape = { name: 'm', mb: 100, loadSeconds: 1, medianMs: 700, seed: 5 };

describe('synthesizeModels', () => {
  it('has the shape of the Azure trace', () => {
    const models = synthesizeModels(200, 1);
    expect(models).toHaveLength(200);
    const perDay = ({ calls: of }: TracedModel) =>
      of.kind === 'timer' ? 1440 / of.periodMinutes : of.kind === 'random' ? of.perDay : Number.NaN;
    const shares = (from: number, to: number) => models.filter((m) => perDay(m) > from && perDay(m) <= to).length / 200;
    expect(shares(0, 24)).toBeCloseTo(0.45, 9);
    expect(shares(24, 1440)).toBeCloseTo(0.36, 9);
    expect(shares(1440, 1e9)).toBeCloseTo(0.19, 9);
    expect(models.filter((m) => m.calls.kind === 'timer')).toHaveLength(32);
    const busy = models.filter((m) => perDay(m) > 1440).reduce((sum, m) => sum + perDay(m), 0);
    expect(busy / models.reduce((sum, m) => sum + perDay(m), 0)).toBeGreaterThan(0.9);
    expect(new Set(models.map(({ name }) => name)).size).toBe(200);
    expect(new Set(models.map(({ seed }) => seed)).size).toBe(200);
  });

  it.each([1, 2, 3, 4])('has sizes with a heavy tail and load times that follow (seed %i)', (seed) => {
    const models = synthesizeModels(200, seed);
    const sizes = models.map(({ mb }) => mb);
    expect(median(sizes)!).toBeLessThanOrEqual(170);
    expect(Math.max(...sizes)).toBeGreaterThan(5 * median(sizes)!);
    for (const { mb, loadSeconds } of models) expect(loadSeconds).toBeCloseTo(0.5 + mb / 200, 9);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(synthesizeModels(50, 3)).toEqual(synthesizeModels(50, 3));
    expect(synthesizeModels(50, 3)).not.toEqual(synthesizeModels(50, 4));
    const [model] = synthesizeModels(50, 3);
    expect(calls(model!, 3)).toEqual(calls(model!, 3));
  });
});

describe('callsOf', () => {
  it('calls a timer once in each period, at any moment of its minute', () => {
    const { at } = calls({ ...shape, calls: { kind: 'timer', periodMinutes: 7, phaseMinutes: 3 } }, 3);
    expect(at.map((ms) => Math.floor(ms / MINUTE_MS))).toEqual(
      Array.from({ length: Math.ceil((3 * 1440 - 3) / 7) }, (_, i) => 3 + 7 * i),
    );
    const seconds = at.map((ms) => (ms % MINUTE_MS) / MINUTE_MS);
    expect(Math.min(...seconds)).toBeLessThan(0.05);
    expect(Math.max(...seconds)).toBeGreaterThan(0.95);
  });

  it('makes as many calls as it should, in order, fewer at night and on weekends', () => {
    const of = { kind: 'random' as const, perDay: 1000, dailyDepth: 0.8, peakHour: 14, weekend: 0.5 };
    const { at, ms } = calls({ ...shape, calls: of }, 28);
    expect(Math.abs(at.length - 28_000)).toBeLessThan(4 * Math.sqrt(28_000));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    const count = (where: (at: number) => boolean) => at.filter(where).length;
    const hour = (t: number) => Math.floor((t % DAY_MS) / 3_600_000);
    const weekend = count((t) => Math.floor(t / DAY_MS) % 7 >= 5);
    expect(weekend / 8 / ((at.length - weekend) / 20)).toBeCloseTo(0.5, 1);
    expect(count((t) => hour(t) === 2) / count((t) => hour(t) === 14)).toBeCloseTo(0.2 / 1.8, 1);
    expect(Math.abs(median(ms)! - 700)).toBeLessThan(70);
    expect(Math.max(...ms)).toBeGreaterThan(2000);
  });

  it('spreads recorded calls within their minutes, in order', () => {
    const minutes = Uint32Array.from([0, 5, 1439, 1440, 2000]);
    const counts = Uint32Array.from([1, 100, 2, 1, 3]);
    const days = [...callsOf({ ...shape, calls: { kind: 'recorded', minutes, counts } }, 2)].map(({ count }) => count);
    expect(days).toEqual([103, 4]);
    const { at } = calls({ ...shape, calls: { kind: 'recorded', minutes, counts } }, 2);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(at.filter((ms) => Math.floor(ms / MINUTE_MS) === 5)).toHaveLength(100);
    expect(at.map((ms) => Math.floor(ms / MINUTE_MS)).filter((minute, i, all) => minute !== all[i - 1])).toEqual([
      ...minutes,
    ]);
  });
});
