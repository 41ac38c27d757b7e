import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

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

export type MemorySample = Pick<ProcessSample, 'rssBytes' | 'sharedBytes'>;
export type StatSample = Omit<ProcessSample, 'sharedBytes'>;

/** Null when the process is gone. */
export function readStat(pid: number, root = '/proc'): StatSample | null {
  const text = read(`${root}/${pid}/stat`);
  if (text === null) return null;
  // The command's name stands in parentheses and may itself hold spaces and parentheses (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  const sample = {
    pid,
    ppid: field(4),
    pgrp: field(5),
    startTicks: field(22),
    cpuTicks: field(14) + field(15),
    rssBytes: field(24) * PAGE_BYTES,
  };
  return Number.isFinite(sample.startTicks) && Number.isFinite(sample.cpuTicks) ? sample : null;
}

/** Null when the process is gone. */
export function readStatm(pid: number, root = '/proc'): MemorySample | null {
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

/** Longer than any line of stat or statm. Shared: reads are synchronous, and a fresh buffer a read would be most of its cost. */
const buffer = Buffer.allocUnsafe(4096);

function read(path: string): string | null {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    // Gone, or not ours to see: 'no sample'.
    return null;
  }
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    // It ended between open and read.
    return null;
  } finally {
    closeSync(fd);
  }
}
