import type { App } from '../apps/app.js';
import type { Clock } from '../clock.js';
import { readProportional } from '../sensing/procfs.js';
import type { Worker } from '../worker/worker.js';
import { cleanable, cleanUp } from './cleanups.js';
import type { GarbageReport } from './unloading-status.js';

export interface GarbageDependencies {
  clock: Clock;
  apps: () => readonly App[];
}

/** Collects the garbage of all workers that can be asked for it, and measures what that brought. */
export class Garbage {
  #collecting: Promise<GarbageReport> | null = null;

  constructor(private readonly deps: GarbageDependencies) {}

  /** Within 5 s for each worker that a core has to itself. A second call joins the first. */
  collect(): Promise<GarbageReport> {
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = null;
    });
    return this.#collecting;
  }

  async #collect(): Promise<GarbageReport> {
    const workers = cleanable(this.deps.apps());
    const before = footprints(workers);
    const cleanups = await cleanUp(workers, 'collect');
    const after = footprints(workers);
    // What ended meanwhile gave its memory back too, but not as garbage.
    const measured = [...before.keys()].filter((pid) => after.has(pid));
    const sum = (bytes: ReadonlyMap<number, number>) =>
      measured.length === 0 && workers.length > 0
        ? null
        : measured.reduce((total, pid) => total + (bytes.get(pid) as number), 0);
    return {
      beforeBytes: sum(before),
      afterBytes: sum(after),
      workers: workers.length,
      unanswered: cleanups.filter(({ answer }) => answer === null).length,
      at: this.deps.clock.wall(),
    };
  }
}

/** Proportional set size by pid, of which threads of one host share theirs. What could not be read is left out. */
function footprints(workers: readonly Worker[]): Map<number, number> {
  const bytes = new Map<number, number>();
  for (const { pid } of workers) {
    if (pid === null || bytes.has(pid)) continue;
    const memory = readProportional(pid);
    if (memory) bytes.set(pid, memory.pssBytes);
  }
  return bytes;
}
