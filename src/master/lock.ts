import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import net from 'node:net';
import writeFileAtomic from 'write-file-atomic';
import { SupError } from '../errors.js';
import { readStat } from '../sensing/procfs.js';
import { isAlive } from '../worker/kill.js';
import { bootId, type Home } from './home.js';

/** `master.pid`: for people and scripts. The lock itself is a socket that the kernel takes back with its owner. */
interface PidFile {
  pid: number;
  start_ticks: number | null;
  boot_id: string | null;
}

export interface Lock {
  release(): void;
}

/**
 * Makes this process the one master of a state folder: an abstract unix socket, named after the folder, can be bound once, and
 * goes with its process. There is nothing stale to remove, so there is no race about who removes it.
 * @throws SupError SUP_MASTER_RUNNING
 */
export async function takeLock(home: Home): Promise<Lock> {
  const name = createHash('sha256').update(realpathSync(home.dir)).digest('hex').slice(0, 40);
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      const pid = runningMaster(home);
      reject(
        new SupError('SUP_MASTER_RUNNING', `a master${pid ? ` (pid ${pid})` : ''} runs in ${home.dir} already`, {
          pid,
        }),
      );
    });
    server.listen(`\0model-supervisor:${name}`, resolve);
  });
  server.unref();
  const pidFile: PidFile = {
    pid: process.pid,
    start_ticks: readStat(process.pid)?.startTicks ?? null,
    boot_id: bootId(),
  };
  writeFileAtomic.sync(home.pidFile, `${JSON.stringify(pidFile)}\n`, { mode: 0o600 });
  return { release: () => server.close() };
}

/** Pid of the live master that wrote master.pid; null when it is gone, another process has its pid by now, or the file is torn. */
export function runningMaster(home: Home): number | null {
  try {
    const { pid, start_ticks, boot_id } = JSON.parse(readFileSync(home.pidFile, 'utf8')) as PidFile;
    if (boot_id !== bootId() || !isAlive(pid)) return null;
    return readStat(pid)?.startTicks === start_ticks ? pid : null;
  } catch {
    // No file, or half of one: nobody that we know of.
    return null;
  }
}
