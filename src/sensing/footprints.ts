import { openFilesCounter, type ProcessStat, readProportional } from './procfs.js';

/** What is too dear to be read at each tick. */
export interface Footprint {
  readonly pssBytes: number | null;
  readonly ussBytes: number | null;
  readonly openFiles: number | null;
  /** What the process had when this was read. */
  readonly rssBytes: number;
}

/** A process that has ended and waits for its parent, or a thread of the kernel: it has no memory and no files. */
const NOTHING: Footprint = { pssBytes: 0, ussBytes: 0, openFiles: 0, rssBytes: 0 };

interface Reading {
  startTicks: number;
  /** Null before its first turn. */
  footprint: Footprint | null;
  /** When it was read, or first seen. */
  at: number;
}

/** Read again at the tick that comes next to 10 s. */
const DUE_MS = 9_500;
/** A process that has not moved tells nothing new; one that may not be read stays so. */
const UNMOVED_DUE_MS = 59_500;
const MOVED_SHARE = 0.01;
/** What a tick may make up for after a stall. */
const LONGEST_TICK_MS = 5_000;
const USUAL_TICK_MS = 1_000;

/** Reads them in turns, a part of all processes at each tick, so that none of the ticks is long. */
export class Footprints {
  readonly #readings = new Map<number, Reading>();
  readonly #openFiles: (pid: number) => number | null;
  #lastAt: number | null = null;

  constructor(private readonly root = '/proc') {
    this.#openFiles = openFilesCounter(root);
  }

  /** @param processes all that there are: what is missing is forgotten @param now monotonic ms */
  tick(processes: readonly ProcessStat[], now: number): void {
    const tickMs = Math.min(LONGEST_TICK_MS, this.#lastAt === null ? USUAL_TICK_MS : now - this.#lastAt);
    this.#lastAt = now;
    const alive = processes.filter(hasMemory);
    this.#follow(alive, now);
    const budget = Math.max(1, Math.ceil((alive.length * tickMs) / DUE_MS));
    // One more where it was read before: those that once had a turn in one tick want the next in one tick too.
    for (const [i, { stat, known }] of this.#turns(alive, now).entries())
      if (i < budget || (i === budget && known)) this.#read(stat, now);
  }

  /** Null before its first turn. */
  of(stat: ProcessStat): Footprint | null {
    if (!hasMemory(stat)) return NOTHING;
    const reading = this.#readings.get(stat.pid);
    return reading?.startTicks === stat.startTicks ? reading.footprint : null;
  }

  #follow(alive: readonly ProcessStat[], now: number): void {
    const startTicks = new Map(alive.map((stat) => [stat.pid, stat.startTicks]));
    for (const [pid, reading] of this.#readings)
      if (startTicks.get(pid) !== reading.startTicks) this.#readings.delete(pid);
    for (const [pid, ticks] of startTicks)
      if (!this.#readings.has(pid)) this.#readings.set(pid, { startTicks: ticks, footprint: null, at: now });
  }

  /** The longest waiting first: children that come and go at each tick can't keep the others from their turn. */
  #turns(alive: readonly ProcessStat[], now: number): { stat: ProcessStat; at: number; known: boolean }[] {
    const turns: { stat: ProcessStat; at: number; known: boolean }[] = [];
    for (const stat of alive) {
      const { at, footprint } = this.#readings.get(stat.pid) as Reading;
      const known = footprint !== null;
      if (!known || now - at >= (moved(stat, footprint) ? DUE_MS : UNMOVED_DUE_MS)) turns.push({ stat, at, known });
    }
    return turns.sort((a, b) => a.at - b.at);
  }

  #read({ pid, startTicks, rssBytes }: ProcessStat, now: number): void {
    const memory = readProportional(pid, this.root);
    const footprint = {
      pssBytes: memory?.pssBytes ?? null,
      ussBytes: memory?.ussBytes ?? null,
      openFiles: this.#openFiles(pid),
      rssBytes,
    };
    this.#readings.set(pid, { startTicks, footprint, at: now });
  }
}

function moved(stat: ProcessStat, { pssBytes, rssBytes }: Footprint): boolean {
  return pssBytes !== null && Math.abs(stat.rssBytes - rssBytes) > MOVED_SHARE * rssBytes;
}

function hasMemory({ vmsBytes, rssBytes }: ProcessStat): boolean {
  return vmsBytes > 0 || rssBytes > 0;
}
