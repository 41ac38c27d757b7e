import type { App } from '../apps/app.js';
import { availableCores } from '../config/cores.js';
import type { Pool } from '../pool/pool.js';
import type { CleanedMessage, CleanupRequest } from '../worker/protocol.js';
import type { Worker } from '../worker/worker.js';

export interface Cleanup {
  worker: Worker;
  /** Null: no answer in time, or it is gone. */
  answer: CleanedMessage | null;
}

/** Why a cleanup can't be asked of it; null: it can. */
export function whyNotCleanable(pool: Pool, worker: Worker): string | null {
  if (!pool.work.speaks) return 'not a Node program that the supervisor can ask';
  if (worker.state !== 'ready' && worker.state !== 'unhealthy') return `it is ${worker.state}`;
  return worker.condemned ? 'it is being killed' : null;
}

/** All that can be asked. */
export function cleanable(apps: readonly App[]): Worker[] {
  return apps
    .flatMap((app) => [...app.pools.values()])
    .flatMap((pool) => pool.workers.filter((worker) => whyNotCleanable(pool, worker) === null));
}

/**
 * Asks all of them to give memory back, as many at once as there are cores: a collection takes one for a moment, and what serves
 * beside it should not wait. In an emergency all at once.
 */
export function cleanUpAll(apps: readonly App[], level: CleanupRequest): Promise<Cleanup[]> {
  return cleanUp(cleanable(apps), level);
}

export async function cleanUp(workers: readonly Worker[], level: CleanupRequest): Promise<Cleanup[]> {
  const queue = [...workers];
  const cleanups: Cleanup[] = [];
  const lane = async () => {
    for (let worker = queue.shift(); worker; worker = queue.shift())
      cleanups.push({ worker, answer: await worker.cleaning.ask(level) });
  };
  await Promise.all(Array.from({ length: level === 'emergency' ? queue.length : availableCores() }, lane));
  return cleanups;
}
