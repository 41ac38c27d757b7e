import type { ModelAppConfig } from '../../config/schema.js';
import type { Backend } from '../backend.js';
import type { FromWorker } from '../protocol.js';
import { type ChildEnvironment, childInstance, spawnChild } from './child.js';
import { heapFlags } from './heap.js';

export interface HostOptions {
  config: ModelAppConfig;
  version: ModelAppConfig['versions'][number];
  workersDir: string;
  environment: ChildEnvironment;
  env: (worker: string, slot: number) => NodeJS.ProcessEnv;
}

/** One model in one child process. */
export function processBackend(options: HostOptions): Backend {
  return {
    leave() {},
    launch({ worker, slot }, events) {
      const child = spawnHost(
        options,
        worker,
        slot,
        'process',
        (message) => events.message(message as FromWorker),
        (exit) => events.exit(exit),
      );
      const instance = childInstance(worker, child);
      instance.send({
        type: 'load',
        worker,
        app: options.config.name,
        version: options.version.version,
        module: options.version.module,
        options: options.version.options,
      });
      return instance;
    },
  };
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
