import { readdirSync, readFileSync } from 'node:fs';

/** One process, from /proc/<pid>/stat and statm. */
export interface ProcessSample {
  pid: number;
  ppid: number;
  pgrp: number;
  /** Clock ticks since boot; with the pid it names a process for good. */
  startTicks: number;
  cpuTicks: number;
  rssBytes: number;
  /** Of rssBytes, pages that other processes may share: mapped files and shared memory. */
  sharedBytes: number;
}

/** USER_HZ and the page size are fixed on the platforms that Node supports (x86-64; arm64 kernels with 4 KiB pages). */
const PAGE_BYTES = 4096;
export const TICKS_PER_SECOND = 100;

/** Null when the process is gone. */
export function readStat(
  pid: number,
  root = '/proc',
): Pick<ProcessSample, 'pid' | 'ppid' | 'pgrp' | 'startTicks' | 'cpuTicks'> | null {
  const text = read(`${root}/${pid}/stat`);
  if (text === null) return null;
  // The command's name stands in parentheses and may itself hold spaces and parentheses (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  const sample = { pid, ppid: field(4), pgrp: field(5), startTicks: field(22), cpuTicks: field(14) + field(15) };
  return Number.isFinite(sample.startTicks) && Number.isFinite(sample.cpuTicks) ? sample : null;
}

/** Null when the process is gone. */
export function readStatm(pid: number, root = '/proc'): Pick<ProcessSample, 'rssBytes' | 'sharedBytes'> | null {
  const text = read(`${root}/${pid}/statm`);
  if (text === null) return null;
  const [, resident, shared] = text.split(' ').map(Number);
  if (!Number.isFinite(resident) || !Number.isFinite(shared)) return null;
  return { rssBytes: (resident as number) * PAGE_BYTES, sharedBytes: (shared as number) * PAGE_BYTES };
}

export function listPids(root = '/proc'): number[] {
  const pids: number[] = [];
  for (const name of readdirSync(root)) {
    const pid = Number(name);
    if (pid > 0) pids.push(pid);
  }
  return pids;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone between two reads, or not ours to see: both are 'no sample'.
    return null;
  }
}
