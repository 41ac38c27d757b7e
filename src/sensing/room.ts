import type { MachineSample } from './snapshot.js';

/** What can still be had, and out of how much: of the control group where that is tighter, else of the machine. */
export interface Room {
  availableBytes: number | null;
  totalBytes: number | null;
  from: 'cgroup' | 'machine' | null;
}

export function roomOf({ memory, cgroup }: Pick<MachineSample, 'memory' | 'cgroup'>): Room {
  const limitBytes = cgroup?.limitBytes ?? null;
  if (cgroup !== null && limitBytes !== null) {
    const availableBytes = Math.max(0, limitBytes - cgroup.workingSetBytes);
    if (memory === null || availableBytes < memory.availableBytes)
      return { availableBytes, totalBytes: limitBytes, from: 'cgroup' };
  }
  if (memory === null) return { availableBytes: null, totalBytes: null, from: null };
  return { availableBytes: memory.availableBytes, totalBytes: memory.totalBytes, from: 'machine' };
}
