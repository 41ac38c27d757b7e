/**
 * What a Node host tells about its own isolate: one object for each thread that runs user code. CommonJS, since the preload of http
 * apps is. It keeps nothing alive, throws nothing into the program, and takes what it needs before the program could replace it.
 */
import perfHooks = require('node:perf_hooks');
import v8 = require('node:v8');

import type { Vitals } from '../src/worker/protocol.js' with { 'resolution-mode': 'import' };

/**
 * Between two looks at the loop. A block of 300 ms shows as 220 to 300. An idle worker pays 0.04 ms of CPU time for each look, more than
 * for anything else in here.
 */
const RESOLUTION_MS = 80;

const { performance, constants } = perfHooks;
const now = performance.now.bind(performance);
const eventLoopUtilization = performance.eventLoopUtilization.bind(performance);
const memoryUsage = process.memoryUsage.bind(process);
const heapStatistics = v8.getHeapStatistics.bind(v8);
const [startTimeout, startInterval, inNextTurn] = [setTimeout, setInterval, setImmediate];

/** The longest that the event loop was late. */
class Lag {
  readonly #histogram = perfHooks.monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #firstMs = 0;

  constructor() {
    this.#histogram.enable();
    this.take();
  }

  /** Since the last call. */
  take(): number {
    const lateMs = Math.max(this.#firstMs, this.#histogram.max / 1e6 - RESOLUTION_MS, 0);
    this.#histogram.reset();
    // After a reset the histogram's next look only starts its clock: a block before that is seen by a timer of our own.
    this.#firstMs = 0;
    const dueMs = now() + RESOLUTION_MS;
    startTimeout(() => {
      this.#firstMs = Math.max(0, now() - dueMs);
    }, RESOLUTION_MS).unref();
    return lateMs;
  }
}

/** `detail` is missing in the types; `kind` of the entry itself is deprecated. */
interface Collection {
  readonly duration: number;
  readonly detail: { readonly kind: number };
}

/** Garbage collections. What happens while the loop is blocked is told when it turns again. */
class Collections {
  count = 0;
  ms = 0;
  #liveBytes: number | null = null;
  #leastBytes: number | null = null;

  constructor() {
    new perfHooks.PerformanceObserver((list) => {
      this.#add(list.getEntries() as unknown as Collection[]);
    }).observe({ type: 'gc' });
  }

  /** After the last full collection; of several since the last call, the least. */
  takeLiveBytes(): number | null {
    this.#liveBytes = this.#leastBytes ?? this.#liveBytes;
    this.#leastBytes = null;
    return this.#liveBytes;
  }

  #add(collections: readonly Collection[]): void {
    let full = false;
    for (const {
      duration,
      detail: { kind },
    } of collections) {
      this.ms += duration;
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) full = true;
      // The other kinds are parts of a full one.
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR || kind === constants.NODE_PERFORMANCE_GC_MINOR) this.count++;
    }
    if (!full) return;
    // On a busy loop we are told late, and what was allocated meanwhile is in it: hence the least.
    const { used_heap_size, external_memory } = heapStatistics();
    this.#leastBytes = Math.min(this.#leastBytes ?? Number.POSITIVE_INFINITY, used_heap_size + external_memory);
  }
}

class VitalSigns {
  readonly #lag = new Lag();
  readonly #collections = new Collections();
  #loop = eventLoopUtilization();

  /** Null where it can't be measured. Shares and lag are those since the last call. */
  take(): Vitals | null {
    try {
      const loop = eventLoopUtilization();
      const { idle, active } = eventLoopUtilization(loop, this.#loop);
      this.#loop = loop;
      const { heapUsed, heapTotal, external, arrayBuffers } = memoryUsage();
      return {
        heapUsedBytes: heapUsed,
        heapTotalBytes: heapTotal,
        heapLimitBytes: heapStatistics().heap_size_limit,
        externalBytes: external,
        arrayBufferBytes: arrayBuffers,
        liveBytes: this.#collections.takeLiveBytes(),
        utilisation: active > 0 ? Math.min(1, active / (idle + active)) : 0,
        lagMs: Math.round(this.#lag.take()),
        gcCount: this.#collections.count,
        gcMs: Math.round(this.#collections.ms),
      };
    } catch {
      // No /proc to read.
      return null;
    }
  }

  /** Calls back at this interval, from the loop that runs user code. */
  beat(ms: number, callback: (vitals: Vitals | null) => void): void {
    // After all timers that are due: the one that finds a block may come after the one that reports it.
    startInterval(() => inNextTurn(() => callback(this.take())), ms).unref();
  }
}

export = { VitalSigns };
