import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { availableCores } from '../../src/config/cores.js';
import { folderWith } from './support.js';

const ALL = os.availableParallelism();

it.each<[what: string, files: Record<string, string>, cores: number]>([
  ['no cgroup files', {}, ALL],
  ['no limit', { self: '0::/\n', 'cgroup/cpu.max': 'max 100000\n' }, ALL],
  ['one core', { self: '0::/\n', 'cgroup/cpu.max': '100000 100000\n' }, 1],
  ['a part of a core', { self: '0::/\n', 'cgroup/cpu.max': '20000 100000\n' }, 1],
  ['a core and a half', { self: '0::/\n', 'cgroup/cpu.max': '150000 100000\n' }, Math.min(2, ALL)],
  ['more than there are', { self: '0::/\n', 'cgroup/cpu.max': '99900000 100000\n' }, ALL],
  ['our own group', { self: '1:cpu:/x\n0::/a/b\n', 'cgroup/a/b/cpu.max': '100000 100000\n' }, 1],
  [
    'a group above',
    { self: '0::/a/b\n', 'cgroup/a/cpu.max': '100000 100000\n', 'cgroup/a/b/cpu.max': 'max 100000\n' },
    1,
  ],
  [
    'v1',
    { self: '4:cpu:/a\n', 'cgroup/cpu/a/cpu.cfs_quota_us': '100000', 'cgroup/cpu/a/cpu.cfs_period_us': '100000' },
    1,
  ],
  [
    'v1, no limit',
    { self: '4:cpu:/a\n', 'cgroup/cpu/a/cpu.cfs_quota_us': '-1', 'cgroup/cpu/a/cpu.cfs_period_us': '100000' },
    ALL,
  ],
  [
    'v1 in a container, both controllers in one folder',
    {
      self: '4:cpu,cpuacct:/docker/x\n',
      'cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000',
      'cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
    },
    1,
  ],
  ['nonsense', { self: 'x', 'cgroup/cpu.max': 'x y\n' }, ALL],
])('%s', (_what, files, cores) => {
  const dir = folderWith(files);
  expect(availableCores({ cgroup: path.join(dir, 'cgroup'), self: path.join(dir, 'self') })).toBe(cores);
});
