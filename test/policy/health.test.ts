import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cooldownOf,
  decideHealth,
  type HealthFacts,
  type HealthLimits,
  type HealthSituation,
} from '../../src/policy/health.js';

const NOW = 100_000;
const LIMITS: HealthLimits = { failures: 3, cooldownMs: 300_000, maxEjected: 0.5 };
const SITUATION: HealthSituation = { now: NOW, usualMs: 20, replaceAfter: 0 };

let names = 0;
const well = (more: Partial<HealthFacts> = {}): HealthFacts => ({
  worker: `w/${++names}`,
  outUntil: null,
  onTrial: false,
  ejections: 0,
  failedChecks: 0,
  checkFailure: null,
  failedProbes: 0,
  failedBatches: 0,
  failingSince: null,
  succeededAt: NOW - 10,
  failureShare: 0,
  pace: 1,
  ...more,
});
const out = (more: Partial<HealthFacts> = {}) => well({ outUntil: NOW + 1000, ...more });
const failing = (failedBatches: number, more: Partial<HealthFacts> = {}) =>
  well({ failedBatches, failingSince: NOW - 1000, succeededAt: null, failureShare: 0.5, ...more });
const unwell = (failedChecks = 3) => well({ failedChecks, checkFailure: 'no database' });
const decide = (pool: HealthFacts[], limits: Partial<HealthLimits> = {}, situation: Partial<HealthSituation> = {}) =>
  decideHealth(pool, { ...LIMITS, ...limits }, { ...SITUATION, ...situation });
const actions = (...args: Parameters<typeof decide>) => decide(...args).map(({ action }) => action);

describe('failed checks', () => {
  it('take a worker out after so many in a row, with the reason and the numbers', () => {
    const sick = unwell();
    expect(actions([unwell(2), well(), well()])).toEqual([]);
    expect(decide([sick, well(), well()])).toEqual([
      {
        worker: sick.worker,
        action: 'eject',
        reason: 'its health checks fail: no database',
        numbers: { failed_checks: 3, out: 0, most_out: 1, workers: 3, cooldown_ms: 30_000 },
      },
    ]);
  });

  it('have the only worker replaced, and not again at once', () => {
    expect(actions([unwell()])).toEqual(['replace']);
    expect(actions([unwell()], {}, { replaceAfter: NOW + 1 })).toEqual(['hold']);
  });

  it('have one replaced that may not be taken out, one at a time', () => {
    expect(actions([unwell(), unwell(), well(), well()], { maxEjected: 0 })).toEqual(['replace', 'hold']);
    expect(actions([unwell(), out()])).toEqual(['replace']);
  });

  it('are nobody’s own where all fail', () => {
    const [decision] = decide([unwell(), unwell(1)]);
    expect(decision).toMatchObject({ action: 'hold', reason: expect.stringMatching(/all workers fail alike/) });
    expect(actions([unwell(), unwell(0)])).toEqual(['eject']);
  });
});

describe('failed predictions', () => {
  it('take a worker out while others succeed', () => {
    expect(decide([failing(3), well(), well()])).toMatchObject([
      { action: 'eject', reason: 'its predictions fail while those of others succeed' },
    ]);
    expect(actions([failing(2), well(), well()])).toEqual([]);
  });

  it('are the model’s, or the inputs’, where the others fail too', () => {
    const others = [failing(2), failing(2)];
    expect(actions([failing(50), ...others])).toEqual([]);
    // They have not succeeded since it began.
    expect(actions([failing(3), well({ succeededAt: NOW - 2000 })])).toEqual([]);
    expect(actions([failing(3)])).toEqual([]);
  });

  it('must be more in a row where bad inputs are common', () => {
    const among = (failedBatches: number, failureShare: number) =>
      actions([failing(failedBatches), well({ failureShare }), well({ failureShare })]);
    expect([among(3, 0.005), among(3, 0.05)]).toEqual([['eject'], []]);
    expect([among(11, 0.3), among(12, 0.3)]).toEqual([[], ['eject']]);
  });

  it('take one out again at the first that fails when it is on trial', () => {
    const back = failing(1, { onTrial: true, ejections: 1 });
    expect(decide([back, well(), well()])).toMatchObject([{ action: 'eject', numbers: { cooldown_ms: 60_000 } }]);
    expect(actions([back, failing(1)])).toEqual([]);
  });
});

