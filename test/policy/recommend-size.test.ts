import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PressureLevel } from '../../src/policy/pressure.js';
import {
  type BoxState,
  type MeasuredSize,
  recommendFromMeasurements,
  recommendSize,
  type SizeContext,
} from '../../src/policy/recommend-size.js';

const MIB = 1024 ** 2;

/** Throughput of 1, 2, 3… workers, 50 MiB each. */
function measured(...throughput: number[]): MeasuredSize[] {
  return throughput.map((each, index) => ({
    workers: index + 1,
    throughput: each,
    memoryBytes: (index + 1) * 50 * MIB,
    errors: 0,
  }));
}

describe('recommendFromMeasurements', () => {
  it('takes the smallest size within 5 % of the best, and says what the next would bring and cost', () => {
    expect(recommendFromMeasurements(measured(100, 180, 182))).toEqual({
      workers: 2,
      reason:
        '2 workers: 1.8× of one at 90 % efficiency; 3 workers gain 1 %, within the 5 % that count as no gain, and cost 50MiB more',
    });
    expect(recommendFromMeasurements(measured(100, 95, 90)).workers).toBe(1);
    expect(recommendFromMeasurements(measured(95, 100)).workers).toBe(1);
    expect(recommendFromMeasurements(measured(94.9, 100)).workers).toBe(2);
  });

  it('compares with the best of the larger ones, not with the next', () => {
    const { workers, reason } = recommendFromMeasurements(measured(100, 60, 104));
    expect(workers).toBe(1);
    expect(reason).toBe(
      '1 worker: 100/s; 3 workers gain 4 %, within the 5 % that count as no gain, and cost 100MiB more',
    );
    expect(recommendFromMeasurements(measured(100, 60)).reason).toContain('2 workers lose 40 %');
  });

  it('says when nothing larger was measured', () => {
    expect(recommendFromMeasurements(measured(100, 200)).reason).toBe(
      '2 workers: 2.0× of one at 100 % efficiency; no larger size was measured',
    );
    expect(recommendFromMeasurements(measured(100)).reason).toBe('1 worker: 100/s; no other was measured');
    const [, second, , fourth] = measured(1, 100, 1, 150);
    expect(recommendFromMeasurements([second!, fourth!]).reason).toContain('4 workers: 1.5× of 2 at 75 % efficiency');
  });

  it('leaves out a size with errors, and names it', () => {
    const points = measured(100, 180, 400);
    points[2]!.errors = 1;
    expect(recommendFromMeasurements(points)).toEqual({
      workers: 2,
      reason: '2 workers: 1.8× of one at 90 % efficiency; 3 workers had 1 error',
    });
  });

  it('keeps within the memory, also where a larger size happened to need less', () => {
    const points = measured(100, 200, 300, 400);
    points[3]!.memoryBytes = 10 * MIB;
    expect(recommendFromMeasurements(points, { memoryLimitBytes: 120 * MIB })).toEqual({
      workers: 2,
      reason: '2 workers: 2.0× of one at 100 % efficiency; 3 workers need 150MiB, more than the 120MiB that there are',
    });
  });

  it('advises nothing where nothing will do', () => {
    expect(recommendFromMeasurements([])).toEqual({ workers: null, reason: 'no size gave an answer' });
    expect(recommendFromMeasurements(measured(0, 0)).workers).toBeNull();
    expect(recommendFromMeasurements(measured(100), { memoryLimitBytes: MIB })).toEqual({
      workers: null,
      reason: '1 worker needs 50MiB, more than the 1MiB that there are',
    });
    expect(recommendFromMeasurements([{ workers: 2, throughput: 5, errors: 3 }])).toEqual({
      workers: null,
      reason: '2 workers had 3 errors',
    });
    expect(recommendFromMeasurements([{ workers: 2, throughput: Number.NaN }]).workers).toBeNull();
  });

  const points = fc.uniqueArray(
    fc.record({
      workers: fc.integer({ min: 1, max: 64 }),
      throughput: fc.double({ min: 0, max: 1e6, noNaN: true }),
      memoryBytes: fc.option(fc.integer({ min: 0, max: 1e9 })),
      errors: fc.constantFrom(0, 0, 0, 1, 20),
    }),
    { selector: ({ workers }) => workers, maxLength: 10 },
  );

  it('property: what it advises was measured, had no error, fits, and is within 5 % of every other such size', () => {
    fc.assert(
      fc.property(points, fc.option(fc.integer({ min: 0, max: 1e9 })), (sizes, memoryLimitBytes) => {
        const { workers } = recommendFromMeasurements(sizes, { memoryLimitBytes });
        if (workers === null) return;
        const chosen = sizes.find((size) => size.workers === workers)!;
        const fits = (size: MeasuredSize) => memoryLimitBytes === null || (size.memoryBytes ?? 0) <= memoryLimitBytes;
        const usable = sizes.filter(
          (size) =>
            size.errors === 0 && sizes.filter((other) => other.workers <= size.workers).every((other) => fits(other)),
        );
        expect(usable).toContain(chosen);
        for (const other of usable) {
          expect(chosen.throughput).toBeGreaterThanOrEqual(other.throughput * 0.95);
          if (other.workers < workers) {
            const best = Math.max(...usable.map((size) => size.throughput));
            expect(other.throughput).toBeLessThan(best * 0.95);
          }
        }
      }),
    );
  });

  it('property: more memory never advises fewer workers, and the order of the points does not matter', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 1e9 }), (sizes, a, b) => {
        const under = (memoryLimitBytes: number) => recommendFromMeasurements(sizes, { memoryLimitBytes }).workers ?? 0;
        expect(under(Math.min(a, b))).toBeLessThanOrEqual(under(Math.max(a, b)));
        expect(recommendFromMeasurements([...sizes].reverse())).toEqual(recommendFromMeasurements(sizes));
      }),
    );
  });
});

