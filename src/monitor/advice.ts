import type { PressureLevel } from '../policy/pressure.js';
import type { Advice } from '../policy/recommendations.js';
import { formatSize } from '../units.js';
import type { MemoryUse } from './status.js';

export interface SelfFacts {
  memory: MemoryUse;
  pressure: PressureLevel;
  cpuShare: number | null;
  eventLoopUtilisation: number | null;
  disk: { path: string; totalBytes: number; freeBytes: number } | null;
  /** Memory that grows and does not come back. */
  leak: { bytesPerMinute: number; secondsToLimit: number | null } | null;
}

const HIGH_CPU_SHARE = 0.85;
const BUSY_LOOP_SHARE = 0.95;
const LOW_DISK_SHARE = 0.1;

const ORDER = { high: 0, medium: 1, low: 2 } as const;

/** What the author of a program can do about how it is doing, most urgent first. Nothing is said on missing data. */
export function adviseSelf({ memory, pressure, cpuShare, eventLoopUtilisation, disk, leak }: SelfFacts): Advice[] {
  const advice: Advice[] = [];
  if (leak !== null)
    advice.push({
      type: 'leak',
      subject: 'process',
      message: `memory grows by ${formatSize(leak.bytesPerMinute)} a minute and does not come back`,
      suggestion: 'compare two heap snapshots to see what is kept; restart before the limit is reached',
      priority: 'high',
      numbers: { bytes_per_minute: Math.round(leak.bytesPerMinute), seconds_to_limit: leak.secondsToLimit },
    });
  if (pressure === 'high' || pressure === 'critical')
    advice.push({
      type: 'pressure',
      subject: 'process',
      message: `memory pressure is ${pressure}`,
      suggestion: 'drop caches, and do less at once: recommendSize() tells how much',
      priority: pressure === 'critical' ? 'high' : 'medium',
      numbers: { used_bytes: memory.usedBytes, limit_bytes: memory.limitBytes },
    });
  if (cpuShare !== null && cpuShare >= HIGH_CPU_SHARE)
    advice.push({
      type: 'cpu',
      subject: 'box',
      message: 'the CPU is busy: doing more at once would only share it',
      suggestion: 'make the work cheaper, or move some of it to another machine',
      priority: 'medium',
      numbers: { cpu_share: round(cpuShare) },
    });
  if (eventLoopUtilisation !== null && eventLoopUtilisation >= BUSY_LOOP_SHARE)
    advice.push({
      type: 'event_loop',
      subject: 'process',
      message: 'the event loop has no time left',
      suggestion: 'move heavy work to worker threads, or run a second process',
      priority: 'medium',
      numbers: { utilisation: round(eventLoopUtilisation) },
    });
  if (disk && disk.freeBytes < disk.totalBytes * LOW_DISK_SHARE)
    advice.push({
      type: 'disk',
      subject: 'box',
      message: `less than a tenth of the disk of ${disk.path} is free`,
      suggestion: 'delete what is not needed',
      priority: 'medium',
      numbers: { free_bytes: disk.freeBytes, total_bytes: disk.totalBytes },
    });
  return advice.sort((a, b) => ORDER[a.priority] - ORDER[b.priority]);
}

function round(share: number): number {
  return Math.round(share * 1000) / 1000;
}
