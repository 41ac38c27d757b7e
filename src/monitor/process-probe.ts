import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';

const PEAK_EVERY_MS = 50;
const KIB = 1024;

/** What the process did from a start to an end. */
export interface Usage {
  durationMs: number;
  memoryBeforeBytes: number | null;
  memoryPeakBytes: number | null;
  memoryAfterBytes: number | null;
  cpuMs: number;
  gcCount: number;
  gcMs: number;
}

interface Watch {
  /** On the time line of performance.now(), which collections are stamped with too. */
  readonly startedMs: number;
  endedMs: number;
  peakBytes: number | null;
  gcCount: number;
  gcMs: number;
}

/** Watches this process's memory and collections while something is being watched; in between it costs nothing. */
export class ProcessProbe {
  readonly #watches = new Set<Watch>();
  #timer: NodeJS.Timeout | null = null;
  #observer: PerformanceObserver | null = null;

  /** Returns the function that ends the watch. It resolves a turn of the event loop later: collections are told about so late. */
  start(): () => Promise<Usage> {
    const memoryBeforeBytes = residentBytes();
    const highestBefore = highestBytes();
    const cpuBefore = process.cpuUsage();
    const watch: Watch = {
      startedMs: performance.now(),
      endedMs: Number.POSITIVE_INFINITY,
      peakBytes: memoryBeforeBytes,
      gcCount: 0,
      gcMs: 0,
    };
    this.#watches.add(watch);
    this.#wake();
    return async () => {
      watch.endedMs = performance.now();
      const { user, system } = process.cpuUsage(cpuBefore);
      const memoryAfterBytes = residentBytes();
      const highest = highestBytes();
      await new Promise(setImmediate);
      this.#count(this.#observer?.takeRecords() ?? []);
      this.#watches.delete(watch);
      if (this.#watches.size === 0) this.#sleep();
      return {
        durationMs: watch.endedMs - watch.startedMs,
        memoryBeforeBytes,
        // The kernel's own high-water mark, where it rose: it knows of peaks while the event loop was blocked.
        memoryPeakBytes: most(watch.peakBytes, memoryAfterBytes, highest > highestBefore ? highest : null),
        memoryAfterBytes,
        cpuMs: (user + system) / 1000,
        gcCount: watch.gcCount,
        gcMs: watch.gcMs,
      };
    };
  }

  #wake(): void {
    if (this.#timer) return;
    this.#timer = setInterval(() => this.#lookAtMemory(), PEAK_EVERY_MS).unref();
    this.#observer = new PerformanceObserver((list) => this.#count(list.getEntries()));
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  #sleep(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#observer?.disconnect();
    this.#observer = null;
  }

  #lookAtMemory(): void {
    const bytes = residentBytes();
    for (const watch of this.#watches)
      if (watch.endedMs === Number.POSITIVE_INFINITY) watch.peakBytes = most(watch.peakBytes, bytes);
  }

  #count(collections: readonly PerformanceEntry[]): void {
    for (const { startTime, duration } of collections)
      for (const watch of this.#watches) {
        if (startTime < watch.startedMs || startTime >= watch.endedMs) continue;
        watch.gcCount++;
        watch.gcMs += duration;
      }
  }
}

function residentBytes(): number | null {
  try {
    return process.memoryUsage.rss();
  } catch {
    // No /proc, or not ours to see.
    return null;
  }
}

function highestBytes(): number {
  return process.resourceUsage().maxRSS * KIB;
}

function most(...values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
