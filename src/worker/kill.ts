/** Signals to whole process groups: every child is spawned detached, so its pid names its group. */
import { existsSync, readFileSync } from 'node:fs';

/** Sends a signal to the group. False when nothing of it is left. */
export function signalGroup(pgid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pgid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    // EPERM: the members changed their uid; there is nothing more that this user may do.
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return true;
    throw error;
  }
}

/** Whether it runs. One that has ended counts as gone, also while its parent (the first process of a container, say) has not collected it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // Gone since then; or there is no /proc here, and the answer above is all that can be known.
    return !existsSync('/proc/self/stat');
  }
}
