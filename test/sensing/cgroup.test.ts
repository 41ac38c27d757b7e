import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCgroups, ownPressureFile, readCgroupMemory, readCpuQuota } from '../../src/sensing/cgroup.js';
import { FakeMachine, groupV1, groupV2, MIB } from './fake-machine.js';

const MACHINE_BYTES = 4000 * MIB;
const CORES = 8;

function machine(self: string, ...files: Record<string, string>[]): FakeMachine {
  return new FakeMachine(Object.assign({ 'proc/self/cgroup': self }, ...files));
}
const memoryOf = ({ cgroupRoots }: FakeMachine) => readCgroupMemory(findCgroups(cgroupRoots), MACHINE_BYTES);
const quotaOf = ({ cgroupRoots }: FakeMachine) => readCpuQuota(findCgroups(cgroupRoots), CORES);

describe('memory, v2', () => {
  it('leaves the file cache that goes first out of the working set', () => {
    const m = machine('0::/app\n', groupV2('/app', { max: 500 * MIB, current: 300 * MIB, inactiveFile: 50 * MIB }));
    expect(memoryOf(m)).toEqual({
      version: 2,
      workingSetBytes: 250 * MIB,
      usageBytes: 300 * MIB,
      limitBytes: 500 * MIB,
    });
  });

  it('knows no limit by max, and by one of the size of the machine or more', () => {
    for (const max of ['max', MACHINE_BYTES, 10 * MACHINE_BYTES] as const) {
      const m = machine('0::/app\n', groupV2('/app', { max, current: 300 * MIB }));
      expect(memoryOf(m)).toMatchObject({ limitBytes: null, usageBytes: 300 * MIB });
    }
  });

  it('takes the limit of a group above, with the usage of that group', () => {
    const m = machine(
      '0::/a/b/c\n',
      groupV2('/a/b/c', { current: 100 * MIB }),
      groupV2('/a/b', { max: 400 * MIB, current: 390 * MIB }),
      groupV2('/a', { current: 900 * MIB }),
    );
    expect(memoryOf(m)).toMatchObject({ limitBytes: 400 * MIB, usageBytes: 390 * MIB });
  });

  it('of several limits, takes the one that will be reached first', () => {
    const own = groupV2('/a/b', { max: 300 * MIB, current: 100 * MIB });
    const roomy = machine('0::/a/b\n', own, groupV2('/a', { max: 900 * MIB, current: 200 * MIB }));
    expect(memoryOf(roomy)?.limitBytes).toBe(300 * MIB);
    const crowded = machine('0::/a/b\n', own, groupV2('/a', { max: 900 * MIB, current: 850 * MIB }));
    expect(memoryOf(crowded)?.limitBytes).toBe(900 * MIB);
  });

  it('in a container, where our path is not below what is mounted, takes the root', () => {
    const root = {
      ...groupV2('/', { max: 200 * MIB, current: 60 * MIB }),
      // Of the same name, but another one: ours lies beside what is mounted.
      ...groupV2('/outside', { max: MIB, current: MIB }),
      'outside/memory.max': '1',
    };
    for (const self of ['0::/docker/abc\n', '0::/../outside\n', '0::/\n'])
      expect(memoryOf(machine(self, root))).toMatchObject({ limitBytes: 200 * MIB, usageBytes: 60 * MIB });
  });

  it('does not take a group for ours because its name begins our path', () => {
    const m = machine('0::/docker/abc\n', groupV2('/', { current: 60 * MIB }), groupV2('/docker', { max: MIB }));
    expect(memoryOf(m)).toMatchObject({ limitBytes: null, usageBytes: 60 * MIB });
  });

  it('is null at the root of a machine, which is not accounted', () => {
    expect(memoryOf(machine('0::/\n', { 'cgroup/cgroup.controllers': 'memory\n' }))).toBeNull();
    expect(memoryOf(machine('0::/\n'))).toBeNull();
    expect(memoryOf(new FakeMachine())).toBeNull();
  });

  it('throws at what is no number, and never takes it for a limit', () => {
    for (const file of ['memory.max', 'memory.current', 'memory.stat']) {
      const m = machine('0::/app\n', groupV2('/app', { max: 500 * MIB, current: MIB }), {
        [`cgroup/app/${file}`]: '-x',
      });
      expect(() => memoryOf(m)).toThrow();
    }
  });
});

