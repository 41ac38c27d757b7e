import { listPids, readStat, readStatm, TICKS_PER_SECOND } from './procfs.js';

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
      let privateBytes = 0;
      let sharedBytes = 0;
      let ticks = 0;
      let complete = elapsedS !== null && elapsedS > 0;
      let processes = 0;
      for (const pid of pids) {
        const memory = readStatm(pid, this.root);
        const stat = readStat(pid, this.root);
        if (!memory || !stat) continue;
        processes++;
        seen.add(pid);
        privateBytes += memory.rssBytes - memory.sharedBytes;
        sharedBytes = Math.max(sharedBytes, memory.sharedBytes);
        const before = this.#cpu.get(pid);
        if (before?.startTicks === stat.startTicks) ticks += stat.cpuTicks - before.ticks;
        else if (pid === leader) complete = false;
        else ticks += stat.cpuTicks;
        this.#cpu.set(pid, { ticks: stat.cpuTicks, startTicks: stat.startTicks });
      }
      if (processes === 0) continue;
      samples.set(leader, {
        memoryBytes: privateBytes + sharedBytes,
        cpuPercent: complete ? Math.round((ticks / TICKS_PER_SECOND / (elapsedS as number)) * 1000) / 10 : null,
        processes,
      });
    }
    for (const pid of this.#cpu.keys()) if (!seen.has(pid)) this.#cpu.delete(pid);
    return samples;
  }

  /** Memory alone, for workers that are near their limit between two full samples. */
  memoryOf(leader: number): number | null {
    let privateBytes = 0;
    let sharedBytes = 0;
    let found = false;
    for (const pid of this.#trees([leader]).get(leader) ?? []) {
      const memory = readStatm(pid, this.root);
      if (!memory) continue;
      found = true;
      privateBytes += memory.rssBytes - memory.sharedBytes;
      sharedBytes = Math.max(sharedBytes, memory.sharedBytes);
    }
    return found ? privateBytes + sharedBytes : null;
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
