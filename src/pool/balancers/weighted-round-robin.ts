import type { Balancer, Candidate, Situation } from './balancer.js';

/** However slow, a worker keeps this part of a normal one's turns: how else would it show that it has recovered? */
const LEAST_WEIGHT = 0.1;
const MOST_WEIGHT = 10;

/**
 * Turns in proportion to measured speed; a worker that was not measured yet counts as an average one. Smooth, as nginx does it:
 * every worker earns its weight each time, the richest is chosen and pays for all, so that turns of a fast worker are spread out.
 */
export class WeightedRoundRobin implements Balancer {
  readonly #credits = new WeakMap<Candidate, number>();

  constructor(private readonly situation: Pick<Situation, 'now'>) {}

  pick<C extends Candidate>(workers: readonly C[], takes: (worker: C) => boolean): number {
    const now = this.situation.now();
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (let index = 0; index < workers.length; index++) {
      const worker = workers[index] as C;
      if (!takes(worker)) continue;
      const weight = Math.min(MOST_WEIGHT, Math.max(LEAST_WEIGHT, 1 / worker.pace.at(now)));
      const credit = (this.#credits.get(worker) ?? 0) + weight;
      this.#credits.set(worker, credit);
      total += weight;
      if (credit > most) {
        most = credit;
        best = index;
      }
    }
    if (best !== -1) this.#credits.set(workers[best] as C, most - total);
    return best;
  }
}
