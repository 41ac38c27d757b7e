import { readdirSync } from 'node:fs';
import os from 'node:os';

/** Weight about a tenth of a normal process's (sched(7)): enough to boot on what the serving workers leave over. */
const BOOTING_NICE = 10;

/**
 * A replacement boots beside workers that serve, and on a small box it takes the CPU from them: requests wait. So it boots at a low
 * priority where that can be undone: only root may raise a priority again, for everybody else this does nothing.
 */
export function bootQuietly(pid: number | null): void {
  if (pid === null || process.getuid?.() !== 0) return;
  setNice([pid], BOOTING_NICE);
}

/** Every thread has a priority of its own, and those that started meanwhile inherited the low one. */
export function serveNormally(pid: number | null): void {
  if (pid === null || process.getuid?.() !== 0) return;
  try {
    setNice(readdirSync(`/proc/${pid}/task`).map(Number), os.getPriority());
  } catch {
    // It is gone.
  }
}

function setNice(threads: readonly number[], nice: number): void {
  for (const thread of threads) {
    try {
      os.setPriority(thread, nice);
    } catch {
      // It ended meanwhile, or a container forbids it: then all have one priority, as before.
    }
  }
}
