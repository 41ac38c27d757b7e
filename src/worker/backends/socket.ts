import type { HttpAppConfig } from '../../config/schema.js';
import type { Backend, Instance } from '../backend.js';
import { BACKLOG, type ListenSocket } from '../listen-socket.js';
import { type FromWorker, HEARTBEAT_MS } from '../protocol.js';
import { type ChildEnvironment, childInstance, spawnChild } from './child.js';
import { heapFlags } from './heap.js';

export interface SocketBackendOptions {
  config: HttpAppConfig;
  socket: () => ListenSocket;
  /** Folder of the compiled worker programs. */
  workersDir: string;
  environment: ChildEnvironment;
  env: (worker: string, slot: number) => NodeJS.ProcessEnv;
}

/** http apps: every worker inherits the pool's one listening socket as fd 3 (mode `cluster`). */
export function socketBackend(options: SocketBackendOptions): Backend {
  const { config } = options;
  return {
    leave() {},
    launch({ worker, slot }, events): Instance {
      const env = options.env(worker, slot);
      env.PORT = String(config.port);
      const { file, args } = commandLine(options, env);
      const foreign = 'command' in config.runs;
      const child = spawnChild(
        { worker, file, args, cwd: config.cwd, env, inheritFd: options.socket().fd, ipc: foreign ? null : 'json' },
        options.environment,
        (message) => {
          const known = asKnown(message);
          if (known) events.message(known);
        },
        (exit) => events.exit(exit),
      );
      return childInstance(worker, child);
    },
  };
}

function commandLine(options: SocketBackendOptions, env: NodeJS.ProcessEnv): { file: string; args: string[] } {
  const { config } = options;
  if ('command' in config.runs) {
    env.LISTEN_FDS = '1';
    // LISTEN_PID must be the program's own pid, which only exists after the fork: a shell sets it and becomes the program.
    return { file: '/bin/sh', args: ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...config.runs.command, ...config.args] };
  }
  env.HOST ??= config.host;
  env.SUPERVISOR_SOCKET = JSON.stringify({
    fd: 3,
    port: config.port,
    backlog: BACKLOG,
    userHeader: config.recycle.userKey?.header ?? null,
    maxRequests: config.recycle.maxRequests,
    maxUsers: config.recycle.maxUsers,
    heartbeatMs: HEARTBEAT_MS,
  });
  const program =
    'script' in config.runs ? [config.runs.script] : [`${options.workersDir}/handler.js`, config.runs.handler];
  return {
    file: process.execPath,
    args: [
      '--require',
      `${options.workersDir}/http-preload.cjs`,
      ...heapFlags(config.limits.heapBytes),
      ...config.nodeArgs,
      ...program,
      ...config.args,
    ],
  };
}

/** User programs may use the channel too; all that we take from them is PM2's `process.send('ready')`. */
function asKnown(message: unknown): FromWorker | null {
  if (message === 'ready') return { type: 'listening', address: 'unknown', port: null, mapped: true };
  if (typeof message !== 'object' || message === null) return null;
  const { type } = message as { type?: unknown };
  const known = ['hello', 'heartbeat', 'stats', 'cleaned', 'listening', 'drained'];
  return typeof type === 'string' && known.includes(type) ? (message as FromWorker) : null;
}
