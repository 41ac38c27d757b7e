import { rmSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ManualClock, systemClock } from '../../src/clock.js';
import { Sampler } from '../../src/sensing/sampler.js';
import type { Snapshot } from '../../src/sensing/snapshot.js';
import { FakeMachine, groupV1, groupV2, MIB, machineFiles, PAGE } from './fake-machine.js';

const KIB = 1024;
/** No real process has it. */
const LEADER = 4_200_000;
const TICK_MS = 1000;
const samplers: Sampler[] = [];

afterEach(() => {
  for (const sampler of samplers.splice(0)) sampler.close();
});

function sampling(machine: FakeMachine, gpu: string | null = null, diskPath = machine.dir) {
  const warnings: string[] = [];
  const clock = new ManualClock();
  const root = { proc: machine.proc, cgroup: machine.cgroup };
  const sampler = new Sampler({ diskPath, clock, warn: (text) => warnings.push(text), root, gpu });
  samplers.push(sampler);
  /** The machine changes, then a second is over. */
  const tick = (files: Readonly<Record<string, string>> = {}): Snapshot => {
    machine.write(files);
    const snapshot = sampler.sample([LEADER]);
    clock.advance(TICK_MS);
    return snapshot;
  };
  return { sampler, warnings, clock, tick };
}

/** A machine with everything. */
function wholeMachine(): FakeMachine {
  const machine = new FakeMachine({
    ...machineFiles({ cpu: [[0, 100]] }),
    'proc/self/cgroup': '0::/app\n',
    ...groupV2('/app', { max: 64 * MIB, current: 40 * MIB, inactiveFile: 8 * MIB, cpuMax: '50000 100000' }),
  });
  machine.process(process.pid, { resident: 50, pss: 100, uss: 90, files: 2 });
  machine.process(LEADER, { resident: 100, pss: 300, uss: 200, files: 4 });
  return machine;
}

