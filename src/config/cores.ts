/** How many cores the program may use: what `workers: max` stands for. */
import os from 'node:os';
import { type CgroupRoots, findCgroups, readCpuQuota, SYSTEM_CGROUP } from '../sensing/cgroup.js';

/**
 * Whole cores, at least 1. os.availableParallelism() does not know the quota of a container on Node 20, so that of our control group
 * and of every one above it is read too, where there is one.
 */
export function availableCores(roots: CgroupRoots = SYSTEM_CGROUP): number {
  const all = os.availableParallelism();
  return Math.max(1, Math.min(all, Math.ceil(quotaOf(roots) ?? all)));
}

function quotaOf(roots: CgroupRoots): number | null {
  try {
    return readCpuQuota(findCgroups(roots))?.cores ?? null;
  } catch {
    // Files that hold no number: as good as no quota; the sampler says so.
    return null;
  }
}