describe('recommendSize', () => {
  const idle: BoxState = { pressure: 'low', roomBytes: 1024 * MIB, cpuShare: 0.1, cores: 8 };
  const ask = (current: number, context: SizeContext = {}, resources: Partial<BoxState> = {}) =>
    recommendSize({ current, context, resources: { ...idle, ...resources } });

  it('memory that is critical leaves one, memory that is high takes one away', () => {
    expect(ask(6, { queued: 50 }, { pressure: 'critical' })).toEqual({
      workers: 1,
      reason: 'memory is critical: one worker until there is room',
    });
    expect(ask(6, { queued: 50 }, { pressure: 'high' })).toEqual({
      workers: 5,
      reason: 'memory is high: one worker less',
    });
    expect(ask(1, {}, { pressure: 'high' })).toEqual({
      workers: 1,
      reason: 'memory is high: one worker is the least',
    });
    expect(ask(6, { measurements: measured(100, 101) }, { pressure: 'high' })).toEqual({
      workers: 1,
      reason: 'memory is high: 1 worker is enough, as measured',
    });
  });

  it('busy CPUs allow no more, idle ones with a backlog do', () => {
    expect(ask(2, { queued: 50 }, { cpuShare: 0.85 }).workers).toBe(2);
    expect(ask(2, { queued: 50 }, { cpuShare: 0.84, cores: 1, roomBytes: null }).workers).toBe(3);
    expect(ask(2, { queued: 50, memoryPerWorkerBytes: MIB })).toEqual({
      workers: 4,
      reason: '50 wait and the load is 10 % of the cores: 2 more',
    });
    expect(ask(4, { queued: 1, memoryPerWorkerBytes: MIB })).toMatchObject({ workers: 5 });
    expect(ask(4)).toEqual({ workers: 4, reason: 'nothing waits, and there is room: stays as it is' });
  });

  it('grows into the memory that there is, and by one where nobody knows what one takes', () => {
    const crowd = { queued: 50, memoryPerWorkerBytes: 100 * MIB };
    expect(ask(4, crowd, { roomBytes: 250 * MIB })).toEqual({
      workers: 6,
      reason: '50 wait and the load is 10 % of the cores: 4 more, but memory has room for 2 more',
    });
    expect(ask(4, crowd, { roomBytes: 99 * MIB }).workers).toBe(4);
    expect(ask(4, { queued: 50 }).workers).toBe(5);
  });

  it('goes to what was measured: down at once, up as CPU and memory allow', () => {
    const measurements = measured(100, 200, 300, 310);
    expect(ask(8, { measurements }).workers).toBe(3);
    expect(ask(8, { measurements }, { cpuShare: null }).workers).toBe(3);
    expect(ask(2, { measurements, memoryPerWorkerBytes: MIB }).workers).toBe(3);
    expect(ask(1, { measurements, memoryPerWorkerBytes: MIB }).workers).toBe(2);
    expect(ask(2, { measurements }, { cpuShare: 0.9 }).workers).toBe(2);
  });

  it('what is not known changes nothing, and is named', () => {
    const crowd = { queued: 50 };
    expect(ask(3, crowd, { pressure: null })).toEqual({ workers: 3, reason: 'memory not known: stays as it is' });
    expect(ask(3, crowd, { pressure: null, cpuShare: null })).toEqual({
      workers: 3,
      reason: 'CPU and memory not known: stays as it is',
    });
  });

  it('keeps to min and max, and names the stage', () => {
    expect(ask(3, { queued: 50, max: 3, stage: 'foundation' })).toEqual({
      workers: 3,
      reason:
        'foundation: 50 wait and the load is 10 % of the cores: 3 more, but memory has room for one more; at most 3',
    });
    expect(ask(6, { min: 2 }, { pressure: 'critical' })).toEqual({
      workers: 2,
      reason: 'memory is critical: one worker until there is room; at least 2',
    });
  });

  const context = fc.record(
    {
      memoryPerWorkerBytes: fc.option(fc.integer({ min: 0, max: 1e9 })),
      min: fc.integer({ min: 0, max: 8 }),
      max: fc.integer({ min: 1, max: 64 }),
      queued: fc.integer({ min: 0, max: 1000 }),
      measurements: fc.array(
        fc.record({ workers: fc.integer({ min: 1, max: 64 }), throughput: fc.double({ min: 0, max: 1e6 }) }),
        { maxLength: 6 },
      ),
    },
    { requiredKeys: [] },
  );
  const levels: PressureLevel[] = ['critical', 'high', 'medium', 'low'];
  const box = fc.record({
    pressure: fc.constantFrom<PressureLevel | null>(...levels, null),
    roomBytes: fc.option(fc.integer({ min: 0, max: 1e10 })),
    cpuShare: fc.option(fc.double({ min: 0, max: 4, noNaN: true })),
    cores: fc.option(fc.integer({ min: 1, max: 64 })),
  });
  const current = fc.integer({ min: 0, max: 64 });

  it('property: a whole number of at least 1, never above max, never below min, never more than doubled', () => {
    fc.assert(
      fc.property(current, context, box, (now, what, resources) => {
        const { workers, reason } = recommendSize({ current: now, context: what, resources });
        const min = Math.max(1, what.min ?? 1);
        expect(Number.isInteger(workers)).toBe(true);
        expect(workers).toBeGreaterThanOrEqual(min);
        if (what.max !== undefined) expect(workers).toBeLessThanOrEqual(Math.max(min, what.max));
        expect(workers).toBeLessThanOrEqual(Math.max(min, 2 * Math.max(1, now)));
        expect(reason).not.toMatch(/NaN|undefined|null/);
      }),
    );
  });

  it('property: more room, or less pressure, never means fewer workers', () => {
    const two = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 1e10 }));
    fc.assert(
      fc.property(current, context, box, two, two, (now, what, resources, one, other) => {
        const size = (level: number, roomBytes: number) =>
          recommendSize({
            current: now,
            context: what,
            resources: { ...resources, pressure: levels[level]!, roomBytes },
          }).workers;
        const worse = size(Math.min(one[0], other[0]), Math.min(one[1], other[1]));
        const better = size(Math.max(one[0], other[0]), Math.max(one[1], other[1]));
        expect(worse).toBeLessThanOrEqual(better);
      }),
    );
  });

  it('property: nothing grows where memory or CPU is not known', () => {
    fc.assert(
      fc.property(current, context, box, (now, what, resources) => {
        const known = Math.max(1, what.min ?? 1, now);
        for (const missing of [{ pressure: null }, { cpuShare: null }, { cores: null }])
          expect(
            recommendSize({ current: now, context: what, resources: { ...resources, ...missing } }).workers,
          ).toBeLessThanOrEqual(known);
      }),
    );
  });
});
