/**
 * What one tick of the sampler saw. Nothing in it changes afterwards, and nothing in it is made up: what could not be read is null,
 * never 0 and never NaN, and no policy decides on null.
 */
export interface Snapshot {
  /** Monotonic ms. */
  readonly at: number;
  /** Ms since 1970. */
  readonly wall: number;
  readonly machine: MachineSample;
  /** By the pid of the process group's leader. Groups that are gone are left out. */
  readonly trees: ReadonlyMap<number, TreeSample>;
  /** The master itself. */
  readonly master: TreeSample | null;
}

export interface MachineSample {
  readonly memory: MemorySample | null;
  readonly cgroup: CgroupSample | null;
  readonly stall: StallSample | null;
  readonly cpu: CpuSample | null;
  /** Of the file system that holds the state folder. */
  readonly disk: { readonly path: string; readonly totalBytes: number; readonly freeBytes: number } | null;
  readonly network: NetworkSample | null;
  /** Null without nvidia-smi. */
  readonly gpus: readonly GpuSample[] | null;
  /** Bytes of GPU memory by pid. */
  readonly gpuProcesses: ReadonlyMap<number, number> | null;
}

export interface MemorySample {
  readonly totalBytes: number;
  /** What could be had without swapping (MemAvailable). */
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

/** Of the control group that we run in, or the nearest one above it with a limit. */
export interface CgroupSample {
  readonly version: 1 | 2;
  /** Usage without the file cache that the kernel would drop first (usage - inactive_file). */
  readonly workingSetBytes: number;
  readonly usageBytes: number;
  /** Null: no limit below the machine's memory. */
  readonly limitBytes: number | null;
}

/** Pressure stall information (PSI): share of the last 10 s, 0..1, in which some (or all) tasks waited. Null where a file is missing. */
export interface StallSample {
  readonly memorySome: number | null;
  readonly memoryFull: number | null;
  readonly cpuSome: number | null;
  readonly ioSome: number | null;
}

export interface CpuSample {
  /** 0..1 of all cores since the last tick. */
  readonly share: number;
  /** 0..1 for each core since the last tick. */
  readonly perCore: readonly number[];
  /** Mean number of runnable processes over 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number];
  readonly cores: number;
  /** Cores that the control group's quota allows; null: no quota. */
  readonly quotaCores: number | null;
  /** 0..1 of the quota that our control group used since the last tick; null without a quota. */
  readonly quotaShare: number | null;
}

export interface NetworkSample {
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly receivedPerSecond: number;
  readonly sentPerSecond: number;
}

export interface GpuSample {
  readonly name: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** 0..1 */
  readonly share: number | null;
}

/** What one worker's process and all its descendants use. */
export interface TreeSample {
  /** Σ of private pages + the largest share of shared ones: pages that a forked child shares with its parent count once. */
  readonly memoryBytes: number;
  /**
   * Its part of the box's memory: PSS as of its last reading, moved by what memoryBytes has changed since; before the first
   * reading, the pages that nobody shares with it.
   */
  readonly ownBytes: number;
  /** Virtual size of all its processes. */
  readonly vmsBytes: number;
  /** Proportional and unique set size; at most 10 s old where its memory moves. Null before the first reading, or where it may not be read. */
  readonly pssBytes: number | null;
  readonly ussBytes: number | null;
  /** Of one core; null in the first sample. */
  readonly cpuPercent: number | null;
  readonly threads: number;
  /** At most 10 s old; null where it may not be read. */
  readonly openFiles: number | null;
  readonly processes: number;
}