describe('memory, v1', () => {
  const SELF = '4:memory:/shop/web\n3:cpu,cpuacct:/\n';

  it('reads usage, hierarchical file cache and limit', () => {
    const m = machine(SELF, groupV1('/shop/web', { limit: 500 * MIB, usage: 300 * MIB, inactiveFile: 50 * MIB }));
    expect(memoryOf(m)).toEqual({
      version: 1,
      workingSetBytes: 250 * MIB,
      usageBytes: 300 * MIB,
      limitBytes: 500 * MIB,
    });
  });

  it('knows the number that means no limit', () => {
    for (const limit of ['9223372036854771712', '18446744073709551615']) {
      const m = machine(SELF, groupV1('/shop/web', { limit, usage: 300 * MIB }));
      expect(memoryOf(m)).toMatchObject({ version: 1, limitBytes: null, usageBytes: 300 * MIB });
    }
  });

  it('takes a limit from above', () => {
    const m = machine(SELF, groupV1('/shop/web', { usage: MIB }), groupV1('/shop', { limit: 5 * MIB, usage: 3 * MIB }));
    expect(memoryOf(m)).toMatchObject({ limitBytes: 5 * MIB, usageBytes: 3 * MIB });
  });

  it('wins over the unified hierarchy beside it, which has no memory then', () => {
    const m = machine(`${SELF}0::/\n`, groupV1('/shop/web', { limit: 5 * MIB, usage: MIB }), {
      'cgroup/unified/cgroup.controllers': '',
    });
    expect(memoryOf(m)).toMatchObject({ version: 1, limitBytes: 5 * MIB });
  });

  it('finds v2 where v1 names the controller but does not mount it', () => {
    const m = machine(`${SELF}0::/app\n`, groupV2('/app', { max: 5 * MIB, current: MIB }));
    expect(memoryOf(m)).toMatchObject({ version: 2, limitBytes: 5 * MIB });
  });

  it('in a container, takes the mounted root', () => {
    expect(memoryOf(machine(SELF, groupV1('/', { limit: 5 * MIB, usage: MIB })))).toMatchObject({
      limitBytes: 5 * MIB,
    });
  });
});

describe('CPU quota', () => {
  it('reads v2: the strictest of ours and those above', () => {
    const m = machine(
      '0::/a/b\n',
      groupV2('/a/b', { cpuMax: '400000 100000', usedUs: 1 }),
      groupV2('/a', { cpuMax: '150000 100000', usedUs: 2_500_000 }),
      groupV2('/', {}),
    );
    expect(quotaOf(m)).toEqual({ cores: 1.5, usedMs: 2500, group: path.join(m.cgroup, 'a') });
  });

  it('reads v1, and the usage of the group of the same name', () => {
    const m = machine(
      '3:cpu:/a/b\n2:cpuacct:/a/b\n',
      groupV1('/a/b', { usedNs: 1 }),
      groupV1('/a', { quotaUs: 50_000, usedNs: 7_000_000 }),
    );
    expect(quotaOf(m)).toEqual({ cores: 0.5, usedMs: 7, group: path.join(m.cgroup, 'cpu/a') });
  });

  it('reads v1 where both controllers are mounted as one', () => {
    const m = machine('3:cpu,cpuacct:/a\n', {
      'cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '200000\n',
      'cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '100000\n',
      'cgroup/cpu,cpuacct/a/cpuacct.usage': '1000000\n',
    });
    expect(quotaOf(m)).toMatchObject({ cores: 2, usedMs: 1 });
  });

  it('is null without one, and where it allows all cores', () => {
    expect(quotaOf(machine('0::/\n'))).toBeNull();
    expect(quotaOf(machine('0::/a\n', groupV2('/a', {})))).toBeNull();
    expect(quotaOf(machine('0::/a\n', groupV2('/a', { cpuMax: '800000 100000' })))).toBeNull();
    expect(quotaOf(machine('3:cpu:/a\n', groupV1('/a', {})))).toBeNull();
  });

  it('has no usage where it is not accounted', () => {
    const m = machine('3:cpu:/\n', {
      'cgroup/cpu/cpu.cfs_quota_us': '50000',
      'cgroup/cpu/cpu.cfs_period_us': '100000',
    });
    expect(quotaOf(m)).toMatchObject({ cores: 0.5, usedMs: null });
  });

  it('throws at what is no quota', () => {
    for (const cpuMax of ['x y', '0 100000', '100000 0', '100000', '']) {
      const m = machine('0::/a\n', groupV2('/a', { cpuMax }));
      expect(() => quotaOf(m), cpuMax).toThrow();
    }
  });
});

describe('pressure files of our own group', () => {
  it('are in the unified hierarchy, alone or beside v1', () => {
    const alone = machine('0::/a\n', groupV2('/a', {}));
    expect(ownPressureFile('io', findCgroups(alone.cgroupRoots))).toBe(path.join(alone.cgroup, 'a/io.pressure'));
    const beside = machine('4:memory:/x\n0::/a\n', groupV1('/x', {}), { 'cgroup/unified/a/cpu.pressure': '' });
    expect(ownPressureFile('cpu', findCgroups(beside.cgroupRoots))).toBe(
      path.join(beside.cgroup, 'unified/a/cpu.pressure'),
    );
  });
});

const real = readCgroupMemory();

it.skipIf(real === null)('agrees with the real machine about itself (skipped where memory is not accounted)', () => {
  expect(real?.usageBytes).toBeGreaterThan(0);
  expect(real?.workingSetBytes).toBeGreaterThan(0);
  expect(real?.workingSetBytes).toBeLessThanOrEqual(real?.usageBytes ?? 0);
});
