import type { CommandAppConfig } from '../config/schema.js';
import type { Work } from '../pool/work.js';
import { commandBackend } from '../worker/backends/command.js';
import { aliveReady } from '../worker/readiness.js';
import { type AppKindParts, type KindDependencies, workerEnv } from './kind.js';

/** A program that is kept running. */
export function commandParts(initial: CommandAppConfig, deps: KindDependencies): AppKindParts {
  let config = initial;
  const work: Work = {
    mode: 'command',
    wedgeMs: null,
    speaks: false,
    get overlap() {
      return config.overlap;
    },
    get exitGraceMs() {
      return config.stop.graceMs;
    },
    admit() {},
    async drain() {},
    end: (_worker, instance) => instance.terminate(config.stop.signal),
    lost() {},
    message() {},
    busyUntil: () => null,
  };
  return {
    versions: () => [null],
    served: () => [null],
    async open() {},
    close() {},
    work: () => work,
    blueprint(next) {
      const own = next as CommandAppConfig;
      return {
        backend: commandBackend({
          config: own,
          environment: deps.environment,
          env: (worker, slot) => workerEnv(own, deps.home, worker, slot),
        }),
        readiness: aliveReady(own.ready.probe),
      };
    },
    renewed() {},
    async emptied() {},
    removed() {},
    configure(next) {
      config = next as CommandAppConfig;
    },
  };
}
