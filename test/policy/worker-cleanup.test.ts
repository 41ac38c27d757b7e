import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideWorkerCleanup, type WorkerCleanupFacts } from '../../src/policy/worker-cleanup.js';

const MIB = 1024 ** 2;
const limitBytes = 100 * MIB;
const NOW = 10_000_000;

function facts(
  mib: number | null,
  last: { level: 'trim' | 'emergency'; agoMs: number; afterMib: number | null } | null = null,
): WorkerCleanupFacts {
  return {
    bytes: mib === null ? null : mib * MIB,
    limitBytes,
    last: last && {
      level: last.level,
      at: NOW - last.agoMs,
      afterBytes: last.afterMib === null ? null : last.afterMib * MIB,
    },
  };
}

describe('decideWorkerCleanup', () => {
  it.each([
    [79.9, 'hold'],
    [80, 'trim'],
    [94.9, 'trim'],
    [95, 'emergency'],
    [130, 'emergency'],
    [null, 'hold'],
  ] as const)('at %d %% of its limit: %s', (mib, action) => {
    expect(decideWorkerCleanup(facts(mib), NOW).action).toBe(action);
  });

  it('says how full it is', () => {
    expect(decideWorkerCleanup(facts(83.7), NOW)).toEqual({
      action: 'trim',
      reason: "memory is at 83 % of the worker's limit (trim from 80 %)",
      numbers: { memory_bytes: 83.7 * MIB, limit_bytes: limitBytes, share: 0.837 },
    });
  });

  it('asks nothing of a worker without a limit', () => {
    expect(decideWorkerCleanup({ bytes: 1, limitBytes: null, last: null }, NOW).action).toBe('hold');
  });

  it.each([
    ['its effect is not known yet', { level: 'trim', agoMs: 29_999, afterMib: null }, 'hold'],
    ['nobody ever saw its effect', { level: 'trim', agoMs: 30_000, afterMib: null }, 'trim'],
    ['it helped, just now', { level: 'trim', agoMs: 9_999, afterMib: 70 }, 'hold'],
    ['it helped, and memory came back', { level: 'trim', agoMs: 10_000, afterMib: 70 }, 'trim'],
    ['it brought nothing', { level: 'trim', agoMs: 299_999, afterMib: 81 }, 'hold'],
    ['it brought nothing, long ago', { level: 'trim', agoMs: 300_000, afterMib: 81 }, 'trim'],
    ['an emergency has just trimmed as well', { level: 'emergency', agoMs: 5_000, afterMib: 70 }, 'hold'],
  ] as const)('trims again or not, when %s', (_, last, action) => {
    expect(decideWorkerCleanup(facts(85, last), NOW).action).toBe(action);
  });

  it.each([
    ['a trim a moment ago, fruitless or not, is in no way', { level: 'trim', agoMs: 1, afterMib: 94 }, 'emergency'],
    ['the last emergency brought nothing', { level: 'emergency', agoMs: 299_999, afterMib: 96 }, 'hold'],
    ['the last emergency helped', { level: 'emergency', agoMs: 10_000, afterMib: 90 }, 'emergency'],
  ] as const)('at 97 %%: %s', (_, last, action) => {
    expect(decideWorkerCleanup(facts(97, last), NOW).action).toBe(action);
  });

  it('never asks a worker more than twelve times a minute, whatever its memory does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.integer({ min: 60, max: 130 }), { freq: 10 }), { minLength: 240 }),
        (samples) => {
          let last: WorkerCleanupFacts['last'] = null;
          const asked: number[] = [];
          for (const [second, mib] of samples.entries()) {
            if (last && last.afterBytes === null && mib !== null) last.afterBytes = mib * MIB;
            const bytes = mib === null ? null : mib * MIB;
            const { action } = decideWorkerCleanup({ bytes, limitBytes, last }, second * 1000);
            if (action === 'hold') continue;
            expect(bytes).toBeGreaterThanOrEqual((action === 'trim' ? 0.8 : 0.95) * limitBytes);
            asked.push(second);
            last = { level: action, at: second * 1000, afterBytes: null };
          }
          for (const second of asked)
            expect(asked.filter((s) => s >= second && s < second + 60).length).toBeLessThanOrEqual(12);
        },
      ),
    );
  });
});
