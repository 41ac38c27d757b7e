import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { SupError } from '../errors.js';

/** What `net._createServerHandle` returns; undocumented, and used in this file alone. */
interface TcpHandle {
  readonly fd: number;
  getsockname(out: object): number;
  close(): void;
}

type CreateServerHandle = (host: string, port: number, family: 4 | 6, fd: number, flags: number) => TcpHandle | number;

const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;

/** Pending connections that the kernel keeps while every worker is busy or being replaced. */
export const BACKLOG = 1024;
const ACTIVATION_DEADLINE_MS = 10_000;

/**
 * A listening TCP socket that this process owns but never accepts from: the workers of an http app inherit its descriptor and
 * share its one accept queue, so that a worker that closes its copy loses nothing that is queued.
 */
export class ListenSocket {
  readonly #handle: TcpHandle;
  private constructor(
    handle: TcpHandle,
    readonly host: string,
    readonly port: number,
  ) {
    this.#handle = handle;
  }

  get fd(): number {
    return this.#handle.fd;
  }

  /** @throws SupError SUP_PORT_IN_USE (data: host, port), or SUP_ACT_FAILED where the address cannot be bound for another reason. */
  static async open(host: string, port: number): Promise<ListenSocket> {
    const handle = createServerHandle(host, port, host.includes(':') ? 6 : 4, -1, 0);
    // libuv keeps EADDRINUSE of bind(2) back until the first use of the handle.
    const errno = typeof handle === 'number' ? handle : handle.getsockname({});
    if (typeof handle === 'number' || errno !== 0) {
      if (typeof handle !== 'number') handle.close();
      throw bindError(host, port, getSystemErrorName(errno));
    }
    try {
      await activate(handle.fd);
    } catch (error) {
      handle.close();
      if ((error as Error).message.includes('EADDRINUSE')) throw bindError(host, port, 'EADDRINUSE');
      throw error;
    }
    return new ListenSocket(handle, host, port);
  }

  close(): void {
    this.#handle.close();
  }
}

/**
 * Calls listen(2) on the bound socket from a process that ends in the same tick. Node can't listen without accepting, so the
 * master itself would steal connections; but a socket that is only bound can be taken by another program.
 */
async function activate(fd: number): Promise<void> {
  const program = `require('net').createServer().on('error',e=>{console.error(e.code);process.exit(1)}).listen({fd:3,backlog:${BACKLOG}});process.nextTick(()=>process.nextTick(()=>process.exit(0)))`;
  const child = spawn(process.execPath, ['-e', program], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    env: { PATH: process.env.PATH },
    timeout: ACTIVATION_DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new SupError('SUP_ACT_FAILED', `listen failed: ${stderr.trim() || signal || code}`);
}

function bindError(host: string, port: number, name: string): SupError {
  if (name === 'EADDRINUSE')
    return new SupError('SUP_PORT_IN_USE', `port ${port} on ${host} is in use`, { host, port });
  const hint =
    name === 'EACCES' ? ': ports below 1024 need privileges' : name === 'EADDRNOTAVAIL' ? ': no such address here' : '';
  return new SupError('SUP_ACT_FAILED', `cannot listen on ${host}:${port}: ${name}${hint}`, { host, port });
}
