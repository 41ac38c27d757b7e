import { workerEnv } from '../apps/kind.js';
import type { Clock } from '../clock.js';
import type { ModelAppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import { type GroupRegistry, spawnChild } from '../worker/backends/child.js';
import { heapFlags } from '../worker/backends/heap.js';
import { signalGroup } from '../worker/kill.js';
import type { ModelInfo } from '../worker/protocol.js';

/** What the child answers. */
export type InfoMessage = { ok: true; info: ModelInfo } | { ok: false; message: string };

const TIMEOUT_MS = 10_000;

export interface ReaderDependencies {
  clock: Clock;
  home: string;
  workersDir: string;
  groups: GroupRegistry;
}

/**
 * What a model's module declares, read by a short-lived child as a worker would be started, without loading the model: the master
 * imports no user code.
 * @param signal nobody needs it any more
 * @throws SupError SUP_LOAD_FAILED with the reason
 */
export async function readModuleInfo(
  config: ModelAppConfig,
  version: string,
  { clock, home, workersDir, groups }: ReaderDependencies,
  signal: AbortSignal,
): Promise<ModelInfo> {
  const name = `${config.name}@${version}`;
  const module = config.versions.find((each) => each.version === version)?.module as string;
  const message = await new Promise<InfoMessage>((resolve) => {
    const failed = (why: string) => resolve({ ok: false, message: why });
    const end = () => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    };
    const child = spawnChild(
      {
        worker: name,
        file: process.execPath,
        args: [
          ...heapFlags(config.limits.heapBytes),
          ...config.nodeArgs,
          `${workersDir}/model-describe.js`,
          module,
          ...config.args,
        ],
        cwd: config.cwd,
        env: workerEnv(config, home, name, 0),
        inheritFd: null,
        ipc: 'advanced',
      },
      // What it prints while it is imported is in the log of each worker.
      { groups, output: { attach: (_worker, _stream, readable) => readable.resume(), detach() {} } },
      (answer) => {
        resolve(answer as InfoMessage);
        end();
      },
      (exit) => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        failed(exit.message ?? `its import ended with ${exit.signal ?? `code ${exit.code}`}`);
      },
    );
    const timer = clock.setTimeout(() => {
      failed(`its import takes longer than ${TIMEOUT_MS / 1000} s`);
      end();
    }, TIMEOUT_MS);
    signal.addEventListener('abort', end);
  });
  if (message.ok) return message.info;
  throw new SupError('SUP_LOAD_FAILED', `${name} cannot be read: ${message.message}`, { model: config.name, version });
}
