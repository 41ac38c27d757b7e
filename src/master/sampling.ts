import type { App } from '../apps/app.js';
import type { Clock, Timer } from '../clock.js';
import type { Pool } from '../pool/pool.js';
import { ProcessTrees } from '../sensing/process-trees.js';
import type { Worker } from '../worker/worker.js';

const INTERVAL_MS = 1000;
/** In between, workers whose memory is near its limit are looked at once more. */
const CLOSE_LOOK_MS = 500;
/** A tick this late means that this process itself stood still; nobody's silence meanwhile is held against them. */
const STALL_MS = 3000;
const KEPT_SAMPLES = 4;

/** Once a second: memory and CPU of every worker's process tree, then each pool's policies on what was seen. */
export class Sampling {
  readonly #trees = new ProcessTrees();
  readonly #timer: Timer;
  #closeLook: Timer | null = null;
  #lastAt: number;

  constructor(
    private readonly clock: Clock,
    private readonly apps: () => readonly App[],
  ) {
    this.#lastAt = clock.now();
    this.#timer = clock.setInterval(() => this.#tick(), INTERVAL_MS);
  }

  close(): void {
    this.#timer.cancel();
    this.#closeLook?.cancel();
  }

  /** Memory of workers that no tick has seen yet, for who wants to show them now. */
  refresh(): void {
    const unseen = [...this.#workersByPid()].filter(([, workers]) =>
      workers.every(({ worker }) => worker.memoryBytes.length === 0),
    );
    const bytes = this.#trees.memory(unseen.map(([pid]) => pid));
    for (const [pid, workers] of unseen)
      for (const { worker } of workers) this.#record(worker, share(bytes.get(pid), workers));
  }

  #tick(): void {
    const now = this.clock.now();
    const stalled = now - this.#lastAt > STALL_MS;
    this.#lastAt = now;
    const byPid = this.#workersByPid();
    const samples = this.#trees.sample([...byPid.keys()], now);
    for (const [pid, workers] of byPid) {
      const sample = samples.get(pid);
      for (const { worker } of workers) {
        this.#record(worker, share(sample?.memoryBytes, workers));
        worker.cpuPercent =
          sample?.cpuPercent == null ? null : Math.round((sample.cpuPercent / workers.length) * 10) / 10;
      }
    }
    for (const app of this.apps()) app.tick(now, stalled);
    this.#closeLook?.cancel();
    const close = [...byPid].filter(([, workers]) =>
      workers.some(({ worker, pool }) => pool.recycling.memoryClose(worker)),
    );
    if (close.length > 0) this.#closeLook = this.clock.setTimeout(() => this.#lookClosely(close), CLOSE_LOOK_MS);
  }

  #lookClosely(close: [number, { worker: Worker; pool: Pool }[]][]): void {
    const bytes = this.#trees.memory(close.map(([pid]) => pid));
    for (const [pid, workers] of close)
      for (const { worker, pool } of workers) {
        if (worker.pid !== pid) continue;
        this.#record(worker, share(bytes.get(pid), workers));
        pool.recycling.check(worker, this.clock.now());
      }
  }

  #record(worker: Worker, bytes: number | null): void {
    const rounded = bytes === null ? null : Math.round(bytes);
    worker.memoryBytes = [...worker.memoryBytes.slice(1 - KEPT_SAMPLES), rounded];
    if (worker.state === 'ready') worker.bornWithBytes ??= rounded;
  }

  #workersByPid(): Map<number, { worker: Worker; pool: Pool }[]> {
    const byPid = new Map<number, { worker: Worker; pool: Pool }[]>();
    for (const app of this.apps())
      for (const pool of app.pools.values())
        for (const worker of pool.workers) {
          if (worker.pid === null) continue;
          const sharing = byPid.get(worker.pid);
          if (sharing) sharing.push({ worker, pool });
          else byPid.set(worker.pid, [{ worker, pool }]);
        }
    return byPid;
  }
}

/** Threads of one host share its memory; each carries its part. */
function share(bytes: number | undefined, workers: readonly unknown[]): number | null {
  return bytes === undefined ? null : bytes / workers.length;
}
