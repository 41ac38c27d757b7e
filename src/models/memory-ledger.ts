import type { Sizes } from '../policy/load.js';

interface Entry {
  kind: 'loading' | 'loaded' | 'leaving';
  size: Sizes;
  /** When its load, or its unloading, was over; null while it is under way. */
  overAt: number | null;
}

/**
 * Memory that measurements don't show yet: what models that load will take, and what those that unload will give back. An entry lasts
 * until a sample that was taken after its end; from then on what was measured is all that counts.
 */
export class MemoryLedger<Model> {
  readonly #entries = new Map<Model, Entry>();

  /** A load begins. */
  reserve(model: Model, size: Sizes): void {
    this.#entries.set(model, { kind: 'loading', size, overAt: null });
  }

  /** It is loaded, or has failed: the next sample shows what it takes. */
  loaded(model: Model, now: number): void {
    const entry = this.#entries.get(model);
    if (entry?.kind === 'loading') Object.assign(entry, { kind: 'loaded', overAt: now });
  }

  /** Its memory is on its way back. */
  leaves(model: Model, size: Sizes): void {
    this.#entries.set(model, { kind: 'leaving', size, overAt: null });
  }

  left(model: Model, now: number): void {
    const entry = this.#entries.get(model);
    if (entry?.kind === 'leaving') entry.overAt = now;
  }

  /** Memory was measured at `sampledAt`: what was over by then is in the measurement. */
  sampled(sampledAt: number): void {
    for (const [model, { overAt }] of this.#entries)
      if (overAt !== null && overAt < sampledAt) this.#entries.delete(model);
  }

  forget(model: Model): void {
    this.#entries.delete(model);
  }

  has(model: Model): boolean {
    return this.#entries.has(model);
  }

  /** Models whose memory is on its way in or out. */
  get size(): number {
    return this.#entries.size;
  }

  /** What loads will take beyond what they have taken already. @param measured what a model takes now */
  reserved(measured: (model: Model) => Sizes): Sizes {
    return this.#sum((entry, model) => (entry.kind !== 'leaving' ? beyond(entry.size, measured(model)) : null));
  }

  /** Loads whose size nobody knows, until a measurement shows it. */
  get unknown(): number {
    return [...this.#entries.values()].filter(({ kind, size }) => kind !== 'leaving' && size.bytes === null).length;
  }

  /** What is given back, and not seen yet. */
  coming(): Sizes {
    return this.#sum((entry) => (entry.kind === 'leaving' ? entry.size : null));
  }

  #sum(of: (entry: Entry, model: Model) => Sizes | null): Sizes {
    let bytes = 0;
    let gpuBytes = 0;
    for (const [model, entry] of this.#entries) {
      const part = of(entry, model);
      bytes += part?.bytes ?? 0;
      gpuBytes += part?.gpuBytes ?? 0;
    }
    return { bytes, gpuBytes };
  }
}

function beyond(size: Sizes, measured: Sizes): Sizes {
  const rest = (of: keyof Sizes) => (size[of] === null ? null : Math.max(0, size[of] - (measured[of] ?? 0)));
  return { bytes: rest('bytes'), gpuBytes: rest('gpuBytes') };
}
