import type { PressureLevel, PressureThresholds } from '../policy/pressure.js';
import type { Advice } from '../policy/recommendations.js';
import { roomOf } from '../sensing/room.js';
import type { CpuSample, MachineSample, Snapshot, TreeSample } from '../sensing/snapshot.js';
import type { TrendSummary } from '../sensing/trend.js';

/** What this process and its machine use. Null: not measured (yet), or not to be had. */
export interface MonitorStatus {
  /** ISO 8601, of the last look. */
  time: string;
  memory: MemoryUse & { pressure: PressureLevel; thresholds: PressureThresholds };
  cpu: CpuSample | null;
  /** Pressure stall information. */
  stall: MachineSample['stall'];
  disk: MachineSample['disk'];
  network: MachineSample['network'];
  gpus: MachineSample['gpus'];
  process: ProcessUse;
  /** Over the last 15 minutes. */
  trends: { memoryBytes: TrendSummary | null; memoryShare: TrendSummary | null; cpuShare: TrendSummary | null };
  /** Of our memory, where it is significant. */
  growth: { bytesPerMinute: number; atLeastBytesPerMinute: number; secondsToLimit: number | null } | null;
  /** Most urgent first. */
  recommendations: Advice[];
}

export interface MemoryUse {
  /** By this process and what it started. */
  usedBytes: number | null;
  limitBytes: number | null;
  limitFrom: 'option' | 'cgroup' | 'machine' | null;
  /** usedBytes / limitBytes, may be above 1. */
  share: number | null;
  /** What the machine (or the control group) still has. */
  availableBytes: number | null;
  totalBytes: number | null;
}

export interface ProcessUse {
  /** Resident, with what it started. */
  rssBytes: number | null;
  pssBytes: number | null;
  cpuPercent: number | null;
  threads: number | null;
  openFiles: number | null;
  heapUsedBytes: number;
  heapLimitBytes: number;
  externalBytes: number;
  arrayBufferBytes: number;
  /** 0..1 of this event loop since the look before; null in the first. */
  eventLoopUtilisation: number | null;
}

export const UNKNOWN_MEMORY: MemoryUse = {
  usedBytes: null,
  limitBytes: null,
  limitFrom: null,
  share: null,
  availableBytes: null,
  totalBytes: null,
};

/**
 * Our use of what we may use. Without an explicit limit that is what we use and what is still to be had: what others hold is
 * neither ours nor available to us.
 */
export function memoryUse(tree: TreeSample | null, machine: MachineSample, explicitBytes: number | null): MemoryUse {
  const { availableBytes, totalBytes, from } = roomOf(machine);
  const usedBytes = tree === null ? null : Math.round(tree.ownBytes);
  const autoBytes = usedBytes === null || availableBytes === null ? null : usedBytes + availableBytes;
  const limitBytes = explicitBytes ?? autoBytes;
  const limitFrom = explicitBytes !== null ? 'option' : autoBytes === null ? null : from;
  const share = usedBytes === null || limitBytes === null || limitBytes <= 0 ? null : usedBytes / limitBytes;
  return { usedBytes, limitBytes, limitFrom, share, availableBytes, totalBytes };
}

/** Of what the control group allows, where it allows less than the machine has. */
export function cpuShare(snapshot: Snapshot | null): number | null {
  const cpu = snapshot?.machine.cpu;
  return cpu?.quotaShare ?? cpu?.share ?? null;
}
