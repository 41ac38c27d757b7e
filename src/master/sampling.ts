import type { App } from '../apps/app.js';
import type { Clock, Timer } from '../clock.js';
import type { Pool } from '../pool/pool.js';
import type { Sampler } from '../sensing/sampler.js';
import type { Snapshot, TreeSample } from '../sensing/snapshot.js';
import type { Worker } from '../worker/worker.js';

const DEFAULT_INTERVAL_MS = 1000;
/** In between, memory that is near a limit is looked at once more: native code can fill hundreds of MiB a second. */
const CLOSE_LOOK_SHARE = 0.5;
/** A tick this late means that this process itself stood still; nobody's silence meanwhile is held against them. */
const STALL_MS = 3000;

export interface SamplingDependencies {
  clock: Clock;
  sampler: Sampler;
  apps: () => readonly App[];
  /** Each worker's readings are up to date. */
  onSnapshot: (snapshot: Snapshot, stalled: boolean) => void;
  /** Whether all of it, and not only single workers, should be looked at between two samples. */
  boxClose: () => boolean;
  /** After such a look. */
  onUsed: (usedBytes: number, now: number) => void;
}

interface Inhabitant {
  worker: Worker;
  pool: Pool;
}

/** Once a second: what the machine and every worker's process tree use. */
export class Sampling {
  #timer: Timer;
  #intervalMs = DEFAULT_INTERVAL_MS;
  #closeLook: Timer | null = null;
  #lastAt: number;
  #latest: Snapshot | null = null;

  constructor(private readonly deps: SamplingDependencies) {
    this.#lastAt = deps.clock.now();
    this.#timer = deps.clock.setInterval(() => this.#tick(), this.#intervalMs);
  }

  set intervalMs(ms: number) {
    if (ms === this.#intervalMs) return;
    this.#intervalMs = ms;
    this.#timer.cancel();
    this.#timer = this.deps.clock.setInterval(() => this.#tick(), ms);
  }

  close(): void {
    this.#timer.cancel();
    this.#closeLook?.cancel();
    this.deps.sampler.close();
  }

  /** Memory of workers that no tick has seen yet, for who wants to show them now. */
  refresh(): void {
    const unseen = new Map(
      [...this.#workersByPid()].filter(([, here]) =>
        here.every(({ worker }) => worker.readings.memoryBytes.length === 0),
      ),
    );
    this.#look(unseen);
  }

  /** One more look at the memory of this worker, and of those that share its process. */
  lookAt(worker: Worker): void {
    this.#look(new Map([...this.#workersByPid()].filter(([pid]) => pid === worker.pid)));
  }

  /** What all of it uses right now; null before the first sample. */
  usedNow(): number | null {
    const byPid = this.#workersByPid();
    return this.#used(this.#look(byPid));
  }

  #tick(): void {
    const { clock, sampler, onSnapshot, boxClose } = this.deps;
    const now = clock.now();
    const stalled = now - this.#lastAt > STALL_MS + this.#intervalMs - DEFAULT_INTERVAL_MS;
    this.#lastAt = now;
    const byPid = this.#workersByPid();
    const snapshot = sampler.sample([...byPid.keys()]);
    this.#latest = snapshot;
    const { gpuProcesses } = snapshot.machine;
    for (const [pid, here] of byPid) record(snapshot.trees.get(pid) ?? null, gpuProcesses?.get(pid) ?? null, here);
    onSnapshot(snapshot, stalled);
    this.#closeLook?.cancel();
    const all = boxClose();
    const close = all
      ? byPid
      : new Map([...byPid].filter(([, here]) => here.some((i) => i.pool.recycling.memoryClose(i.worker))));
    if (close.size > 0)
      this.#closeLook = clock.setTimeout(() => this.#lookClosely(close, all), this.#intervalMs * CLOSE_LOOK_SHARE);
  }

  #lookClosely(close: ReadonlyMap<number, Inhabitant[]>, all: boolean): void {
    const bytes = this.#look(close);
    const now = this.deps.clock.now();
    for (const here of close.values()) for (const { worker, pool } of here) pool.checkMemory(worker, now);
    const used = all ? this.#used(bytes) : null;
    if (used !== null) this.deps.onUsed(used, now);
  }

  #look(byPid: ReadonlyMap<number, Inhabitant[]>): Map<number, number> {
    const bytes = this.deps.sampler.memory([...byPid.keys()]);
    for (const [pid, here] of byPid) {
      const living = here.filter(({ worker }) => worker.pid === pid);
      const parts = divide(bytes.get(pid) ?? null, living);
      for (const [index, { worker }] of living.entries())
        worker.readings.look(parts[index] ?? null, worker.state === 'ready');
    }
    return bytes;
  }

  /** The latest sample, moved by what has changed since. */
  #used(bytes: ReadonlyMap<number, number>): number | null {
    if (!this.#latest) return null;
    let used = this.#latest.master?.ownBytes ?? 0;
    for (const [pid, now] of bytes) {
      const tree = this.#latest.trees.get(pid);
      used += tree ? tree.ownBytes + now - tree.memoryBytes : now;
    }
    return used;
  }

  #workersByPid(): Map<number, Inhabitant[]> {
    const byPid = new Map<number, Inhabitant[]>();
    for (const app of this.deps.apps())
      for (const pool of app.pools.values()) {
        // Nobody's memory, and still of the box.
        if (pool.keptPid !== null && !byPid.has(pool.keptPid)) byPid.set(pool.keptPid, []);
        for (const worker of pool.workers) {
          if (worker.pid === null) continue;
          const sharing = byPid.get(worker.pid);
          if (sharing) sharing.push({ worker, pool });
          else byPid.set(worker.pid, [{ worker, pool }]);
        }
      }
    return byPid;
  }
}

function record(tree: TreeSample | null, gpuBytes: number | null, here: readonly Inhabitant[]): void {
  const parts = divide(tree?.memoryBytes ?? null, here);
  for (const [index, { worker }] of here.entries()) {
    worker.readings.tree = tree;
    worker.readings.gpuBytes = gpuBytes === null ? null : gpuBytes / here.length;
    worker.readings.look(parts[index] ?? null, worker.state === 'ready');
    worker.readings.cpuPercent =
      tree?.cpuPercent == null ? null : Math.round((tree.cpuPercent / here.length) * 10) / 10;
  }
}

/**
 * Threads of one host share its memory: each carries what its own isolate holds, as it tells itself, and an equal part of the
 * rest. So the one that leaks is the one that grows.
 */
function divide(bytes: number | null, here: readonly Inhabitant[]): (number | null)[] {
  if (bytes === null) return here.map(() => null);
  const own = here.map(({ worker: { readings } }) =>
    readings.vitals === null ? 0 : readings.vitals.heapTotalBytes + readings.vitals.externalBytes,
  );
  const told = own.reduce((sum, part) => sum + part, 0);
  // Heaps may be reserved and not resident: together they are not more than the process.
  const scale = told > bytes ? bytes / told : 1;
  const rest = (bytes - told * scale) / here.length;
  return own.map((part) => part * scale + rest);
}
