import type { SupError } from '../errors.js';
import type { Alarm } from './alarm.js';
import type { Deadlines } from './deadlines.js';
import type { Availability } from './dispatcher-contract.js';
import { deadlinePassed, notLoaded } from './failures.js';
import type { Item, Job } from './job.js';

export interface TimingDependencies {
  alarm: Alarm;
  deadlines: Deadlines;
  model: () => string;
  /** Nobody waits for the rest of this job any more. */
  expired: (job: Job, error: (item: Item) => SupError) => void;
}

/** A hundred thousand that expire at once must not hold up everybody else. */
const EXPIRED_PER_TURN = 1000;

/** The time of jobs: it runs, stands still while the model loads, and ends. */
export class Timing {
  constructor(private readonly deps: TimingDependencies) {}

  begin(job: Job, availability: Availability, now: number): void {
    if (availability.kind === 'loading') job.freeze(now, availability.limitMs);
    this.#watch(job);
  }

  /** The time of these runs, or stands still while the model loads. */
  change(jobs: readonly Job[], availability: Availability, now: number): void {
    const { deadlines } = this.deps;
    if (availability.kind === 'loading')
      deadlines.change(
        jobs.filter((job) => !job.isFrozen),
        (job) => job.freeze(now, availability.limitMs),
      );
    else
      deadlines.change(
        jobs.filter((job) => job.isFrozen),
        (job) => job.thaw(now),
      );
    this.#setAlarm();
  }

  /** It stands still no longer. */
  run(job: Job, now: number): void {
    if (!job.isFrozen) return;
    this.deps.deadlines.change([job], () => job.thaw(now));
    this.deps.alarm.set(job.deadline);
  }

  /** What is over by now ends; of very many, the rest in a moment. */
  expire(now: number): void {
    const { deadlines } = this.deps;
    for (let ended = 0; ended < EXPIRED_PER_TURN; ended++) {
      const job = deadlines.takeExpired(now);
      if (!job) break;
      if (job.extend(now)) this.#watch(job);
      else this.#end(job, now);
    }
    this.#setAlarm();
  }

  #end(job: Job, now: number): void {
    const { expired, model } = this.deps;
    const { isFrozen } = job;
    expired(job, (item) => (isFrozen ? notLoaded(model(), now - job.submittedAt) : deadlinePassed(model(), item)));
  }

  #watch(job: Job): void {
    this.deps.deadlines.add(job);
    this.deps.alarm.set(job.deadline);
  }

  #setAlarm(): void {
    const next = this.deps.deadlines.earliest();
    if (next !== null) this.deps.alarm.set(next);
  }
}
