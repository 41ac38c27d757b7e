/** Opening and closing of a listening socket, with errors that name the port and its present owner. */
import type { Server } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import { messageOf, SupError } from '../errors.js';
import { portOwner } from './port-owner.js';

export interface ListeningServer {
  /** `http://127.0.0.1:9700`, or the path of a unix socket. */
  readonly address: string;
  /** Bounded; a second call returns the first one's promise. */
  close(): Promise<void>;
}

/** Resolves when the server accepts; rejects with the plain error of the system. */
export function listening(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      server.off('listening', onListening);
      reject(error);
    };
    const onListening = (): void => {
      server.off('error', onError);
      resolve();
    };
    server.once('error', onError);
    server.once('listening', onListening);
    server.listen(options);
  });
}

/**
 * @param what names the listener in errors: `control`, `inference`
 * @returns the URL that it answers at
 * @throws SupError SUP_PORT_IN_USE with `data.owner`, SUP_CONFIG_INVALID where the address can't be had at all
 */
export async function listenTcp(server: Server, what: string, host: string, port: number): Promise<string> {
  try {
    await listening(server, { host, port });
  } catch (error) {
    throw listenError(error, what, host, port);
  }
  const address = server.address() as AddressInfo;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

function listenError(error: unknown, what: string, host: string, port: number): SupError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    const owner = portOwner(port);
    const by = owner ? ` by ${owner.command} (pid ${owner.pid})` : '';
    return new SupError(
      'SUP_PORT_IN_USE',
      `${what}: port ${port} on ${host} is in use${by}`,
      { host, port, owner },
      { cause: error },
    );
  }
  const reason = code === 'EACCES' ? 'permission denied (ports below 1024 need a privilege)' : `${messageOf(error)}`;
  const problem = `${what}: cannot listen on ${host}:${port}: ${reason}`;
  return new SupError('SUP_CONFIG_INVALID', problem, { problems: [problem] }, { cause: error });
}
