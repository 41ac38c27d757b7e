import { describe, expect, it } from 'vitest';
import { roomOf } from '../../src/sensing/room.js';

const memory = (availableBytes: number) => ({ totalBytes: 800, availableBytes, swapTotalBytes: 0, swapFreeBytes: 0 });
const cgroup = (workingSetBytes: number, limitBytes: number | null) => ({
  version: 2 as const,
  workingSetBytes,
  usageBytes: workingSetBytes + 10,
  limitBytes,
});

describe('roomOf', () => {
  it.each([
    ['the machine alone', memory(300), null, { availableBytes: 300, totalBytes: 800, from: 'machine' }],
    [
      'a group without a limit',
      memory(300),
      cgroup(50, null),
      { availableBytes: 300, totalBytes: 800, from: 'machine' },
    ],
    ['a tighter group', memory(300), cgroup(50, 100), { availableBytes: 50, totalBytes: 100, from: 'cgroup' }],
    ['a wider group', memory(300), cgroup(50, 700), { availableBytes: 300, totalBytes: 800, from: 'machine' }],
    ['a group over its limit', memory(300), cgroup(120, 100), { availableBytes: 0, totalBytes: 100, from: 'cgroup' }],
    ['the group alone', null, cgroup(50, 100), { availableBytes: 50, totalBytes: 100, from: 'cgroup' }],
    ['nothing', null, null, { availableBytes: null, totalBytes: null, from: null }],
    ['a group without a limit alone', null, cgroup(50, null), { availableBytes: null, totalBytes: null, from: null }],
  ] as const)('knows %s', (_, machine, group, room) => {
    expect(roomOf({ memory: machine, cgroup: group })).toEqual(room);
  });
});
