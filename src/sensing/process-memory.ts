import { readProportional, readStat } from './procfs.js';

/** The memory of one process, read when it is asked for. */
export class ProcessMemory {
  readonly #startTicks: number | null;

  constructor(
    private readonly pid: number,
    private readonly root = '/proc',
  ) {
    this.#startTicks = readStat(pid, root)?.startTicks ?? null;
  }

  get hasEnded(): boolean {
    // Another process may have its pid by now.
    return this.#startTicks === null || readStat(this.pid, this.root)?.startTicks !== this.#startTicks;
  }

  /** Proportional set size in bytes; 0 once it has ended; null where it may not be read. */
  read(): number | null {
    if (this.hasEnded) return 0;
    return readProportional(this.pid, this.root)?.pssBytes ?? null;
  }
}
