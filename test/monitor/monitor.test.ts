import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { type DecisionNotice, Hooks, type PressureChange } from '../../src/monitor/hooks.js';
import { createResourceMonitor, Monitor, type ResourceMonitorOptions } from '../../src/monitor/monitor.js';
import type { HeapPoint } from '../../src/policy/leak.js';
import type { MachineSample, Snapshot, TreeSample } from '../../src/sensing/snapshot.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

interface Seen {
  usedBytes: number | null;
  availableBytes: number | null;
  cpuShare: number | null;
  machine: Partial<MachineSample>;
}

/** A monitor of a machine that is as it is told, and a clock that is moved by hand. */
function watched(
  options: ResourceMonitorOptions = {},
  first: Partial<Seen> = {},
  heap: (() => HeapPoint) | null = null,
) {
  const clock = new ManualClock();
  const seen: Seen = { usedBytes: GIB, availableBytes: 3 * GIB, cpuShare: 0.2, machine: {}, ...first };
  const looks: number[] = [];
  let closed = 0;
  const sampler = {
    sample: (leaders: readonly number[]): Snapshot => {
      looks.push(clock.now());
      expect(leaders).toEqual([process.pid]);
      const trees = new Map(seen.usedBytes === null ? [] : [[process.pid, tree(seen.usedBytes)]]);
      return { at: clock.now(), wall: clock.wall(), machine: machine(seen), trees, master: null };
    },
    close: () => {
      closed++;
    },
  };
  const reports: string[] = [];
  const monitor = new Monitor(options, {
    clock,
    hooks: new Hooks((text) => reports.push(text)),
    sampler: () => sampler,
    heap: heap && { start: () => undefined, stop: () => undefined, point: heap },
  });
  return { monitor, clock, seen, looks, reports, closed: () => closed };
}

function tree(bytes: number): TreeSample {
  return {
    memoryBytes: bytes + MIB,
    ownBytes: bytes,
    vmsBytes: 2 * bytes,
    pssBytes: bytes,
    ussBytes: bytes,
    cpuPercent: 50,
    threads: 11,
    openFiles: 20,
    processes: 1,
  };
}

function machine({ availableBytes, cpuShare, machine: more }: Seen): MachineSample {
  return {
    memory:
      availableBytes === null ? null : { totalBytes: 8 * GIB, availableBytes, swapTotalBytes: 0, swapFreeBytes: 0 },
    cgroup: null,
    stall: null,
    cpu:
      cpuShare === null
        ? null
        : { share: cpuShare, perCore: [cpuShare], load: [1, 1, 1], cores: 4, quotaCores: null, quotaShare: null },
    disk: null,
    network: null,
    gpuProcesses: null,
    gpus: null,
    ...more,
  };
}

describe('looking', () => {
  it('looks at once and at each interval, until it is stopped; starting and stopping twice is once', () => {
    const { monitor, clock, looks, closed } = watched({ intervalMs: 500 });
    monitor.start();
    monitor.start();
    expect(looks).toEqual([0]);
    clock.advance(1500);
    expect(looks).toEqual([0, 500, 1000, 1500]);
    monitor.status();
    expect(looks).toHaveLength(4);
    monitor.stop();
    monitor.stop();
    clock.advance(5000);
    expect([looks.length, closed()]).toEqual([4, 1]);
    monitor.start();
    clock.advance(500);
    expect(looks).toHaveLength(6);
    monitor[Symbol.dispose]();
    clock.advance(5000);
    expect([looks.length, closed()]).toEqual([6, 2]);
  });

  it('answers without being started, each time as it is then', () => {
    const { monitor, seen } = watched();
    expect(monitor.status().memory.usedBytes).toBe(GIB);
    seen.usedBytes = 2 * GIB;
    expect(monitor.status().memory.usedBytes).toBe(2 * GIB);
  });

  it.each([
    [{ intervalMs: 0 }],
    [{ intervalMs: Number.NaN }],
    [{ memoryLimitBytes: 0 }],
    [{ memoryLimitBytes: Number.POSITIVE_INFINITY }],
    [{ thresholds: { medium: 0.8 } }],
    [{ thresholds: { critical: 1.5 } }],
  ])('refuses %j', (options) => {
    expect(() => createResourceMonitor(options)).toThrow(/^createResourceMonitor: /);
  });
});

