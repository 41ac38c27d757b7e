import { ProcessMemory } from '../../sensing/process-memory.js';

/** What a process may have more than before its first load and still be worth keeping: caches of the engine, code that was compiled. */
const KEPT_SHARE = 1.25;
const KEPT_MARGIN_BYTES = 16 * 1024 ** 2;

/** What a process takes without a model. It is kept after a model only if it comes back to that. */
export class Footing {
  readonly #memory: ProcessMemory;
  readonly #bornBytes: number | null;

  /** To be made before anything is loaded. */
  constructor(pid: number) {
    this.#memory = new ProcessMemory(pid);
    this.#bornBytes = this.#memory.read();
  }

  /** False where it can't be measured: then it is not known to have come back. */
  regained(): boolean {
    const bytes = this.#memory.read();
    if (bytes === null || this.#bornBytes === null) return false;
    return bytes <= this.#bornBytes * KEPT_SHARE + KEPT_MARGIN_BYTES;
  }
}
