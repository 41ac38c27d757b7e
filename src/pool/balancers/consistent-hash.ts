import { LeastConnections } from './least-connections.js';

/** No worker gets more than this times the mean of all: what is over goes to the next that its key prefers. */
export const LOAD_BOUND = 1.25;

/** What has no key goes where least is in flight; what has one is spread by `spreadByKey`. */
export class ConsistentHash extends LeastConnections {}

/** A key as a number: 32 bits, the same in every process. FNV-1a over UTF-16 units, then mixed. */
export function hashKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/**
 * The worker that a key prefers among those that fit: each place draws a number for the key, and the highest wins (rendezvous
 * hashing). A place that comes or goes moves only the keys that it wins; a replacement in the same place keeps them.
 * @returns its index, or -1 where none fits
 */
export function preferred<C extends { readonly place: number }>(
  key: number,
  workers: readonly C[],
  fits: (index: number) => boolean,
): number {
  let best = -1;
  let highest = -1;
  for (let index = 0; index < workers.length; index++) {
    if (!fits(index)) continue;
    const drawn = mix(key ^ Math.imul((workers[index] as C).place + 1, 0x9e3779b1));
    // While a worker is being replaced there are two in its place for a moment: the fresh one, which came last, is the one to stay.
    if (drawn < highest) continue;
    highest = drawn;
    best = index;
  }
  return best;
}

/**
 * Inputs to workers by key, with bounded load. What is meant for a worker without room waits for it; since no worker has more than
 * its bound waiting, whatever their keys, the others get work from the same queue.
 * @param items in their order; `keyHash` null: no key
 * @param takes whether a worker has room for a batch now
 * @returns for each worker, what it gets now
 */
export function spreadByKey<I extends { readonly keyHash: number | null }>(
  items: readonly I[],
  workers: readonly { readonly place: number; readonly inputs: number }[],
  takes: (index: number) => boolean,
  maxSize: number,
): I[][] {
  const batches: I[][] = workers.map(() => []);
  const loads = workers.map(({ inputs }) => inputs);
  const open = workers.map((_, index) => takes(index));
  const total = loads.reduce((sum, load) => sum + load, items.length);
  const bound = Math.ceil((LOAD_BOUND * total) / Math.max(1, workers.length));
  const withinBound = (index: number) => (loads[index] as number) < bound;
  for (const item of items) {
    const index = item.keyHash === null ? leastLoaded(loads, open) : preferred(item.keyHash, workers, withinBound);
    if (index === -1) continue;
    loads[index] = (loads[index] as number) + 1;
    if (open[index]) batches[index]!.push(item);
    if (batches[index]!.length >= maxSize) open[index] = false;
  }
  return batches;
}

function leastLoaded(loads: readonly number[], open: readonly boolean[]): number {
  let best = -1;
  for (let index = 0; index < loads.length; index++)
    if (open[index] && (best === -1 || (loads[index] as number) < (loads[best] as number))) best = index;
  return best;
}

/** Spreads a small difference over all 32 bits (the finaliser of MurmurHash3). */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
