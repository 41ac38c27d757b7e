import type { Balancer, Candidate, Situation } from './balancer.js';

/** A worker is worth waiting for when it is at least so much faster: less is noise, or gains less than a mistake costs. */
const CLEARLY_FASTER = 2;

/**
 * The worker that is expected to answer first: its pace × (inputs in flight + 1). Where only a slow one has room, work rather waits for
 * a faster one that is busy, as long as the slow one would take longer than the others need for all that waits; never for longer
 * than the slow one would have needed.
 */
export class LeastResponseTime implements Balancer {
  heldUntil: number | null = null;
  #last = -1;

  constructor(private readonly situation: Situation) {}

  pick<C extends Candidate>(workers: readonly C[], takes: (worker: C) => boolean): number {
    const now = this.situation.now();
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let step = 1; step <= workers.length; step++) {
      const index = (this.#last + step) % workers.length;
      const worker = workers[index] as C;
      if (!takes(worker)) continue;
      const expected = worker.pace.at(now) * (worker.inputs + 1);
      if (expected >= least) continue;
      least = expected;
      best = index;
    }
    this.heldUntil = null;
    if (best === -1) return -1;
    this.heldUntil = this.#holdUntil(workers, workers[best] as C, takes, now);
    if (this.heldUntil !== null) return -1;
    this.#last = best;
    return best;
  }

  /** Its part of all work, queued or in flight, by its speed: then all are expected to end together. */
  share(workers: readonly Candidate[], chosen: Candidate, queued: number): number {
    const now = this.situation.now();
    let speed = 0;
    let work = queued;
    for (const worker of workers) {
      speed += 1 / worker.pace.at(now);
      work += worker.inputs;
    }
    const part = Math.round(work / (speed * chosen.pace.at(now))) - chosen.inputs;
    return Math.min(queued, Math.max(1, part));
  }

  /** Until when the slow one that has room gets nothing; null: it is the one to take. */
  #holdUntil<C extends Candidate>(
    workers: readonly C[],
    slow: C,
    takes: (worker: C) => boolean,
    now: number,
  ): number | null {
    const { cost, concurrency, queued, oldest } = this.situation;
    const one = cost.of(1);
    const perInput = cost.perInput();
    if (one === null || perInput === null) return null;
    // Slow lately and on the whole: one late answer is no reason to leave it idle.
    const pace = Math.min(slow.pace.at(now), slow.pace.mean ?? 1);
    let speed = 0;
    let inFlight = 0;
    for (const worker of workers) {
      if (worker === slow || takes(worker) || worker.pace.at(now) * CLEARLY_FASTER > pace) continue;
      speed += concurrency() / worker.pace.at(now);
      inFlight += worker.inputs;
    }
    if (speed === 0) return null;
    const ownMs = pace * one;
    const othersMs = ((queued() + inFlight) * perInput) / speed;
    const until = (oldest() ?? now) + ownMs;
    return ownMs > othersMs && until > now ? until : null;
  }
}
