import type { Job } from './job.js';

/** Settled jobs that are kept before it is worth looking for them. */
const SLACK = 64;

/**
 * A heap of the running deadlines. Jobs that settled stay in it until they reach its top or are the greater part of it, so that
 * the common case, a job that is answered in time, costs one append and no removal.
 */
export class Deadlines {
  #heap: Job[] = [];
  #live = 0;

  /** Its deadline may not change while it is here. */
  add(job: Job): void {
    job.timed = true;
    this.#live++;
    const heap = this.#heap;
    let at = heap.length;
    heap.push(job);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Job).deadline <= job.deadline) break;
      heap[at] = heap[parent] as Job;
      at = parent;
    }
    heap[at] = job;
  }

  /** The job needs its deadline no more. */
  settled(job: Job): void {
    if (!job.timed) return;
    job.timed = false;
    this.#live--;
    if (this.#heap.length > 2 * this.#live + SLACK) this.#rebuild();
  }

  /** These get other deadlines; from now on they are here, whether they were before or not. */
  change(jobs: Iterable<Job>, change: (job: Job) => void): void {
    const changed = new Set(jobs);
    if (changed.size === 0) return;
    for (const job of changed) {
      change(job);
      job.timed = true;
    }
    const others = this.#heap.filter((job) => job.timed && !changed.has(job));
    // Sorted is a heap too, and equal timeouts make it nearly sorted already.
    this.#heap = [...others, ...changed].sort((a, b) => a.deadline - b.deadline);
    this.#live = this.#heap.length;
  }

  earliest(): number | null {
    this.#skipSettled();
    return this.#heap[0]?.deadline ?? null;
  }

  /** The next job whose deadline has passed. */
  takeExpired(now: number): Job | null {
    this.#skipSettled();
    const job = this.#heap[0];
    if (!job || job.deadline > now) return null;
    this.#removeTop();
    job.timed = false;
    this.#live--;
    return job;
  }

  #skipSettled(): void {
    while (this.#heap.length > 0 && !(this.#heap[0] as Job).timed) this.#removeTop();
  }

  #rebuild(): void {
    this.#heap = this.#heap.filter((job) => job.timed).sort((a, b) => a.deadline - b.deadline);
    this.#live = this.#heap.length;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Job;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Job).deadline < (heap[child] as Job).deadline) child++;
      if ((heap[child] as Job).deadline >= last.deadline) break;
      heap[at] = heap[child] as Job;
      at = child;
    }
    heap[at] = last;
  }
}
