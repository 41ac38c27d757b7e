/** What a balancer knows of a worker. */
export interface Load {
  /** Inputs in flight. */
  readonly inputs: number;
}

export type Strategy = 'least_connections' | 'round_robin';

/** Index of the next worker among those that `takes` says have room, or -1. `last` is the index of the previous answer. */
export type Balancer = <T extends Load>(workers: readonly T[], last: number, takes: (worker: T) => boolean) => number;

/** Fewest inputs in flight; ties take turns. */
const leastConnections: Balancer = (workers, last, takes) => {
  let best = -1;
  for (let step = 1; step <= workers.length; step++) {
    const index = (last + step) % workers.length;
    const worker = workers[index]!;
    if (!takes(worker)) continue;
    if (worker.inputs === 0) return index;
    if (best === -1 || worker.inputs < workers[best]!.inputs) best = index;
  }
  return best;
};

const roundRobin: Balancer = (workers, last, takes) => {
  for (let step = 1; step <= workers.length; step++) {
    const index = (last + step) % workers.length;
    if (takes(workers[index]!)) return index;
  }
  return -1;
};

export const balancers: Record<Strategy, Balancer> = { least_connections: leastConnections, round_robin: roundRobin };
