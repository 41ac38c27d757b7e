import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Job } from './job.js';
import type { Outcome } from './run.js';

const THREAD = fileURLToPath(new URL('./thread.js', import.meta.url));

/** Runs races on all cores, each in a thread of its own. */
export class Crew {
  readonly #idle: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  readonly #all: Worker[] = [];

  constructor(size = availableParallelism()) {
    for (let i = 0; i < size; i++) this.#all.push(new Worker(THREAD));
    this.#idle.push(...this.#all);
  }

  async run(job: Job): Promise<Outcome[]> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((resolve) => this.#waiting.push(resolve)));
    try {
      worker.postMessage(job);
      const [outcomes] = await once(worker, 'message');
      return outcomes as Outcome[];
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
