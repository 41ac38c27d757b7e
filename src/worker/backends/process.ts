import type { Backend } from '../backend.js';
import type { HostOptions } from './host.js';
import { ModelProcess } from './model-process.js';

/** One model in one child process. One process may be kept after its model is unloaded. */
export function processBackend(options: HostOptions): Backend {
  let kept: ModelProcess | null = null;

  const spawn = (launch: Parameters<Backend['launch']>[0]): ModelProcess => {
    const process: ModelProcess = new ModelProcess(
      { ...options, mayKeep: () => kept === null && options.mayKeep() },
      launch,
      {
        began() {
          kept = process;
        },
        ended() {
          if (kept === process) kept = null;
        },
      },
    );
    return process;
  };

  const release = async () => {
    const former = kept;
    kept = null;
    await former?.release();
  };

  return {
    leave() {},
    launch(launch, events) {
      const former = kept?.suits(launch) ? kept : null;
      if (!former) {
        void release();
        return spawn(launch).run(launch, events);
      }
      kept = null;
      former.renamed(launch.worker);
      return former.run(launch, events);
    },
    get keptPid() {
      return kept?.pid ?? null;
    },
    release,
  };
}
