import { readFileSync } from 'node:fs';
import { listPids, readStat } from '../sensing/procfs.js';
import { signalGroup } from '../worker/kill.js';

/**
 * Kills workers that a former master left behind. They are known by their environment, which names this state folder and the worker:
 * that also finds those that left their process group, and needs no list on disk that could be torn or out of date.
 * Only the owner of the folder's lock may call this. Returns the pids.
 */
export function killLeftovers(homeDir: string): number[] {
  const own = ancestors(process.pid);
  const killed: number[] = [];
  for (const pid of listPids()) {
    if (own.has(pid)) continue;
    const environment = environmentOf(pid);
    if (!environment?.includes(`\0SUPERVISOR_HOME=${homeDir}\0`) || !environment.includes('\0SUPERVISOR_WORKER='))
      continue;
    const stat = readStat(pid);
    if (stat && stat.pgrp === pid) signalGroup(pid, 'SIGKILL');
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone with its group, or by itself.
    }
    killed.push(pid);
  }
  return killed;
}

/** A master that was started from within a worker must not kill its own line. */
function ancestors(pid: number): Set<number> {
  const line = new Set<number>();
  for (let at: number | undefined = pid; at !== undefined && at > 1 && !line.has(at); at = readStat(at)?.ppid)
    line.add(at);
  return line;
}

function environmentOf(pid: number): string | null {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'utf8')}`;
  } catch {
    // Gone, or another user's.
    return null;
  }
}
