import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

// Set by the process that runs the suite, inherited by those that run its files: two runs at once leave each other alone.
process.env.SUPERVISOR_TEST_RUN ??= String(process.pid);

/** Every state folder of this run lies under this prefix, so what a test leaves running can be told from anything else. */
export const HOME_PREFIX = path.join(os.tmpdir(), `msv-${process.env.SUPERVISOR_TEST_RUN}-`);

/** Processes whose environment names a state folder of the tests. */
function survivors(): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`SUPERVISOR_HOME=${HOME_PREFIX}`)) return [];
        if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return [];
        return [{ pid, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
      } catch {
        // Gone, or another user's.
        return [];
      }
    });
}

/** Runs around the whole suite: when it ends, no process that any test started may live. */
export default function setup(): () => Promise<void> {
  const before = new Set(survivors().map(({ pid }) => pid));
  return async () => {
    const deadline = Date.now() + 5000;
    let left = survivors().filter(({ pid }) => !before.has(pid));
    while (left.length > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      left = survivors().filter(({ pid }) => !before.has(pid));
    }
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    if (left.length > 0)
      throw new Error(
        `the tests left processes behind:\n${left.map(({ pid, command }) => `${pid} ${command}`).join('\n')}`,
      );
  };
}
