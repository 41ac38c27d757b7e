import { Descendants } from './descendants.js';
import { type Footprint, Footprints } from './footprints.js';
import { type ProcessStat, type ResidentMemory, readStatm, TICKS_PER_SECOND } from './procfs.js';
import type { TreeSample } from './snapshot.js';
import { StatFiles } from './stat-files.js';

/** One process at one tick. */
interface Look {
  stat: ProcessStat;
  /** CPU time since the tick before; null where there was none, or where it went backwards. */
  spentTicks: number | null;
  /** Seen for the first time. */
  fresh: boolean;
}

/** Where the CPU time of a process stood. */
interface CpuMark {
  ticks: number;
  startTicks: number;
}

/** Samples workers: what the process of each and all its descendants use. */
export class ProcessTrees {
  readonly #descendants: Descendants;
  readonly #footprints: Footprints;
  readonly #stats: StatFiles;
  #cpu = new Map<number, CpuMark>();
  #lastAt: number | null = null;

  constructor(private readonly root = '/proc') {
    this.#descendants = new Descendants(root);
    this.#footprints = new Footprints(root);
    this.#stats = new StatFiles(root);
  }

  /**
   * @param leaders pids of group leaders
   * @param now monotonic ms
   * @returns what is gone is left out
   * @throws Error without /proc
   */
  sample(leaders: readonly number[], now: number): Map<number, TreeSample> {
    return this.sampleWith(null, leaders, now).trees;
  }

  /** The same, and one process without its descendants: ours, whose descendants the workers are. */
  sampleWith(
    alone: number | null,
    leaders: readonly number[],
    now: number,
  ): { trees: Map<number, TreeSample>; alone: TreeSample | null } {
    const groups = this.#descendants.of(leaders);
    const elapsedS = this.#lastAt === null ? null : (now - this.#lastAt) / 1000;
    this.#lastAt = now;
    const looks = this.#look([...groups.values()].flat().concat(alone ?? []));
    this.#footprints.tick(
      [...looks.values()].map(({ stat }) => stat),
      now,
    );
    const trees = new Map<number, TreeSample>();
    for (const [leader, pids] of groups) {
      const tree = this.#tree(leader, pids, looks, elapsedS);
      if (tree) trees.set(leader, tree);
    }
    return { trees, alone: alone === null ? null : this.#tree(alone, [alone], looks, elapsedS) };
  }

  /** Memory alone, for workers that should be looked at between two full samples. Those that are gone are left out. */
  memory(leaders: readonly number[]): Map<number, number> {
    const bytes = new Map<number, number>();
    for (const [leader, pids] of this.#descendants.of(leaders)) {
      const memory = new TreeMemory();
      for (const pid of pids) {
        const stat = this.#stats.read(pid);
        if (stat) memory.add(this.#resident(stat, pids.length === 1));
      }
      if (memory.processes > 0) bytes.set(leader, memory.bytes);
    }
    return bytes;
  }

  close(): void {
    this.#stats.close();
  }

  #look(pids: readonly number[]): Map<number, Look> {
    const looks = new Map<number, Look>();
    const cpu = new Map<number, CpuMark>();
    for (const pid of pids) {
      if (looks.has(pid)) continue;
      const stat = this.#stats.read(pid);
      if (!stat) continue;
      const before = this.#cpu.get(pid);
      const fresh = before?.startTicks !== stat.startTicks;
      const spentTicks = stat.cpuTicks - (fresh ? 0 : before.ticks);
      looks.set(pid, { stat, fresh, spentTicks: spentTicks < 0 ? null : spentTicks });
      cpu.set(pid, { ticks: stat.cpuTicks, startTicks: stat.startTicks });
    }
    this.#cpu = cpu;
    this.#stats.keep(cpu);
    return looks;
  }

  #tree(leader: number, pids: readonly number[], looks: Map<number, Look>, elapsedS: number | null): TreeSample | null {
    const memory = new TreeMemory();
    const own = new OwnMemory();
    const tree = { vmsBytes: 0, threads: 0 };
    let ticks: number | null = elapsedS !== null && elapsedS > 0 ? 0 : null;
    for (const pid of pids) {
      const look = looks.get(pid);
      if (!look) continue;
      const { stat, fresh, spentTicks } = look;
      const footprint = this.#footprints.of(stat);
      const resident = this.#resident(stat, pids.length === 1 && footprint?.pssBytes != null);
      if (!resident) continue;
      memory.add(resident);
      own.add(footprint, stat, resident);
      tree.vmsBytes += stat.vmsBytes;
      tree.threads += stat.threads;
      // What a child has used since its birth it has used since the last tick; the leader may have been here for longer.
      const known = spentTicks !== null && !(fresh && pid === leader);
      ticks = ticks === null || !known ? null : ticks + spentTicks;
    }
    if (memory.processes === 0) return null;
    return {
      memoryBytes: memory.bytes,
      ownBytes: own.bytes,
      pssBytes: own.pssBytes,
      ussBytes: own.ussBytes,
      openFiles: own.openFiles,
      ...tree,
      cpuPercent: ticks === null ? null : Math.round((ticks / TICKS_PER_SECOND / (elapsedS as number)) * 1000) / 10,
      processes: memory.processes,
    };
  }

  /** A process without company shares with nobody that is counted here: the second file would tell nothing. */
  #resident(stat: ProcessStat, sharesWithNobody: boolean): ResidentMemory | null {
    return sharesWithNobody ? { rssBytes: stat.rssBytes, sharedBytes: 0 } : readStatm(stat.pid, this.root);
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

  add(memory: ResidentMemory | null): void {
    if (!memory) return;
    this.processes++;
    this.#privateBytes += memory.rssBytes - memory.sharedBytes;
    this.#sharedBytes = Math.max(this.#sharedBytes, memory.sharedBytes);
  }
}

/** Sums over the processes of a tree; one of which something is not known leaves the sum unknown. */
class OwnMemory {
  bytes = 0;
  pssBytes: number | null = 0;
  ussBytes: number | null = 0;
  openFiles: number | null = 0;

  add(footprint: Footprint | null, stat: ProcessStat, resident: ResidentMemory): void {
    this.pssBytes = plus(this.pssBytes, footprint?.pssBytes);
    this.ussBytes = plus(this.ussBytes, footprint?.ussBytes);
    this.openFiles = plus(this.openFiles, footprint?.openFiles);
    this.bytes +=
      footprint?.pssBytes == null
        ? resident.rssBytes - resident.sharedBytes
        : Math.max(0, footprint.pssBytes + stat.rssBytes - footprint.rssBytes);
  }
}

function plus(sum: number | null, value: number | null | undefined): number | null {
  return sum === null || value == null ? null : sum + value;
}
