/** The machine as /proc tells it: memory, CPU time, load, network. Each function throws where it can't understand what it reads. */
import { statfsSync } from 'node:fs';
import path from 'node:path';
import type { MachineSample, MemorySample } from './snapshot.js';
import { countOf, numberAt, readText } from './text-files.js';

export function readMemory(proc: string): MemorySample {
  const text = readText(path.join(proc, 'meminfo'));
  const bytes = (key: string) => numberAt(key, text) * 1024;
  const memory = {
    totalBytes: bytes('MemTotal:'),
    availableBytes: bytes('MemAvailable:'),
    swapTotalBytes: bytes('SwapTotal:'),
    swapFreeBytes: bytes('SwapFree:'),
  };
  if (memory.totalBytes === 0) throw new Error('MemTotal is 0');
  return memory;
}

/** CPU time since boot, in clock ticks. */
export interface CpuTicks {
  busy: number;
  idle: number;
}

export interface CpuTimes {
  total: CpuTicks;
  /** By the core's name: cores may come and go. */
  cores: ReadonlyMap<string, CpuTicks>;
}

export function readCpuTimes(proc: string): CpuTimes {
  const cores = new Map<string, CpuTicks>();
  let total: CpuTicks | null = null;
  for (const line of readText(path.join(proc, 'stat')).split('\n')) {
    const [name, ...fields] = line.trimEnd().split(/ +/);
    // The lines of the cores come first; what follows may be long.
    if (name === undefined || !/^cpu\d*$/.test(name)) break;
    if (name === 'cpu') total = cpuTicks(name, fields);
    else cores.set(name, cpuTicks(name, fields));
  }
  if (total === null || cores.size === 0) throw new Error('/proc/stat names no cores');
  return { total, cores };
}

/** Guests' time is within user and nice already. Stolen time is busy: it can't be had. */
function cpuTicks(name: string, fields: readonly string[]): CpuTicks {
  const [user, nice, system, idle, iowait, irq, softirq, steal] = fields
    .slice(0, 8)
    .map((field) => countOf(name, field)) as [number, number, number, number, number, number, number, number];
  const busy = user + nice + system + irq + softirq + steal;
  return { busy: countOf(name, String(busy)), idle: countOf(name, String(idle + iowait)) };
}

/** Shares of 0..1; null where no time has passed, a counter went backwards, or a core came or went. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): { share: number; perCore: number[] } | null {
  const share = busyShare(before.total, after.total);
  const perCore: number[] = [];
  for (const [name, ticks] of after.cores) {
    const earlier = before.cores.get(name);
    const ofCore = earlier ? busyShare(earlier, ticks) : null;
    if (ofCore === null) return null;
    perCore.push(ofCore);
  }
  return share === null || before.cores.size !== after.cores.size ? null : { share, perCore };
}

function busyShare(before: CpuTicks, after: CpuTicks): number | null {
  const busy = after.busy - before.busy;
  // iowait is known to fall now and then, and idle time with it (proc(5)); busy time does not.
  const idle = Math.max(0, after.idle - before.idle);
  return busy < 0 || busy + idle === 0 ? null : busy / (busy + idle);
}

export function readLoad(proc: string): [number, number, number] {
  const text = readText(path.join(proc, 'loadavg'));
  const match = /^(\d{1,9}(?:\.\d+)?) (\d{1,9}(?:\.\d+)?) (\d{1,9}(?:\.\d+)?) /.exec(text);
  if (!match) throw new Error(`/proc/loadavg is not understood: ${JSON.stringify(text.slice(0, 40))}`);
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}

export interface Traffic {
  receivedBytes: number;
  sentBytes: number;
}

/** Since boot, by network interface, without the loopback. */
export function readTraffic(proc: string): ReadonlyMap<string, Traffic> {
  const lines = readText(path.join(proc, 'net/dev')).split('\n');
  // Two lines of headings.
  if (!lines[1]?.includes('|')) throw new Error('/proc/net/dev has no headings');
  const traffic = new Map<string, Traffic>();
  for (const line of lines.slice(2)) {
    if (line.trim() === '') continue;
    // A name may hold a colon itself (an alias); the numbers may follow it without a space.
    const [, name, numbers] = /^\s*(.+):\s*(.*)$/.exec(line) ?? [];
    if (name === 'lo') continue;
    const fields = numbers?.trim().split(/ +/);
    traffic.set(name as string, {
      receivedBytes: countOf('/proc/net/dev', fields?.[0]),
      sentBytes: countOf('/proc/net/dev', fields?.[8]),
    });
  }
  return traffic;
}

/** Bytes since `before`; an interface that is new counts from the next time on. Null where a counter went backwards. */
export function trafficBetween(
  before: ReadonlyMap<string, Traffic>,
  after: ReadonlyMap<string, Traffic>,
): Traffic | null {
  const sum = { receivedBytes: 0, sentBytes: 0 };
  for (const [name, now] of after) {
    const earlier = before.get(name);
    if (!earlier) continue;
    if (now.receivedBytes < earlier.receivedBytes || now.sentBytes < earlier.sentBytes) return null;
    sum.receivedBytes += now.receivedBytes - earlier.receivedBytes;
    sum.sentBytes += now.sentBytes - earlier.sentBytes;
  }
  return sum;
}

export function totalTraffic(traffic: ReadonlyMap<string, Traffic>): Traffic {
  const sum = { receivedBytes: 0, sentBytes: 0 };
  for (const { receivedBytes, sentBytes } of traffic.values()) {
    sum.receivedBytes += receivedBytes;
    sum.sentBytes += sentBytes;
  }
  return sum;
}

/** Synchronous: it is a folder that we write to all the time, so a file system that hangs would hang us anyway. */
export function readDisk(dir: string): NonNullable<MachineSample['disk']> {
  const { bsize, blocks, bavail } = statfsSync(dir);
  return { path: dir, totalBytes: blocks * bsize, freeBytes: bavail * bsize };
}
