import { listPids, type MemorySample, readStat, readStatm, type StatSample, TICKS_PER_SECOND } from './procfs.js';

/** What one worker's process and all its descendants use. */
export interface TreeSample {
  /** Σ of private pages + the largest share of shared ones: pages that a forked child shares with its parent count once. */
  memoryBytes: number;
  /** Of one core; null in the first sample. */
  cpuPercent: number | null;
  processes: number;
}

/** How often every process on the machine is looked at again, not only new ones: a reused pid hides from the faster look. */
const FULL_SCAN_EVERY = 30;

/**
 * Samples process trees. Descendants are found by process group (every worker leads one) and, for those that left the group, by parent.
 * Which group and parent a process has is read once when its pid first shows up: on a box with a thousand processes that is what keeps a tick cheap.
 */
export class ProcessTrees {
  readonly #known = new Map<number, { ppid: number; pgrp: number }>();
  readonly #cpu = new Map<number, { ticks: number; startTicks: number }>();
  #ticks = 0;
  #lastAt: number | null = null;

  constructor(private readonly root = '/proc') {}

  /** @param roots pids of group leaders @param now monotonic ms */
  sample(roots: readonly number[], now: number): Map<number, TreeSample> {
    const trees = this.#trees(roots);
    const elapsedS = this.#lastAt === null ? null : (now - this.#lastAt) / 1000;
    this.#lastAt = now;
    const samples = new Map<number, TreeSample>();
    const seen = new Set<number>();
    for (const [leader, pids] of trees) {
      const memory = new TreeMemory();
      let ticks = 0;
      let complete = elapsedS !== null && elapsedS > 0;
      for (const pid of pids) {
        const stat = readStat(pid, this.root);
        if (!stat || !memory.add(this.#memory(stat, pids.length))) continue;
        seen.add(pid);
        const before = this.#cpu.get(pid);
        if (before?.startTicks === stat.startTicks) ticks += stat.cpuTicks - before.ticks;
        else if (pid === leader) complete = false;
        else ticks += stat.cpuTicks;
        this.#cpu.set(pid, { ticks: stat.cpuTicks, startTicks: stat.startTicks });
      }
      if (memory.processes === 0) continue;
      samples.set(leader, {
        memoryBytes: memory.bytes,
        cpuPercent: complete ? Math.round((ticks / TICKS_PER_SECOND / (elapsedS as number)) * 1000) / 10 : null,
        processes: memory.processes,
      });
    }
    for (const pid of this.#cpu.keys()) if (!seen.has(pid)) this.#cpu.delete(pid);
    return samples;
  }

  /** Memory alone, for workers that should be looked at between two full samples. Those that are gone are left out. */
  memory(roots: readonly number[]): Map<number, number> {
    const bytes = new Map<number, number>();
    for (const [leader, pids] of this.#trees(roots)) {
      const memory = new TreeMemory();
      for (const pid of pids) {
        const stat = readStat(pid, this.root);
        if (stat) memory.add(this.#memory(stat, pids.length));
      }
      if (memory.processes > 0) bytes.set(leader, memory.bytes);
    }
    return bytes;
  }

  /** A process without company shares with nobody that is counted here: the second file would tell nothing. */
  #memory(stat: StatSample, processes: number): MemorySample | null {
    return processes === 1 ? { rssBytes: stat.rssBytes, sharedBytes: 0 } : readStatm(stat.pid, this.root);
  }

  #trees(roots: readonly number[]): Map<number, number[]> {
    if (this.#ticks++ % FULL_SCAN_EVERY === 0) this.#known.clear();
    const pids = listPids(this.root);
    const alive = new Set(pids);
    for (const pid of this.#known.keys()) if (!alive.has(pid)) this.#known.delete(pid);
    for (const pid of pids) {
      if (this.#known.has(pid)) continue;
      const stat = readStat(pid, this.root);
      if (stat) this.#known.set(pid, { ppid: stat.ppid, pgrp: stat.pgrp });
    }
    const trees = new Map<number, number[]>(roots.map((root) => [root, []]));
    const owner = new Map<number, number | null>(roots.map((root) => [root, root]));
    for (const [pid, { pgrp }] of this.#known) if (trees.has(pgrp)) owner.set(pid, pgrp);
    for (const pid of this.#known.keys()) {
      const leader = this.#ownerOf(pid, owner);
      if (leader !== null) trees.get(leader)?.push(pid);
    }
    return trees;
  }

  #ownerOf(pid: number, owner: Map<number, number | null>): number | null {
    const known = owner.get(pid);
    if (known !== undefined) return known;
    // Marked before the climb: a parent that was read at another moment could close a circle.
    owner.set(pid, null);
    const parent = this.#known.get(pid)?.ppid;
    const leader = parent === undefined || parent <= 1 ? null : this.#ownerOf(parent, owner);
    owner.set(pid, leader);
    return leader;
  }
}

/** Σ of private pages + the largest share of shared ones. */
class TreeMemory {
  processes = 0;
  #privateBytes = 0;
  #sharedBytes = 0;

  get bytes(): number {
    return this.#privateBytes + this.#sharedBytes;
  }

  /** False when there was nothing to add. */
  add(memory: MemorySample | null): boolean {
    if (!memory) return false;
    this.processes++;
    this.#privateBytes += memory.rssBytes - memory.sharedBytes;
    this.#sharedBytes = Math.max(this.#sharedBytes, memory.sharedBytes);
    return true;
  }
}
