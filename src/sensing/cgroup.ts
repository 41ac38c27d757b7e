/**
 * Control groups, v1, v2 and both at once. Ours is the one that /proc/self/cgroup names; in a container that path may not exist
 * below what is mounted, and then the mounted root itself is ours. Limits act from every group above too.
 */
import { statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { CgroupSample } from './snapshot.js';
import { count, countOf, numberAt, readIfThere } from './text-files.js';

export interface CgroupRoots {
  /** Where the hierarchies are mounted. */
  cgroup: string;
  /** /proc/self/cgroup */
  self: string;
}

export const SYSTEM_CGROUP: CgroupRoots = { cgroup: '/sys/fs/cgroup', self: '/proc/self/cgroup' };

/** Our group in the hierarchy that has one controller. */
interface Membership {
  version: 1 | 2;
  /** Folders: ours first, then each one above, the mounted root last. */
  groups: readonly string[];
}

/** Where to look, by controller. A process is hardly ever moved, so this need not be found out each time. */
export interface Cgroups {
  memory: Membership;
  cpu: Membership;
  cpuacct: Membership;
  /** v2, alone or beside v1. */
  unified: Membership;
}

export function findCgroups({ cgroup, self }: CgroupRoots = SYSTEM_CGROUP): Cgroups {
  const ours = memberships(self);
  const beside = path.join(cgroup, 'unified');
  const unified: Membership = {
    version: 2,
    groups: groupsUpwards(
      isFolder(beside) ? beside : cgroup,
      ours.find(({ controllers }) => controllers === '')?.group ?? '/',
    ),
  };
  /** v1 where the controller is mounted so, else the unified hierarchy. */
  const of = (controller: string): Membership => {
    for (const { controllers, group } of ours) {
      if (!controllers.split(',').includes(controller)) continue;
      const mounted = [controller, controllers].map((name) => path.join(cgroup, name)).find(isFolder);
      if (mounted !== undefined) return { version: 1, groups: groupsUpwards(mounted, group) };
    }
    return unified;
  };
  return { memory: of('memory'), cpu: of('cpu'), cpuacct: of('cpuacct'), unified };
}

/**
 * Of all groups with a limit, ours and those above, the one with the least room left; without a limit, ours. Null where memory is
 * not accounted by group.
 * @param machineBytes a limit of at least this is none
 * @throws Error where a file holds no number
 */
export function readCgroupMemory(
  cgroups: Cgroups = findCgroups(),
  machineBytes: number = os.totalmem(),
): CgroupSample | null {
  const { version, groups } = cgroups.memory;
  let nearest: CgroupSample | null = null;
  let tightest: { sample: CgroupSample; roomBytes: number } | null = null;
  for (const group of groups) {
    const limitBytes = memoryLimit(version, group, machineBytes);
    // Those above matter by their limit alone.
    if (limitBytes === null && nearest !== null) continue;
    const sample = memorySample(version, group, limitBytes);
    if (sample === null) continue;
    nearest ??= sample;
    const roomBytes = limitBytes === null ? Number.POSITIVE_INFINITY : limitBytes - sample.workingSetBytes;
    if (limitBytes !== null && (tightest === null || roomBytes < tightest.roomBytes)) tightest = { sample, roomBytes };
  }
  return tightest?.sample ?? nearest;
}

export interface CpuQuota {
  /** May be a fraction. */
  cores: number;
  /** CPU time that the group has used since it was made; null where it is not accounted. */
  usedMs: number | null;
  /** Which group it is: figures of two groups can't be compared. */
  group: string;
}

/**
 * The strictest quota of our group and of those above. Null: none.
 * @param machineCores a quota of at least this is none
 * @throws Error where a file holds no number
 */
export function readCpuQuota(
  cgroups: Cgroups = findCgroups(),
  machineCores: number = os.cpus().length,
): CpuQuota | null {
  const { cpu, cpuacct } = cgroups;
  let strictest: { cores: number; group: string } | null = null;
  for (const group of cpu.groups) {
    const cores = quotaCores(cpu.version, group);
    if (cores === null || cores >= machineCores) continue;
    if (strictest === null || cores < strictest.cores) strictest = { cores, group };
  }
  return strictest && { ...strictest, usedMs: usedMs(cpu, cpuacct, strictest.group) };
}

/** The file of pressure stall information that is about our group alone. */
export function ownPressureFile(name: 'memory' | 'cpu' | 'io', { unified }: Cgroups = findCgroups()): string {
  return path.join(unified.groups[0] as string, `${name}.pressure`);
}

function memoryLimit(version: 1 | 2, group: string, machineBytes: number): number | null {
  const file = path.join(group, version === 2 ? 'memory.max' : 'memory.limit_in_bytes');
  const text = readIfThere(file)?.trim();
  // The root of v2 has no such file.
  if (text === undefined || text === 'max') return null;
  // v1 says 'no limit' by a number that is too large to count with.
  if (/^\d{16,}$/.test(text)) return null;
  const bytes = countOf(file, text);
  return bytes < machineBytes ? bytes : null;
}

function memorySample(version: 1 | 2, group: string, limitBytes: number | null): CgroupSample | null {
  const usageFile = path.join(group, version === 2 ? 'memory.current' : 'memory.usage_in_bytes');
  const usage = readIfThere(usageFile);
  const stat = readIfThere(path.join(group, 'memory.stat'));
  if (usage === null || stat === null) return null;
  const usageBytes = countOf(usageFile, usage);
  const inactiveFileBytes = numberAt(version === 2 ? 'inactive_file ' : 'total_inactive_file ', stat);
  return { version, workingSetBytes: Math.max(0, usageBytes - inactiveFileBytes), usageBytes, limitBytes };
}

/** `max 100000` and -1 are no quota, `150000 100000` is one and a half cores. */
function quotaCores(version: 1 | 2, group: string): number | null {
  if (version === 2) {
    const file = path.join(group, 'cpu.max');
    const text = readIfThere(file);
    if (text === null) return null;
    const [quota, period] = text.trim().split(' ');
    return quota === 'max' ? null : cores(file, quota, period);
  }
  const file = path.join(group, 'cpu.cfs_quota_us');
  const quota = readIfThere(file)?.trim();
  if (quota === undefined || quota === '-1') return null;
  return cores(file, quota, readIfThere(path.join(group, 'cpu.cfs_period_us'))?.trim());
}

function cores(file: string, quotaText: string | undefined, periodText: string | undefined): number {
  const [quota, period] = [countOf(file, quotaText), countOf(file, periodText)];
  if (quota === 0 || period === 0) throw new Error(`${file} holds no quota: ${quota} ${period}`);
  return quota / period;
}

function usedMs(cpu: Membership, cpuacct: Membership, group: string): number | null {
  if (cpu.version === 2) {
    const stat = readIfThere(path.join(group, 'cpu.stat'));
    return stat === null ? null : numberAt('usage_usec ', stat) / 1000;
  }
  // Another controller, often mounted together with `cpu`: the group of the same name.
  const above = path.relative(cpu.groups[0] as string, group);
  const nanoseconds = count(readIfThere(path.join(cpuacct.groups[0] as string, above, 'cpuacct.usage'))?.trim());
  return nanoseconds === null ? null : nanoseconds / 1e6;
}

/** Lines such as `4:memory:/user.slice` and, for the unified hierarchy, `0::/user.slice`. */
function memberships(selfFile: string): { controllers: string; group: string }[] {
  const lines = (readIfThere(selfFile) ?? '').split('\n').map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  return lines.flatMap((match) => (match ? [{ controllers: match[1] as string, group: match[2] as string }] : []));
}

function groupsUpwards(mounted: string, group: string): string[] {
  // `/..` at the start: seen from inside a namespace, our group lies outside of what is mounted.
  const inside = !group.split('/').includes('..') && isFolder(path.join(mounted, group));
  const groups = [inside ? path.posix.normalize(group) : '/'];
  while (groups.at(-1) !== '/') groups.push(path.posix.dirname(groups.at(-1) as string));
  return groups.map((name) => path.join(mounted, name));
}

function isFolder(dir: string): boolean {
  return statSync(dir, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
