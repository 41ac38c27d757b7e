import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import type { HeapPoint } from '../policy/leak.js';

type Collection = PerformanceEntry & { detail?: { kind?: number } };

/** What this isolate's heap holds, and what of it lived after the last full collection. Tells garbage from a leak. */
export class LiveHeap {
  #observer: PerformanceObserver | null = null;
  #liveBytes: number | null = null;

  start(): void {
    if (this.#observer) return;
    this.#observer = new PerformanceObserver((list) => {
      const collections: Collection[] = list.getEntries();
      const full = collections.some(({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
      // Told a moment after the collection: what was allocated in between is small beside a heap.
      if (full) this.#liveBytes = used(process.memoryUsage());
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    this.#observer?.disconnect();
    this.#observer = null;
  }

  point(): HeapPoint {
    const memory = process.memoryUsage();
    return { usedBytes: used(memory), heldBytes: memory.heapTotal + memory.external, liveBytes: this.#liveBytes };
  }
}

function used({ heapUsed, external }: NodeJS.MemoryUsage): number {
  return heapUsed + external;
}
