/** What a tick tells of a size: only a pool that was saturated all along shows what it can do. */
export interface SaturatedTick {
  size: number;
  spanMs: number;
  completed: number;
  busyMs: number;
  /** 0..1 of the time in which some task waited for a CPU; null: not known. */
  cpuWait: number | null;
}

interface Measurement {
  spanMs: number;
  completed: number;
  busyMs: number;
  cpuWaitMs: number;
}

interface Learned extends Measurement {
  /** Measurements in a row in which it gained too little over a smaller size. */
  poor: number;
  at: number;
}

/** Saturated time that makes a measurement. */
const MEASURED_MS = 5000;
/** A size whose throughput is better by less than this is not worth its memory. */
const LEAST_GAIN = 0.02;
const POOR_TWICE = 2;
/** A size that looked poor once is looked at again within this, or gets the benefit of the doubt. */
const DOUBT_MS = 60_000;
/** What was learned is forgotten after this, and then tried again. */
const MEMORY_MS = 30 * 60_000;
/** A size that now yields so much more or less serves another workload: what other sizes have yielded says nothing any more. */
const CHANGED = 0.25;
/** Service times longer by this, with tasks that wait for a CPU for this share of the time: workers are in each other's way. */
const SLOWER = 0.1;
const CONTENDED = 0.5;
/** Standard errors by which two measurements must differ before they say anything. */
const SURE = 3;

const NOTHING: Measurement = { spanMs: 0, completed: 0, busyMs: 0, cpuWaitMs: 0 };

/** What each size has yielded when there was more to do than it could, and from which size on more workers bring nothing. */
export class ThroughputLearning {
  readonly #sizes = new Map<number, Learned>();
  #size = 0;
  #measurement: Measurement = NOTHING;

  /** @param tick null: it was not saturated, or its size was changing */
  add(tick: SaturatedTick | null, now: number): void {
    for (const [size, { at }] of this.#sizes) if (now - at >= MEMORY_MS) this.#sizes.delete(size);
    if (tick === null) return;
    if (tick.size !== this.#size) this.#measurement = NOTHING;
    this.#size = tick.size;
    this.#measurement = sum(this.#measurement, { ...tick, cpuWaitMs: (tick.cpuWait ?? 0) * tick.spanMs });
    if (this.#measurement.spanMs < MEASURED_MS) return;
    this.#learn(tick.size, this.#measurement, now);
    this.#measurement = NOTHING;
  }

  /** The largest size worth having; null: nothing is known against any. */
  ceiling(): number | null {
    let least: number | null = null;
    for (const [size, { poor }] of this.#sizes) if (poor >= POOR_TWICE) least = Math.min(least ?? size, size);
    return least === null ? null : least - 1;
  }

  /** It has gained too little just now: before it is known whether that was chance, a larger one is no good idea. */
  isDoubtful(size: number, now: number): boolean {
    const learned = this.#sizes.get(size);
    return learned !== undefined && learned.poor > 0 && now - learned.at < DOUBT_MS;
  }

  list(): { size: number; perSecond: number }[] {
    return [...this.#sizes]
      .map(([size, learned]) => ({ size, perSecond: Math.round(perSecond(learned) * 100) / 100 }))
      .sort((a, b) => a.size - b.size);
  }

  #learn(size: number, latest: Measurement, now: number): void {
    const known = this.#sizes.get(size);
    if (known && differs(known, latest)) this.#sizes.clear();
    const before = this.#sizes.get(size);
    const all = before ? sum(before, latest) : latest;
    this.#sizes.set(size, { ...all, poor: this.#poor(size, all, before?.poor ?? 0), at: now });
  }

  #poor(size: number, measured: Measurement, before: number): number {
    const smaller = this.#bestBelow(size);
    if (smaller === null) return 0;
    const [less, best] = smaller;
    const gain = perSecond(measured) / perSecond(best) - 1;
    const expected = size / less - 1;
    if (gain >= LEAST_GAIN || expected - gain < SURE * error(measured, best)) return 0;
    const slower = serviceMs(measured) > serviceMs(best) * (1 + SLOWER);
    return slower && measured.cpuWaitMs / measured.spanMs >= CONTENDED ? POOR_TWICE : before + 1;
  }

  #bestBelow(size: number): [number, Learned] | null {
    let best: [number, Learned] | null = null;
    for (const [other, learned] of this.#sizes)
      if (other < size && learned.completed > 0 && (best === null || perSecond(learned) > perSecond(best[1])))
        best = [other, learned];
    return best;
  }
}

function sum(a: Measurement, b: Measurement): Measurement {
  return {
    spanMs: a.spanMs + b.spanMs,
    completed: a.completed + b.completed,
    busyMs: a.busyMs + b.busyMs,
    cpuWaitMs: a.cpuWaitMs + b.cpuWaitMs,
  };
}

function differs(known: Measurement, latest: Measurement): boolean {
  const change = Math.abs(perSecond(latest) / perSecond(known) - 1);
  return change > Math.max(CHANGED, SURE * error(known, latest));
}

/** Standard error of the ratio of two counts, as if answers came at random; regular ones vary less. */
function error(a: Measurement, b: Measurement): number {
  return Math.sqrt(1 / Math.max(1, a.completed) + 1 / Math.max(1, b.completed));
}

function perSecond({ completed, spanMs }: Measurement): number {
  return (completed / spanMs) * 1000;
}

function serviceMs({ completed, busyMs }: Measurement): number {
  return busyMs / Math.max(1, completed);
}
