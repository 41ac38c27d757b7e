import type { Cost } from './cost.js';
import type { Pace } from './pace.js';

/** What a balancer knows of a worker. */
export interface Candidate {
  /** Inputs in flight. */
  readonly inputs: number;
  /** 0-based place in its pool; a replacement takes over its predecessor's. */
  readonly place: number;
  readonly pace: Pace;
}

/** What a balancer knows of the pool and its queue. */
export interface Situation {
  /** Monotonic ms. */
  now(): number;
  /** Batches that one worker runs at once. */
  concurrency(): number;
  /** Inputs that wait, and since when the oldest of them; null: none waits. */
  queued(): number;
  oldest(): number | null;
  readonly cost: Cost;
}

/** Chooses workers. It has a memory of its own (whose turn it is), and no clock, chance or I/O. */
export interface Balancer {
  /** Index of the worker for the next batch among those that `takes` says have room; -1: none, or better none now. */
  pick<C extends Candidate>(workers: readonly C[], takes: (worker: C) => boolean): number;
  /** When what it held back in its latest answer goes to whoever has room, monotonic ms; null: it held nothing back. */
  readonly heldUntil?: number | null;
  /** How many of the queued inputs the chosen worker takes; without it, workers take equal parts. */
  share?(workers: readonly Candidate[], chosen: Candidate, queued: number): number;
}
