import { SupError } from '../errors.js';
import type { Worker } from '../worker/worker.js';

/** A wait ends once one of the workers failed to boot this often in a row. */
const BOOTS_BEFORE_GIVING_UP = 3;

/** As much of a pool as decides whether it has the size that it wants. */
export interface Sized {
  readonly name: string;
  readonly phase: 'stopped' | 'running' | 'stopping';
  readonly desired: number;
  active(): Worker[];
}

/** Those who wait for a pool to have its size ready. Whoever changes the pool calls `look`. */
export class Settling {
  readonly #waiters = new Set<() => void>();

  constructor(private readonly pool: Sized) {}

  look(): void {
    for (const look of [...this.#waiters]) look();
  }

  /** @throws SupError SUP_WORKER_BOOT_FAILED with the reason when one gave up, or SUP_CONFLICT when the pool is stopped meanwhile */
  wait(): Promise<void> {
    const wasRunning = this.pool.phase === 'running';
    return new Promise((resolve, reject) => {
      const look = () => {
        const verdict = this.#verdict(wasRunning);
        if (verdict === 'waiting') return;
        this.#waiters.delete(look);
        if (verdict === 'ready') resolve();
        else reject(verdict);
      };
      this.#waiters.add(look);
      look();
    });
  }

  #verdict(wasRunning: boolean): 'ready' | 'waiting' | SupError {
    const { name, phase, desired } = this.pool;
    const active = this.pool.active();
    if (phase !== 'running')
      return desired === 0 && !wasRunning ? 'ready' : new SupError('SUP_CONFLICT', `${name} was stopped meanwhile`);
    const bad = active.find(
      (w) => w.ended === 'failed' || w.state === 'failed' || w.failedBoots >= BOOTS_BEFORE_GIVING_UP,
    );
    if (bad)
      return new SupError('SUP_WORKER_BOOT_FAILED', bad.lastFailure ?? `${bad.id} did not start`, { worker: bad.id });
    // One that is out of the rotation for its health has booted, and comes back.
    return active.filter((w) => w.state === 'ready' || w.state === 'unhealthy' || w.ended === 'clean').length >= desired
      ? 'ready'
      : 'waiting';
  }
}
