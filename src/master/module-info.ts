import { workerEnv } from '../apps/kind.js';
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
  home: string;
  workersDir: string;
  groups: GroupRegistry;
}

/**
 * What a model's module declares, read by a short-lived child as a worker would be started, without loading the model: the master
 * imports no user code.
 * @throws SupError SUP_LOAD_FAILED with the reason
 */
export async function readModuleInfo(
  config: ModelAppConfig,
  version: string,
  { home, workersDir, groups }: ReaderDependencies,
): Promise<ModelInfo> {
  const name = `${config.name}@${version}`;
  const module = config.versions.find((each) => each.version === version)?.module as string;
  const message = await new Promise<InfoMessage>((resolve) => {
    const failed = (why: string) => resolve({ ok: false, message: why });
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
      { groups, output: { attach: (_worker, _stream, readable) => readable.resume() } },
      (answer) => {
        resolve(answer as InfoMessage);
        if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      },
      ({ code, signal, message: why }) => {
        clearTimeout(timer);
        failed(why ?? `its import ended with ${signal ?? `code ${code}`}`);
      },
    );
    const timer = setTimeout(() => {
      failed(`its import takes longer than ${TIMEOUT_MS / 1000} s`);
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    }, TIMEOUT_MS);
  });
  if (message.ok) return message.info;
  throw new SupError('SUP_LOAD_FAILED', `${name} cannot be read: ${message.message}`, { model: config.name, version });
}
