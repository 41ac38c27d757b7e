import type { CommandAppConfig } from '../../config/schema.js';
import type { Backend, Instance } from '../backend.js';
import { type ChildEnvironment, childInstance, spawnChild } from './child.js';

export interface CommandBackendOptions {
  config: CommandAppConfig;
  environment: ChildEnvironment;
  env: (worker: string, slot: number) => NodeJS.ProcessEnv;
}

/** Any program, as it is: no channel, no socket. */
export function commandBackend({ config, environment, env }: CommandBackendOptions): Backend {
  return {
    leave() {},
    launch({ worker, slot }, events): Instance {
      const [file = '', ...args] = config.command;
      const child = spawnChild(
        {
          worker,
          file,
          args: [...args, ...config.args],
          cwd: config.cwd,
          env: env(worker, slot),
          inheritFd: null,
          ipc: null,
        },
        environment,
        null,
        (exit) => events.exit(exit),
      );
      return childInstance(worker, child);
    },
  };
}
