import type { Balancer, Candidate } from './balancer.js';

/** Fewest inputs in flight; ties take turns. */
export class LeastConnections implements Balancer {
  #last = -1;

  pick<C extends Candidate>(workers: readonly C[], takes: (worker: C) => boolean): number {
    let best = -1;
    for (let step = 1; step <= workers.length; step++) {
      const index = (this.#last + step) % workers.length;
      const worker = workers[index] as C;
      if (!takes(worker)) continue;
      if (best === -1 || worker.inputs < (workers[best] as C).inputs) best = index;
      if (worker.inputs === 0) break;
    }
    if (best !== -1) this.#last = best;
    return best;
  }
}
