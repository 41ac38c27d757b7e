import { Cost } from '../../../src/pool/balancers/cost.js';
import { Pace } from '../../../src/pool/balancers/pace.js';
import { strategies } from '../../../src/pool/balancers/strategies.js';

export interface FakeWorker {
  inputs: number;
  place: number;
  pace: Pace;
  free: boolean;
}

export const takes = (worker: { free: boolean }) => worker.free;

/** @param relative its measured pace; null: cold */
export function fakeWorker(place: number, relative: number | null = null, inputs = 0, free = true): FakeWorker {
  const pace = new Pace();
  if (relative !== null) pace.observe(relative, 0);
  return { inputs, place, pace, free };
}

/** A balancer in a situation that the test moves. */
export class Scene {
  now = 0;
  waiting = 1;
  oldestAt: number | null = null;
  concurrency = 1;
  readonly cost = new Cost();

  constructor(oneMs = 10) {
    this.cost.observe(1, oneMs);
  }

  balancer(name: keyof typeof strategies) {
    return strategies[name]({
      now: () => this.now,
      queued: () => this.waiting,
      oldest: () => this.oldestAt,
      concurrency: () => this.concurrency,
      cost: this.cost,
    });
  }
}

/** How often each of them is chosen in so many picks. */
export function tally(picks: number, pick: () => number): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < picks; i++) {
    const index = pick();
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  return counts;
}
