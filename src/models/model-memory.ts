import { ProcessMemory } from '../sensing/process-memory.js';
import type { Worker } from '../worker/worker.js';
import type { Model } from './model.js';

/** The processes that a model has at one moment: what they take then, and what is left of that later on. In bytes. */
export class ModelMemory {
  /** Null where it may not be read. */
  readonly before: number | null;
  /** Once a thread has ended it is not to be told from a process. */
  readonly #workers: readonly { worker: Worker; isThread: boolean }[];
  readonly #processes: readonly ProcessMemory[];

  constructor({ pool }: Model) {
    this.#workers = pool.workers.map((worker) => ({ worker, isThread: worker.thread !== null }));
    const byPid = new Map(pool.workers.flatMap((worker) => (worker.pid === null ? [] : [[worker.pid, worker]])));
    this.#processes = [...byPid.keys()].map((pid) => new ProcessMemory(pid));
    this.before = sumOf(
      [...byPid.values()].map(({ readings: { tree } }, index) => {
        const own = this.#processes[index]?.read() ?? null;
        // Its children go with it; what they take is known since the latest sample.
        return tree !== null && tree.processes > 1 ? Math.max(own ?? 0, tree.ownBytes) : own;
      }),
    );
  }

  now(): number | null {
    return sumOf(this.#processes.map((process) => process.read()));
  }

  /** Why ending them counts as failed; null: they ended as they should. */
  failure(): string | null {
    for (const {
      worker: { id, exitCode, unloaded },
      isThread,
    } of this.#workers) {
      const [error] = unloaded?.errors ?? [];
      if (error !== undefined) return `${id}: ${error}`;
      if (exitCode === null) return `${id} had to be killed`;
      // A host of threads is always ours, and tells how each of them went.
      if (isThread && unloaded === null) return `${id} was ended before its unload was over`;
    }
    return null;
  }
}

function sumOf(sizes: readonly (number | null)[]): number | null {
  return sizes.reduce<number | null>((sum, size) => (sum === null || size === null ? null : sum + size), 0);
}
