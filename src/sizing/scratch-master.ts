import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SupError } from '../errors.js';
import { homePaths } from '../master/home.js';
import { createMaster, type Master } from '../master/master.js';
import type { ActReport } from '../master/supervisor.js';

/** A master of its own in a temporary state folder, for as long as `use` runs; whatever happens, nothing of it is left. */
export async function withScratchMaster<T>(
  signal: AbortSignal,
  use: (master: Master, dir: string) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'supervisor-bench-'));
  try {
    // Without the environment's overrides: they are in the configuration, and may name apps that are not.
    const env = { SUPERVISOR_HOME: path.join(dir, 'home') };
    const master = await createMaster({ home: homePaths(env), env, echo: null });
    try {
      return await unlessAborted(use(master, dir), signal);
    } finally {
      const ended = master.shutdown('the benchmark is over');
      if (signal.aborted) master.hurry('the benchmark was broken off');
      await ended;
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The file of a configuration that may hold secrets. */
export async function writeConfig(dir: string, text: string): Promise<string> {
  const file = path.join(dir, 'supervisor.yaml');
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

/** @throws SupError SUP_ACT_FAILED with what the first app that did not come out well printed last */
export function checkReport(report: ActReport): void {
  const error = report.results.find((result) => !result.ok)?.error;
  if (!error) return;
  const tail = error.log_tail.map((line) => `\n    | ${line}`).join('');
  throw new SupError('SUP_ACT_FAILED', `${error.message}${tail}`);
}

/** Acts of a master have no way to be called off; its end ends them. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