describe('a snapshot', () => {
  it('has all that there is from the second tick on, and what needs two looks not before', async () => {
    const machine = wholeMachine();
    const { tick, warnings, clock } = sampling(
      machine,
      machine.program('nvidia-smi', `case "$1" in *query-gpu*) echo 'A10G, 100, 50, 25';; *) echo '42, 10';; esac`),
    );
    const first = tick();
    expect(first).toMatchObject({ at: 0, wall: clock.epoch });
    expect(first.machine).toMatchObject({ cpu: null, network: null, gpus: null });
    expect(first.machine.memory).not.toBeNull();
    expect(first.machine.disk?.path).toBe(machine.dir);
    expect(first.trees.get(LEADER)?.cpuPercent).toBeNull();

    machine.process(LEADER, { resident: 100, pss: 300, uss: 200, files: 4, ticks: 40 });
    const { machine: seen, ...second } = tick({
      ...machineFiles({ cpu: [[30, 170]], receivedBytes: 3000, sentBytes: 600 }),
      'proc/self/cgroup': '0::/app\n',
      'cgroup/app/cpu.stat': 'usage_usec 125000\n',
    });
    expect(second).toMatchObject({ at: TICK_MS, wall: clock.epoch + TICK_MS });
    expect(second.trees.get(LEADER)).toMatchObject({ memoryBytes: 100 * PAGE, pssBytes: 300 * KIB, cpuPercent: 40 });
    expect(second.master).toMatchObject({ memoryBytes: 50 * PAGE, pssBytes: 100 * KIB, openFiles: 2, cpuPercent: 0 });
    expect(seen.memory).toMatchObject({ totalBytes: 4096000 * KIB, availableBytes: 2048000 * KIB });
    expect(seen.cgroup).toMatchObject({ version: 2, workingSetBytes: 32 * MIB, limitBytes: 64 * MIB });
    expect(seen.stall).toEqual({ memorySome: 0.015, memoryFull: 0.0025, cpuSome: 0.3, ioSome: 0.04 });
    expect(seen.cpu).toEqual({
      share: 0.3,
      perCore: [0.3],
      load: [0.5, 1.25, 2],
      cores: 1,
      quotaCores: 0.5,
      quotaShare: 0.25,
    });
    expect(seen.network).toEqual({
      receivedBytes: 3000,
      sentBytes: 600,
      receivedPerSecond: 2000,
      sentPerSecond: 100,
    });
    await vi.waitFor(() => expect(tick().machine.gpus).not.toBeNull(), { timeout: 10_000 });
    await vi.waitFor(() => expect(tick().machine.gpuProcesses).toEqual(new Map([[42, 10 * MIB]])), { timeout: 10_000 });
    expect(tick().machine.gpus).toEqual([{ name: 'A10G', totalBytes: 100 * MIB, usedBytes: 50 * MIB, share: 0.25 }]);
    expect(warnings).toEqual([]);
  });

  it('leaves out groups that are gone', () => {
    const machine = wholeMachine();
    const { tick } = sampling(machine);
    expect(tick().trees.size).toBe(1);
    machine.end(LEADER);
    expect(tick().trees.size).toBe(0);
  });

  it('is not changed by those that follow', () => {
    const machine = wholeMachine();
    const { tick } = sampling(machine);
    tick();
    const kept = tick(machineFiles({ cpu: [[30, 170]] }));
    const before = structuredClone(kept);
    machine.process(LEADER, { resident: 999, pss: 1, uss: 1, files: 0, ticks: 9 });
    for (let i = 0; i < 12; i++) tick(machineFiles({ cpu: [[100 + 50 * i, 300 + 10 * i]], receivedBytes: 9000 }));
    expect(kept).toEqual(before);
  });

  it('has no rate where a counter went backwards, and the next one again', () => {
    const { tick } = sampling(wholeMachine());
    const at = (busy: number, receivedBytes: number) => {
      const { cpu, network } = tick({
        ...machineFiles({ cpu: [[busy, 1000]], receivedBytes }),
        'proc/self/cgroup': '0::/app\n',
        'cgroup/app/cpu.stat': `usage_usec ${busy * 1000}\n`,
      }).machine;
      return [cpu?.share ?? null, cpu?.quotaShare ?? null, network?.receivedPerSecond ?? null];
    };
    at(500, 5000);
    expect(at(600, 6000)).toEqual([1, 0.2, 1000]);
    expect(at(100, 1000)).toEqual([null, null, null]);
    expect(at(200, 1500)).toEqual([1, 0.2, 500]);
  });

  it('never shows more than all of a quota, and nothing where only its counter went backwards', () => {
    const { tick } = sampling(wholeMachine());
    let busy = 0;
    const quotaShare = (usedMs: number) => {
      busy += 10;
      const cpu = machineFiles({ cpu: [[busy, 100]] });
      const files = { ...cpu, 'proc/self/cgroup': '0::/app\n', 'cgroup/app/cpu.stat': `usage_usec ${usedMs * 1000}\n` };
      return tick(files).machine.cpu?.quotaShare;
    };
    quotaShare(1000);
    expect(quotaShare(1600)).toBe(1);
    expect(quotaShare(1500)).toBeNull();
    expect(quotaShare(1750)).toBe(0.5);
  });

  it('compares the usage of one quota only with itself', () => {
    const { tick } = sampling(wholeMachine());
    const quota = (files: Record<string, string>) =>
      tick({ ...files, ...machineFiles({ cpu: [[busy++, 100]] }), 'proc/self/cgroup': '0::/app\n' }).machine.cpu;
    let busy = 1;
    quota({});
    const above = groupV2('/', { cpuMax: '10000 100000', usedUs: 9_000_000 });
    expect(quota(above)).toMatchObject({ quotaCores: 0.1, quotaShare: null });
    expect(quota({ 'cgroup/cpu.stat': 'usage_usec 9050000\n' })).toMatchObject({ quotaCores: 0.1, quotaShare: 0.5 });
  });

  it('knows control groups of version 1', () => {
    const machine = new FakeMachine({
      ...machineFiles(),
      'proc/self/cgroup': '5:memory:/x\n4:cpu:/x\n3:cpuacct:/x\n0::/\n',
      ...groupV1('/x', { limit: 9 * MIB, usage: 5 * MIB, inactiveFile: MIB, quotaUs: 150_000 }),
    });
    const { tick } = sampling(machine);
    expect(tick().machine.cgroup).toMatchObject({ version: 1, workingSetBytes: 4 * MIB, limitBytes: 9 * MIB });
    const { cpu } = tick({
      ...machineFiles({
        cpu: [
          [200, 900],
          [200, 900],
        ],
      }),
      'proc/self/cgroup': '5:memory:/x\n4:cpu:/x\n3:cpuacct:/x\n0::/\n',
      'cgroup/cpuacct/x/cpuacct.usage': '750000000',
    }).machine;
    expect(cpu).toMatchObject({ quotaCores: 1.5, quotaShare: 0.5 });
  });

  it('asks for the disk each 10 s only', () => {
    const machine = wholeMachine();
    machine.write({ 'state/x': '' });
    const dir = path.join(machine.dir, 'state');
    const { tick, warnings } = sampling(machine, null, dir);
    const disk = tick().machine.disk;
    rmSync(dir, { recursive: true });
    for (let second = 1; second < 10; second++) expect(tick().machine.disk).toBe(disk);
    expect(tick().machine.disk).toBeNull();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('disk space');
  });
});

