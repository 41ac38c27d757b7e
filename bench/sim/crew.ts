import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Runs jobs on all cores, each in a thread of its own. */
export class Crew<Job, Result> {
  readonly #idle: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  readonly #all: Worker[] = [];

  /** @param thread program that answers each message, a job, with one, its result */
  constructor(thread: URL, size = availableParallelism()) {
    for (let i = 0; i < size; i++) this.#all.push(new Worker(thread));
    this.#idle.push(...this.#all);
  }

  async run(job: Job): Promise<Result> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((resolve) => this.#waiting.push(resolve)));
    try {
      worker.postMessage(job);
      const [result] = await once(worker, 'message');
      return result as Result;
    } finally {
      const next = this.#waiting.shift();
      if (next) next(worker);
      else this.#idle.push(worker);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }
}
