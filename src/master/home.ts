import { chmodSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { SupError } from '../errors.js';

/** Where a master keeps its files; one master lives in it at a time. */
export interface Home {
  dir: string;
  socket: string;
  token: string;
  logs: string;
  adhoc: string;
  pidFile: string;
}

/** A unix socket's path may be this long on Linux (sun_path, with its final zero). */
const MAX_SOCKET_PATH_BYTES = 107;

export function homePaths(env: NodeJS.ProcessEnv): Home {
  const dir = resolve(env.SUPERVISOR_HOME || join(os.homedir(), '.supervisor'));
  return {
    dir,
    socket: join(dir, 'supervisor.sock'),
    token: join(dir, 'token'),
    logs: join(dir, 'logs'),
    adhoc: join(dir, 'adhoc'),
    pidFile: join(dir, 'master.pid'),
  };
}

/** Makes the folder and keeps others out of it. @throws SupError SUP_MASTER_START_FAILED */
export function prepareHome(home: Home): void {
  if (Buffer.byteLength(home.socket) > MAX_SOCKET_PATH_BYTES)
    throw new SupError(
      'SUP_MASTER_START_FAILED',
      `the state folder's path is too long for a unix socket (${home.socket}); set SUPERVISOR_HOME to a shorter one`,
    );
  try {
    for (const dir of [home.dir, home.logs, home.adhoc]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(home.dir);
    if (uid === process.getuid?.() && (mode & 0o077) !== 0) chmodSync(home.dir, 0o700);
  } catch (error) {
    throw new SupError(
      'SUP_MASTER_START_FAILED',
      `cannot use the state folder ${home.dir}: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  }
}

/** Changes at every boot of the machine: a pid and a start time mean nothing across boots. */
export function bootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Not Linux.
    return null;
  }
}
