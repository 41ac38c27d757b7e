import { listPids, readStat } from './procfs.js';

/** How often every process on the machine is looked at again, not only new ones: a reused pid hides from the faster look. */
const FULL_SCAN_EVERY = 30;

/**
 * Which processes belong to whom. Descendants are found by process group (every worker leads one) and, for those that left the group, by parent.
 * Which group and parent a process has is read once when its pid first shows up: on a box with a thousand processes that is what keeps a tick cheap.
 */
export class Descendants {
  readonly #known = new Map<number, { ppid: number; pgrp: number }>();
  #looks = 0;
  /** As it was found last, for these leaders; null once a process has come or gone. */
  #latest: { leaders: readonly number[]; trees: Map<number, number[]> } | null = null;

  constructor(private readonly root = '/proc') {}

  /** @param leaders pids of group leaders @returns for each its tree, itself included; empty where it is gone @throws Error without /proc */
  of(leaders: readonly number[]): ReadonlyMap<number, readonly number[]> {
    if (this.#looks++ % FULL_SCAN_EVERY === 0) {
      this.#known.clear();
      this.#latest = null;
    }
    this.#follow(listPids(this.root));
    if (this.#latest === null || !isSame(this.#latest.leaders, leaders))
      this.#latest = { leaders: [...leaders], trees: this.#find(leaders) };
    return this.#latest.trees;
  }

  #follow(pids: readonly number[]): void {
    let known = 0;
    for (const pid of pids) {
      if (this.#known.has(pid)) {
        known++;
        continue;
      }
      const stat = readStat(pid, this.root);
      if (!stat) continue;
      known++;
      this.#known.set(pid, { ppid: stat.ppid, pgrp: stat.pgrp });
      this.#latest = null;
    }
    if (known === this.#known.size) return;
    const alive = new Set(pids);
    for (const pid of this.#known.keys()) if (!alive.has(pid)) this.#known.delete(pid);
    this.#latest = null;
  }

  #find(leaders: readonly number[]): Map<number, number[]> {
    const trees = new Map<number, number[]>(leaders.map((leader) => [leader, []]));
    const owner = new Map<number, number | null>(leaders.map((leader) => [leader, leader]));
    for (const [pid, { pgrp }] of this.#known) if (trees.has(pgrp) && !trees.has(pid)) owner.set(pid, pgrp);
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

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((pid, index) => pid === b[index]);
}
