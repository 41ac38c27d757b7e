/** How many cores the program may use: what `workers: max` stands for. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * Whole cores, at least 1. os.availableParallelism() does not know the quota of a container on Node 20, so `cpu.max` of our
 * control group and of every one above it is read too, where there are such files.
 */
export function availableCores(roots = { cgroup: '/sys/fs/cgroup', self: '/proc/self/cgroup' }): number {
  const quotas = groupsUpwards(ownGroup(roots.self)).map((group) => quotaOf(path.join(roots.cgroup, group, 'cpu.max')));
  const cores = Math.min(os.availableParallelism(), ...quotas.map((quota) => Math.ceil(quota)));
  return Math.max(1, cores);
}

/** The path of our group in the unified hierarchy, `/` where there is none. */
function ownGroup(selfFile: string): string {
  return /^0::(\/.*)$/m.exec(readOrEmpty(selfFile))?.[1] ?? '/';
}

function groupsUpwards(group: string): string[] {
  const groups = [group];
  while (groups.at(-1) !== '/') groups.push(path.posix.dirname(groups.at(-1)!));
  return groups;
}

/** `max 100000` is no limit, `150000 100000` is one and a half cores. */
function quotaOf(file: string): number {
  const [quota, period] = readOrEmpty(file).trim().split(' ').map(Number);
  return quota && period && quota > 0 && period > 0 ? quota / period : Number.POSITIVE_INFINITY;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not Linux, cgroup v1, or the root group, which has no such file: there is no quota to respect.
    return '';
  }
}
