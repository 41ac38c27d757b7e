import type { Balancer, Candidate } from './balancer.js';

/** One after the other, whatever they have in flight. */
export class RoundRobin implements Balancer {
  #last = -1;

  pick<C extends Candidate>(workers: readonly C[], takes: (worker: C) => boolean): number {
    for (let step = 1; step <= workers.length; step++) {
      const index = (this.#last + step) % workers.length;
      if (!takes(workers[index] as C)) continue;
      this.#last = index;
      return index;
    }
    return -1;
  }
}