describe('a sensor that fails', () => {
  it('is null and warns once, and once more after it has worked again', () => {
    const { tick, warnings } = sampling(wholeMachine());
    const good = { 'proc/meminfo': machineFiles()['proc/meminfo'] as string };
    tick();
    for (let i = 0; i < 3; i++) expect(tick({ 'proc/meminfo': '' }).machine.memory).toBeNull();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('memory of the machine');
    expect(tick(good).machine.memory).not.toBeNull();
    expect(warnings).toHaveLength(1);
    tick({ 'proc/meminfo': '' });
    expect(warnings).toHaveLength(2);
  });

  it('takes nothing along', () => {
    const { tick } = sampling(wholeMachine());
    tick();
    const { machine, trees } = tick({ 'proc/meminfo': 'x', 'proc/net/dev': 'x', 'proc/pressure/io': 'x' });
    expect(machine.memory).toBeNull();
    expect(machine.network).toBeNull();
    expect(machine.stall).toMatchObject({ ioSome: null, cpuSome: 0.3 });
    expect(machine.cgroup).not.toBeNull();
    expect(trees.size).toBe(1);
  });

  it('may be all of them: a machine without /proc', () => {
    const machine = new FakeMachine();
    machine.remove();
    const { tick, sampler, warnings } = sampling(machine);
    for (let i = 0; i < 3; i++) {
      const snapshot = tick();
      expect(Object.values(snapshot.machine).every((part) => part === null)).toBe(true);
      expect(snapshot).toMatchObject({ master: null, trees: new Map() });
    }
    for (let i = 0; i < 2; i++) expect(sampler.memory([LEADER]).size).toBe(0);
    expect(new Set(warnings).size).toBe(warnings.length);
    expect(warnings.some((text) => text.startsWith('processes'))).toBe(true);
  });
});