describe('status', () => {
  it('measures our memory by what is still to be had, by the control group, or by an explicit limit', () => {
    expect(watched().monitor.status().memory).toMatchObject({
      usedBytes: GIB,
      limitBytes: 4 * GIB,
      limitFrom: 'machine',
      share: 0.25,
      availableBytes: 3 * GIB,
      totalBytes: 8 * GIB,
      pressure: 'low',
    });
    const cgroup = { version: 2 as const, usageBytes: 2 * GIB, workingSetBytes: 1.5 * GIB, limitBytes: 2 * GIB };
    expect(watched({}, { machine: { cgroup } }).monitor.status().memory).toMatchObject({
      limitBytes: 1.5 * GIB,
      limitFrom: 'cgroup',
      availableBytes: 0.5 * GIB,
      totalBytes: 2 * GIB,
    });
    expect(watched({ memoryLimitBytes: 1.25 * GIB }).monitor.status().memory).toMatchObject({
      limitBytes: 1.25 * GIB,
      limitFrom: 'option',
      share: 0.8,
      pressure: 'high',
    });
  });

  it('shows this process and its machine', () => {
    const { monitor, clock } = watched();
    monitor.start();
    clock.advance(60_000);
    const { process: self, cpu, trends, time } = monitor.status();
    expect(time).toBe(new Date(clock.wall()).toISOString());
    expect(self).toMatchObject({ rssBytes: GIB + MIB, cpuPercent: 50, threads: 11, openFiles: 20 });
    expect(self.heapUsedBytes).toBeGreaterThan(MIB);
    expect(self.heapLimitBytes).toBeGreaterThan(self.heapUsedBytes);
    expect(cpu).toMatchObject({ share: 0.2, cores: 4 });
    expect(trends.memoryBytes).toMatchObject({ min: GIB, max: GIB, p50: GIB, perMinute: 0, windowMs: 60_000 });
    monitor.stop();
  });

  it('decides nothing on what is not known', () => {
    const onPressure = vi.fn();
    const unknown = { usedBytes: null, availableBytes: null, cpuShare: null };
    const { monitor, clock, seen } = watched({ hooks: [{ onPressure }] }, unknown);
    monitor.start();
    clock.advance(20_000);
    expect(monitor.status()).toMatchObject({
      memory: { usedBytes: null, limitBytes: null, limitFrom: null, share: null, pressure: 'low' },
      process: { rssBytes: null, cpuPercent: null },
      cpu: null,
      trends: { memoryBytes: null, memoryShare: null, cpuShare: null },
      growth: null,
    });
    expect(monitor.recommendSize({ current: 3 }).workers).toBe(3);
    Object.assign(seen, { usedBytes: 9 * GIB, availableBytes: GIB });
    clock.advance(1000);
    Object.assign(seen, unknown);
    clock.advance(20_000);
    // What was known to be high stays so until something else is known.
    expect(monitor.status().memory.pressure).toBe('critical');
    expect(onPressure).toHaveBeenCalledTimes(1);
    monitor.stop();
  });

  it('recommends what its author can do, most urgent first', () => {
    const disk = { path: '/srv', totalBytes: 100 * GIB, freeBytes: GIB };
    const calm = watched().monitor.status().recommendations;
    expect(calm.filter(({ type }) => type !== 'event_loop')).toEqual([]);
    const advice = watched(
      { memoryLimitBytes: GIB },
      { usedBytes: 0.95 * GIB, cpuShare: 0.9, machine: { disk } },
    ).monitor.status().recommendations;
    const types = advice.map(({ type }) => type).filter((type) => type !== 'event_loop');
    expect(types).toEqual(['pressure', 'cpu', 'disk']);
    expect(advice[0]).toMatchObject({ priority: 'high', message: 'memory pressure is critical' });
    for (const { suggestion } of advice) expect(suggestion.length).toBeGreaterThan(10);
  });
});

describe('pressure', () => {
  it('tells hooks of each change of level, with its reason as a decision', () => {
    const changes: PressureChange[] = [];
    const decisions: DecisionNotice[] = [];
    const hooks = [
      {
        onPressure: (change: PressureChange) => changes.push(change),
        onDecision: (d: DecisionNotice) => decisions.push(d),
      },
    ];
    const { monitor, clock, seen } = watched({ memoryLimitBytes: 100 * MIB, hooks }, { usedBytes: 10 * MIB });
    monitor.start();
    for (const mib of [51, 72, 71, 69, 69, 90, 20]) {
      seen.usedBytes = mib * MIB;
      clock.advance(1000);
    }
    monitor.stop();
    expect(changes.map(({ from, level, share }) => [from, level, share])).toEqual([
      ['low', 'medium', 0.51],
      ['medium', 'high', 0.72],
      ['high', 'critical', 0.9],
      ['critical', 'low', 0.2],
    ]);
    expect(changes[0]).toMatchObject({ usedBytes: 51 * MIB, limitBytes: 100 * MIB });
    expect(decisions.map(({ policy, subject, action }) => [policy, subject, action])).toEqual([
      ['pressure', 'process', 'raise'],
      ['pressure', 'process', 'raise'],
      ['pressure', 'process', 'raise'],
      ['pressure', 'process', 'lower'],
    ]);
    expect(decisions[1]?.reason).toMatch(/72/);
  });

  it('takes other thresholds', () => {
    const { monitor } = watched({ thresholds: { medium: 0.2 } });
    expect(monitor.status().memory).toMatchObject({
      pressure: 'medium',
      thresholds: { medium: 0.2, high: 0.7, critical: 0.85 },
    });
  });

  it('is the same with any hooks, however they fail', () => {
    const fail = () => {
      throw new Error('hook');
    };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 30 }), (usedMib) => {
        const levels = (options: ResourceMonitorOptions) => {
          const { monitor, clock, seen } = watched({ memoryLimitBytes: 100 * MIB, ...options });
          monitor.start();
          return usedMib.map((mib) => {
            seen.usedBytes = mib * MIB;
            clock.advance(1000);
            return monitor.status().memory.pressure;
          });
        };
        expect(levels({ hooks: [{ onPressure: fail, onDecision: fail }] })).toEqual(levels({}));
      }),
      { numRuns: 50 },
    );
  });
});

