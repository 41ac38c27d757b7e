/**
 * How many inputs may be inside at once, queued and in flight, while there is overload. A gradient rule: the limit shrinks by the
 * ratio of the latency that is wanted to the one that is measured, and grows by a little where they agree. By Little's law it
 * settles at throughput × wanted latency, without knowing batches, workers or cores. Pure: time is an argument.
 */
import { waitTargetMs } from './shedding.js';

/** One look never halves it twice: what is measured is as old as a whole wait. */
const MIN_GRADIENT = 0.5;
const LEAST_MS = 1e-3;
/** Fewer say little about a latency. */
const MIN_SAMPLES = 4;
const MIN_WINDOW_MS = 20;
/** How much it grows, in roots of itself. It is also how far it lies above what is wanted: by 8 % at 10, by 2 % at 200. */
const SLACK = 0.25;
/** Of the long-term averages, for each sample. */
const WEIGHT = 0.05;
/** How fast the fastest answer of late is forgotten. */
const FASTEST_WEIGHT = 0.01;

export class ConcurrencyLimit {
  #limit = Number.POSITIVE_INFINITY;
  /** Logarithm of the typical answer's ms: a mean would follow the few that take very long. */
  #service: number | null = null;
  #fastestMs: number | null = null;
  #timeoutMs: number | null = null;
  #window = { since: 0, samples: 0, sumMs: 0 };

  /** At least 1. */
  get value(): number {
    return this.#limit;
  }

  /** What an answer typically takes where nothing waits; 0 while nothing is known. */
  get serviceMs(): number {
    return this.#service === null ? 0 : Math.exp(this.#service);
  }

  /** About the least that an answer took lately; 0 while nothing is known. */
  get fastestMs(): number {
    return this.#fastestMs ?? 0;
  }

  /** Of all that is done, waiting included, in time for what usually comes; null while nothing is known. */
  get wantedMs(): number | null {
    return this.#timeoutMs === null ? null : this.serviceMs + waitTargetMs(this.#timeoutMs, this.serviceMs);
  }

  /** From now on it counts. `admitted`: inputs that are inside; `waitedMs`: how long one of them has waited. */
  start(admitted: number, waitedMs: number, now: number): void {
    this.#limit = Math.max(1, admitted * this.#gradient(this.serviceMs + waitedMs));
    this.#window = { since: now, samples: 0, sumMs: 0 };
  }

  /** A batch came back. `latencyMs`: from submit to answer, of one of its inputs. `admitted`: inputs that are inside. */
  sample(seen: { latencyMs: number; computeMs: number; timeoutMs: number }, admitted: number, now: number): void {
    const { latencyMs, computeMs, timeoutMs } = seen;
    this.#service = towards(this.#service, Math.log(Math.max(computeMs, LEAST_MS)), WEIGHT);
    this.#timeoutMs = towards(this.#timeoutMs, timeoutMs, WEIGHT);
    this.#fastestMs =
      this.#fastestMs === null || computeMs < this.#fastestMs
        ? computeMs
        : towards(this.#fastestMs, computeMs, FASTEST_WEIGHT);
    if (this.#limit === Number.POSITIVE_INFINITY) return;
    const window = this.#window;
    window.samples++;
    window.sumMs += latencyMs;
    const shortMs = window.sumMs / window.samples;
    // What is measured now came in one latency ago: sooner, the same excess would be paid for twice.
    if (window.samples < MIN_SAMPLES || now - window.since < Math.max(MIN_WINDOW_MS, shortMs)) return;
    this.#adjust(shortMs, admitted);
    this.#window = { since: now, samples: 0, sumMs: 0 };
  }

  stop(): void {
    this.#limit = Number.POSITIVE_INFINITY;
  }

  #adjust(shortMs: number, admitted: number): void {
    const gradient = this.#gradient(shortMs);
    // A limit that nobody reaches is not proved right by short waits: it does not grow.
    const slack = gradient < 1 || 2 * admitted >= this.#limit ? SLACK * Math.sqrt(this.#limit) : 0;
    this.#limit = Math.max(1, this.#limit * gradient + slack);
  }

  #gradient(latencyMs: number): number {
    const { wantedMs } = this;
    return wantedMs === null ? 1 : Math.max(MIN_GRADIENT, wantedMs / Math.max(latencyMs, wantedMs));
  }
}

function towards(average: number | null, value: number, weight: number): number {
  return average === null ? value : average + weight * (value - average);
}