describe('garbage', () => {
  const intact: Record<string, string> = {
    ...machineFiles({
      cpu: [
        [0, 100],
        [50, 50],
      ],
    }),
    'proc/self/cgroup': '5:memory:/x\n4:cpu:/x\n3:cpuacct:/x\n0::/app\n',
    ...groupV2('/app', { max: 64 * MIB, current: 40 * MIB, inactiveFile: 8 * MIB, cpuMax: '50000 100000' }),
    'cgroup/app/memory.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  };
  const v1 = groupV1('/x', { limit: 9 * MIB, usage: 5 * MIB, inactiveFile: MIB, quotaUs: 150_000 });
  const ofProcesses = [process.pid, LEADER].flatMap((pid) =>
    ['stat', 'statm', 'smaps_rollup'].map((file) => `proc/${pid}/${file}`),
  );
  const files = [...Object.keys(intact), ...Object.keys(v1), ...ofProcesses];

  const number = fc.constantFrom(
    '-1',
    '-99999999999',
    '0',
    '123456789',
    '1e999',
    'NaN',
    'Infinity',
    '9'.repeat(16),
    '9'.repeat(400),
    '',
  );
  const damage: fc.Arbitrary<(text: string) => string | Buffer | null> = fc.oneof(
    fc.constant(() => null),
    fc.constant(() => ''),
    fc.nat(400).map((length) => (text: string) => text.slice(0, length)),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => () => Buffer.from(bytes)),
    fc.tuple(number, fc.nat(20)).map(([value, which]) => (text: string) => {
      let at = 0;
      return text.replace(/\d+/g, (digits) => (at++ === which ? value : digits));
    }),
    number.map((value) => (text: string) => text.replace(/\d+/g, value)),
  );
  /** What each tick does to which file. */
  const tick = fc.uniqueArray(fc.tuple(fc.constantFrom(...files), damage), {
    minLength: 2,
    maxLength: 12,
    selector: ([file]) => file,
  });

  it('in any file never throws, and never becomes a number that is none', () => {
    const machine = new FakeMachine({ ...intact, ...v1 });
    const putProcesses = (ticks: number) => {
      for (const pid of [process.pid, LEADER])
        machine.process(pid, { resident: 100, shared: 50, pss: 90, uss: 80, files: 1, ticks });
    };
    machine.process(LEADER + 1, { ppid: LEADER, resident: 10, shared: 5 });
    let damagedFiles: string[] = Object.keys(intact);
    fc.assert(
      fc.property(fc.array(tick, { minLength: 2, maxLength: 5 }), fc.boolean(), (ticks, withV1) => {
        const { sampler, clock, warnings } = sampling(machine);
        for (const [i, damages] of ticks.entries()) {
          for (const file of damagedFiles) machine.write({ [file]: { ...intact, ...v1 }[file] ?? '' });
          const self = withV1 ? intact['proc/self/cgroup'] : '0::/app\n';
          machine.write({ 'proc/self/cgroup': self as string });
          putProcesses(i);
          for (const [file, damaged] of damages) machine.damage(file, damaged);
          damagedFiles = damages.map(([file]) => file);
          expect(faultsOf(sampler.sample([LEADER]))).toEqual([]);
          expect(faultsOf(sampler.memory([LEADER]))).toEqual([]);
          clock.advance(TICK_MS);
        }
        // Each sensor at most once in two ticks: it has to work again in between.
        const most = Math.ceil(ticks.length / 2);
        for (const warning of warnings) {
          const sensor = warning.split(" can't be read")[0];
          expect(warnings.filter((other) => other.startsWith(`${sensor} can't`)).length).toBeLessThanOrEqual(most);
        }
      }),
      { numRuns: 80 },
    );
  });
});

/** Numbers that are none, negative or, where it is a share, above 1; and what is missing without being null. */
function faultsOf(value: unknown, at = ''): string[] {
  if (value instanceof Map) return [...value].flatMap(([key, of]) => faultsOf(of, `${at}[${key}]`));
  if (Array.isArray(value)) return value.flatMap((of, i) => faultsOf(of, `${at}[${i}]`));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, of]) => faultsOf(of, `${at}.${key}`));
  if (value === undefined) return [`${at} is undefined`];
  if (typeof value !== 'number') return [];
  const isShare = /share|some|full|perCore/i.test(at);
  return Number.isFinite(value) && value >= 0 && !(isShare && value > 1) ? [] : [`${at} is ${value}`];
}

it('agrees with the real machine about this process', () => {
  const warnings: string[] = [];
  const sampler = new Sampler({ diskPath: process.cwd(), clock: systemClock, warn: (text) => warnings.push(text) });
  samplers.push(sampler);
  sampler.sample([]);
  const { machine, master, wall } = sampler.sample([]);
  expect(Math.abs(wall - Date.now())).toBeLessThan(60_000);
  const { rss } = process.memoryUsage();
  expect(master?.memoryBytes).toBeGreaterThan(rss / 2);
  expect(master?.memoryBytes).toBeLessThan(rss * 2);
  expect(master?.pssBytes).toBeLessThanOrEqual(rss * 2);
  expect(master?.threads).toBeGreaterThan(1);
  expect(machine.memory?.availableBytes).toBeLessThan(machine.memory?.totalBytes ?? 0);
  expect(faultsOf(machine)).toEqual([]);
  expect(warnings).toEqual([]);
});
