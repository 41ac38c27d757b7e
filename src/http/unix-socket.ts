/** Listening on a unix socket that only its owner can open, from the first instant on. */
import { chmodSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { SupError } from '../errors.js';
import { listening } from './listen.js';

/** sun_path holds 108 bytes with its closing zero; a longer path would be cut or refused without saying why. */
const MAX_PATH_BYTES = 107;
const PROBE_MS = 1000;

/**
 * A socket file that nobody answers at is left from a dead master and is replaced.
 * @throws SupError SUP_MASTER_RUNNING where somebody answers, SUP_MASTER_START_FAILED where the path is too long
 */
export async function listenUnix(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new SupError(
      'SUP_MASTER_START_FAILED',
      `the socket path ${path} is longer than ${MAX_PATH_BYTES} bytes; set SUPERVISOR_HOME to a shorter folder`,
    );
  try {
    await listenPrivately(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    if (await answers(path)) throw new SupError('SUP_MASTER_RUNNING', `another process listens on ${path}`, { path });
    rmSync(path, { force: true });
    await listenPrivately(server, path);
  }
}

/**
 * The socket is bound within the call of listen(), in this very turn, so the umask is back before anything else of ours runs.
 * 077 and not 177: a folder that a thread of libuv makes at the same instant must stay usable.
 */
function listenPrivately(server: Server, path: string): Promise<void> {
  const before = process.umask(0o077);
  try {
    const done = listening(server, { path });
    if (server.listening) chmodSync(path, 0o600);
    return done;
  } finally {
    process.umask(before);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const finish = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(PROBE_MS, () => finish(true)); // connected to something that is too busy to accept
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
