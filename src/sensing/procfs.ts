import { readdirSync, statfsSync, statSync } from 'node:fs';
import { count, readText } from './text-files.js';

/** One process, from /proc/<pid>/stat. */
export interface ProcessStat {
  pid: number;
  ppid: number;
  pgrp: number;
  /** Clock ticks since boot; with the pid it names a process for good. */
  startTicks: number;
  cpuTicks: number;
  threads: number;
  vmsBytes: number;
  rssBytes: number;
}

/** From /proc/<pid>/statm. */
export interface ResidentMemory {
  rssBytes: number;
  /** Of rssBytes, pages that other processes may share: mapped files and shared memory. */
  sharedBytes: number;
}

/** From /proc/<pid>/smaps_rollup. */
export interface ProportionalMemory {
  /** Each page divided by the number of processes that have it. */
  pssBytes: number;
  /** Pages that no other process has. */
  ussBytes: number;
}

/** USER_HZ and the page size are fixed on the platforms that Node supports (x86-64; arm64 kernels with 4 KiB pages). */
const PAGE_BYTES = 4096;
export const TICKS_PER_SECOND = 100;

/** Null when the process is gone. */
export function readStat(pid: number, root = '/proc'): ProcessStat | null {
  const text = read(`${root}/${pid}/stat`);
  return text === null ? null : parseStat(pid, text);
}

/** Null where it is no such text. */
export function parseStat(pid: number, text: string): ProcessStat | null {
  // The command's name stands in parentheses and may itself hold spaces and parentheses (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', 24 - 2);
  const field = (number: number) => count(fields[number - 3]);
  const [ppid, pgrp, userTicks, systemTicks, threads] = [field(4), field(5), field(14), field(15), field(20)];
  const [startTicks, vmsBytes, residentBytes] = [field(22), field(23), bytesOf(fields[24 - 3])];
  if (ppid === null || pgrp === null || userTicks === null || systemTicks === null || threads === null) return null;
  if (startTicks === null || vmsBytes === null || residentBytes === null) return null;
  return { pid, ppid, pgrp, startTicks, cpuTicks: userTicks + systemTicks, threads, vmsBytes, rssBytes: residentBytes };
}

/** Null when the process is gone. */
export function readStatm(pid: number, root = '/proc'): ResidentMemory | null {
  const [, resident, shared] = read(`${root}/${pid}/statm`)?.split(' ') ?? [];
  const [rssBytes, sharedBytes] = [bytesOf(resident), bytesOf(shared)];
  return rssBytes === null || sharedBytes === null || sharedBytes > rssBytes ? null : { rssBytes, sharedBytes };
}

/** Walks all mappings: 0.3 to 0.8 ms for a Node process. Null when the process is gone, or somebody else's. */
export function readProportional(pid: number, root = '/proc'): ProportionalMemory | null {
  const text = read(`${root}/${pid}/smaps_rollup`);
  if (text === null) return null;
  const bytes = (key: string) => {
    const kib = count(new RegExp(`^${key}: +(\\d+) kB$`, 'm').exec(text)?.[1]);
    return kib === null ? null : kib * 1024;
  };
  const [pssBytes, clean, dirty] = [bytes('Pss'), bytes('Private_Clean'), bytes('Private_Dirty')];
  return pssBytes === null || clean === null || dirty === null ? null : { pssBytes, ussBytes: clean + dirty };
}

/**
 * How to count the open files of a process. Null when the process is gone, or somebody else's. Since Linux 6.2 the folder's size is
 * the answer: of 10,000 files in 0.01 ms instead of the 11 ms that it takes to list them.
 */
export function openFilesCounter(root = '/proc'): (pid: number) => number | null {
  const folderSize = (pid: number | 'self') => statSync(`${root}/${pid}/fd`).size;
  const listed = (pid: number) => readdirSync(`${root}/${pid}/fd`).length;
  const count = isProcfs(root) && orNull(() => folderSize('self') > 0) ? folderSize : listed;
  return (pid) => orNull(() => count(pid));
}

export function listPids(root = '/proc'): number[] {
  const pids: number[] = [];
  for (const name of readdirSync(root)) {
    const pid = Number(name);
    if (pid > 0) pids.push(pid);
  }
  return pids;
}

const PROC_SUPER_MAGIC = 0x9fa0;

export function isProcfs(root: string): boolean {
  return orNull(() => statfsSync(root).type === PROC_SUPER_MAGIC) ?? false;
}

function orNull<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}

function bytesOf(pages: string | undefined): number | null {
  const number = count(pages);
  return number === null ? null : number * PAGE_BYTES;
}

/** Null where it is gone, or not ours to see: it may also end between open and read. */
function read(file: string): string | null {
  return orNull(() => readText(file));
}