describe('growth', () => {
  it('suspects a leak once, and not a sawtooth', () => {
    const run = (bytesAt: (second: number) => number, heapAt: ((bytes: number) => HeapPoint) | null = null) => {
      const leaks: DecisionNotice[] = [];
      const onDecision = (d: DecisionNotice) => void (d.policy === 'leak' && leaks.push(d));
      const heap = heapAt && (() => heapAt(Number(seen.usedBytes)));
      const { monitor, clock, seen } = watched({ memoryLimitBytes: 4 * GIB, hooks: [{ onDecision }] }, {}, heap);
      monitor.start();
      for (let second = 1; second <= 16 * 60; second++) {
        seen.usedBytes = bytesAt(second);
        clock.advance(1000);
      }
      const status = monitor.status();
      monitor.stop();
      return { leaks, status };
    };
    const growing = (second: number) => 200 * MIB + (second / 60) * 10 * MIB;
    const leaking = run(growing);
    expect(leaking.leaks.map(({ action, subject }) => [action, subject])).toEqual([['suspect', 'process']]);
    expect(leaking.status.growth?.bytesPerMinute).toBeCloseTo(10 * MIB, -6);
    expect(leaking.status.recommendations[0]?.type).toBe('leak');
    const sawtooth = run((second) => 200 * MIB + (second % 60) * MIB);
    expect(sawtooth.leaks).toEqual([]);
    expect(sawtooth.status.recommendations.some(({ type }) => type === 'leak')).toBe(false);
    // A heap that was never collected in full: all of it may be garbage.
    const lazy = run(growing, (bytes) => ({
      usedBytes: bytes - 100 * MIB,
      heldBytes: bytes - 100 * MIB,
      liveBytes: null,
    }));
    expect(lazy.leaks).toEqual([]);
    expect(lazy.status.recommendations.some(({ type }) => type === 'leak')).toBe(false);
  });
});

describe('recommendSize', () => {
  it('goes by what the monitor sees, and tells hooks of a change', () => {
    const decisions: DecisionNotice[] = [];
    const hooks = [{ onDecision: (d: DecisionNotice) => void (d.policy === 'size' && decisions.push(d)) }];
    const { monitor, clock, seen } = watched({ memoryLimitBytes: 4 * GIB, hooks });
    monitor.start();
    expect(monitor.recommendSize({ current: 2, context: { queued: 10, memoryPerWorkerBytes: 10 * MIB } }).workers).toBe(
      4,
    );
    expect(monitor.recommendSize({ current: 2 })).toMatchObject({ workers: 2 });
    seen.usedBytes = 3.9 * GIB;
    clock.advance(1000);
    const { workers, reason } = monitor.recommendSize({ current: 4, context: { stage: 'foundation' } });
    expect(workers).toBe(1);
    expect(reason).toMatch(/^foundation: .*critical/);
    expect(decisions.map(({ action, numbers }) => [action, numbers])).toEqual([
      ['grow', { current: 2, workers: 4 }],
      ['shrink', { current: 4, workers: 1 }],
    ]);
    monitor.stop();
  });
});

describe('spans', () => {
  it('keeps the latest, and tells hooks that come and go', async () => {
    const { monitor } = watched();
    const names: string[] = [];
    const end = monitor.use({ before: ({ name }) => void names.push(name) });
    expect(await monitor.track('first', () => 1)).toBe(1);
    await expect(monitor.track('second', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    end();
    await monitor.track('third', () => undefined);
    expect(names).toEqual(['first', 'second']);
    expect(monitor.spans().map(({ name, error }) => [name, error])).toEqual([
      ['first', null],
      ['second', 'no'],
      ['third', null],
    ]);
  });

  it('does not grow without bounds', async () => {
    const { monitor } = watched();
    await Promise.all(Array.from({ length: 1200 }, (_, n) => monitor.track(`span ${n}`, () => undefined)));
    expect([monitor.spans().length, monitor.spans()[0]?.name]).toEqual([1000, 'span 200']);
  });
});