describe('a slow worker', () => {
  it('is out at three times the median of at least two others', () => {
    expect(decide([well({ pace: 3.1 }), well(), well({ pace: 0.9 })])).toMatchObject([
      { action: 'eject', reason: 'it takes more than 3 times as long as the others' },
    ]);
    expect(actions([well({ pace: 3 }), well(), well()])).toEqual([]);
    expect(actions([well({ pace: 9 }), well()])).toEqual([]);
    expect(actions([well({ pace: 9 }), well(), well({ pace: null })])).toEqual([]);
  });

  it('is not where the difference is nothing to anybody', () => {
    expect(actions([well({ pace: 9 }), well(), well()], {}, { usualMs: 0.5 })).toEqual([]);
    expect(actions([well({ pace: 9 }), well(), well()], {}, { usualMs: null })).toEqual([]);
  });

  it('stays where no more may be out: it is better than nothing', () => {
    expect(actions([well({ pace: 9 }), well(), well()], { maxEjected: 0.3 })).toEqual(['hold']);
  });
});

describe('one that is out', () => {
  it('is tried again when its time is over, or when nobody else is left', () => {
    expect(actions([out(), well()])).toEqual([]);
    expect(actions([out({ outUntil: NOW }), well()])).toEqual(['probe']);
    expect(actions([out(), out()])).toEqual(['probe', 'probe']);
  });

  it('is replaced when it was tried in vain often enough', () => {
    expect(actions([out({ outUntil: NOW, failedProbes: 3 }), well()])).toEqual(['replace']);
  });

  it('stays out twice as long each time, up to the cooldown', () => {
    expect([0, 1, 2, 3, 4, 100].map((n) => cooldownOf(n, 300_000))).toEqual([
      30_000, 60_000, 120_000, 240_000, 300_000, 300_000,
    ]);
  });
});

describe('always', () => {
  const anyWorker = fc.record({
    outUntil: fc.option(fc.integer({ min: NOW - 50, max: NOW + 50 })),
    onTrial: fc.boolean(),
    ejections: fc.nat(8),
    failedChecks: fc.nat(4),
    checkFailure: fc.constant('why'),
    failedProbes: fc.nat(4),
    failedBatches: fc.nat(30),
    failingSince: fc.option(fc.integer({ min: 0, max: NOW })),
    succeededAt: fc.option(fc.integer({ min: 0, max: NOW })),
    failureShare: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    pace: fc.option(fc.double({ min: 0.02, max: 50, noNaN: true })),
  });
  const anyPool = fc
    .array(anyWorker, { minLength: 1, maxLength: 10 })
    .map((pool) => pool.map((facts, i): HealthFacts => ({ worker: `w/${i}`, ...facts })));
  const anyLimits = fc.record({
    failures: fc.integer({ min: 1, max: 4 }),
    cooldownMs: fc.integer({ min: 10, max: 1e6 }),
    maxEjected: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  const anySituation = fc.record({
    now: fc.constant(NOW),
    usualMs: fc.option(fc.double({ min: 0.1, max: 1000, noNaN: true })),
    replaceAfter: fc.integer({ min: NOW - 1, max: NOW + 1 }),
  });

  it('no more than the share is out, somebody takes work, and everybody is tried again', () => {
    fc.assert(
      fc.property(anyPool, anyLimits, anySituation, (pool, limits, situation) => {
        const decisions = decideHealth(pool, limits, situation);
        expect(decideHealth(pool, limits, situation)).toEqual(decisions);
        const before = pool.filter((w) => w.outUntil !== null).length;
        const ejected = decisions.filter((d) => d.action === 'eject');
        if (ejected.length > 0) {
          expect(before + ejected.length).toBeLessThanOrEqual(limits.maxEjected * pool.length + 1e-9);
          expect(before + ejected.length).toBeLessThan(pool.length);
        }
        for (const { worker } of ejected) expect(pool.find((w) => w.worker === worker)?.outUntil).toBe(null);
        expect(new Set(decisions.map((d) => d.worker)).size).toBe(decisions.length);
        for (const { worker, outUntil } of pool) {
          const due = outUntil !== null && (outUntil <= NOW || before === pool.length);
          const tried = decisions.some((d) => d.worker === worker && (d.action === 'probe' || d.action === 'replace'));
          if (due) expect(tried).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
