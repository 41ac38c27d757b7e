/** Who listens on a TCP port, for error messages. Linux only; elsewhere, and for processes of other users, the answer is null. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface PortOwner {
  pid: number;
  command: string;
}

const LISTEN_STATE = '0A';
const MAX_COMMAND_CHARS = 100;

/** @param procRoot for tests */
export function portOwner(port: number, procRoot = '/proc'): PortOwner | null {
  const inodes = listeningInodes(port, procRoot);
  if (inodes.size === 0) return null;
  for (const pid of entries(procRoot)) {
    if (!/^\d+$/.test(pid)) continue;
    const fdDir = join(procRoot, pid, 'fd');
    for (const fd of entries(fdDir)) {
      const link = read(() => readlinkSync(join(fdDir, fd)));
      if (link !== null && inodes.has(link)) return { pid: Number(pid), command: commandOf(join(procRoot, pid)) };
    }
  }
  return null;
}

/** As they are spelt in links of `/proc/<pid>/fd`. */
function listeningInodes(port: number, procRoot: string): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = new Set<string>();
  for (const table of ['tcp', 'tcp6']) {
    const text = read(() => readFileSync(join(procRoot, 'net', table), 'utf8')) ?? '';
    for (const line of text.split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[3] === LISTEN_STATE && columns[1]?.endsWith(suffix)) inodes.add(`socket:[${columns[9]}]`);
    }
  }
  return inodes;
}

function commandOf(processDir: string): string {
  const words =
    read(() => readFileSync(join(processDir, 'cmdline'), 'utf8'))
      ?.split('\0')
      .filter(Boolean) ?? [];
  const command =
    words.length > 0 ? words.join(' ') : (read(() => readFileSync(join(processDir, 'comm'), 'utf8')) ?? '');
  const clean = command.replace(/[^\x20-\x7e]/g, ' ').trim();
  return clean.length > MAX_COMMAND_CHARS ? `${clean.slice(0, MAX_COMMAND_CHARS)}…` : clean || 'unknown';
}

function entries(dir: string): string[] {
  return read(() => readdirSync(dir)) ?? [];
}

/** Processes come and go, and other users' are closed to us: what can't be read is not there. */
function read<T>(get: () => T): T | null {
  try {
    return get();
  } catch {
    return null;
  }
}
