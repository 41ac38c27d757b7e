import type { ModelAppConfig } from '../../config/schema.js';
import { type ChildEnvironment, spawnChild } from './child.js';
import { heapFlags } from './heap.js';
import type { ThreadHosts } from './thread.js';

export interface HostOptions {
  config: ModelAppConfig;
  version: ModelAppConfig['versions'][number];
  workersDir: string;
  environment: ChildEnvironment;
  env: (worker: string, slot: number) => NodeJS.ProcessEnv;
  /** Those that models share. */
  hosts: ThreadHosts;
  /** Whether its processes may be kept after their model is unloaded, and so are measured before it is loaded. Read at each use. */
  keepsProcess: () => boolean;
  /** Whether one may be kept right now. */
  mayKeep: () => boolean;
}

/** The child that runs workers/model-host: for one model, or as the host of a pool's threads. */
export function spawnHost(
  options: HostOptions,
  name: string,
  slot: number,
  isolation: 'process' | 'thread',
  onMessage: (message: unknown) => void,
  onExit: Parameters<typeof spawnChild>[3],
) {
  const { config } = options;
  const env = options.env(name, slot);
  // glibc gives every thread an arena of its own, and freed memory stays in them.
  env.MALLOC_ARENA_MAX ??= '2';
  // Each thread gets a limit of its own instead.
  const heap = isolation === 'process' ? heapFlags(config.limits.heapBytes) : [];
  return spawnChild(
    {
      worker: name,
      file: process.execPath,
      args: [...heap, ...config.nodeArgs, `${options.workersDir}/model-host.js`, isolation, ...config.args],
      cwd: config.cwd,
      env,
      inheritFd: null,
      ipc: 'advanced',
    },
    options.environment,
    onMessage,
    onExit,
  );
}
