/** For any Node program: what memory it uses, and giving some of it back. */
import os from 'node:os';
import v8 from 'node:v8';
import { SupError } from '../errors.js';
import { readCgroupMemory } from '../sensing/cgroup.js';
import { readMemory } from '../sensing/machine.js';
import { readStat } from '../sensing/procfs.js';
import { roomOf } from '../sensing/room.js';
import type { CleanupLevel } from '../worker/protocol.js';
import { Cleaner } from './cleaner.cjs';
import type { CleanupHook } from './cleanup-hook.js';
import { registerCleanup as register } from './cleanup-hooks.cjs';

export interface MemorySnapshot {
  /** Of this process. */
  rssBytes: number;
  /** Null where there is no /proc. */
  vmsBytes: number | null;
  /** Of this thread, where threads have heaps of their own. */
  heapUsedBytes: number;
  heapTotalBytes: number;
  heapLimitBytes: number;
  externalBytes: number;
  arrayBufferBytes: number;
  /** Of the control group where its limit is tighter, else of the machine. */
  totalBytes: number;
  availableBytes: number;
  /** 0..1: what is not available any more, whoever uses it. */
  usedShare: number;
}

export interface CleanupOptions {
  /** Also below the threshold. */
  force?: boolean;
  /** What this process may use (RSS). Default: what the control group or the machine has, for everybody. */
  limitBytes?: number;
  /** Share of the limit from which on it is time. Default 0.8. */
  threshold?: number;
  /** Default: `emergency` from 95 % of the limit on, else `trim`. */
  level?: CleanupLevel;
}

/** Sizes are RSS; other work of the process goes on meanwhile, so what was freed may be less than nothing. */
export interface CleanupResult {
  cleaned: boolean;
  beforeBytes: number;
  afterBytes: number;
  freedBytes: number;
  /** Garbage collections that it took; 0 where the engine could not be asked for one. */
  passes: number;
  /** Hooks that threw, or that did not settle within 3 s. */
  errors: string[];
}

const DEFAULT_THRESHOLD = 0.8;
const EMERGENCY_SHARE = 0.95;

const cleaner = new Cleaner();

/**
 * The hook is called when memory is short: by `checkAndCleanup`, and by the supervisor where this program is one of its workers. Returns
 * the function that takes it out again.
 * @throws TypeError when it is no function
 */
export function registerCleanup(hook: CleanupHook, options: { name?: string } = {}): () => void {
  return register(hook, options);
}

/** @throws Error where the process's own memory can't be read */
export function snapshot(): MemorySnapshot {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const { totalBytes, availableBytes } = room();
  return {
    rssBytes: rss,
    vmsBytes: readStat(process.pid)?.vmsBytes ?? null,
    heapUsedBytes: heapUsed,
    heapTotalBytes: heapTotal,
    heapLimitBytes: v8.getHeapStatistics().heap_size_limit,
    externalBytes: external,
    arrayBufferBytes: arrayBuffers,
    totalBytes,
    availableBytes,
    usedShare: Math.min(1, Math.max(0, 1 - availableBytes / totalBytes)),
  };
}

/**
 * Runs the cleanup hooks and then collects garbage, where memory is at the threshold or it is forced; two at once are one.
 * @throws SupError SUP_BAD_REQUEST for options that make no sense
 */
export async function checkAndCleanup(options: CleanupOptions = {}): Promise<CleanupResult> {
  const { force = false, limitBytes, threshold = DEFAULT_THRESHOLD } = options;
  check(options);
  const { rssBytes, usedShare } = snapshot();
  const share = limitBytes === undefined ? usedShare : rssBytes / limitBytes;
  if (!force && share < threshold)
    return { cleaned: false, beforeBytes: rssBytes, afterBytes: rssBytes, freedBytes: 0, passes: 0, errors: [] };
  const level = options.level ?? (share >= EMERGENCY_SHARE ? 'emergency' : 'trim');
  const { passes, before, after, errors } = await cleaner.clean(level);
  return {
    cleaned: true,
    beforeBytes: before.rssBytes,
    afterBytes: after.rssBytes,
    freedBytes: before.rssBytes - after.rssBytes,
    passes,
    errors: [...errors],
  };
}

function check({ limitBytes, threshold, level }: CleanupOptions): void {
  const refuse = (message: string) => {
    throw new SupError('SUP_BAD_REQUEST', `checkAndCleanup: ${message}`);
  };
  if (limitBytes !== undefined && !(limitBytes > 0)) refuse(`limitBytes is ${limitBytes}, not a number of bytes`);
  if (threshold !== undefined && !(threshold > 0 && threshold <= 1))
    refuse(`threshold is ${threshold}, not a share of the limit (above 0, at most 1)`);
  if (level !== undefined && level !== 'trim' && level !== 'emergency')
    refuse(`level is ${level}, neither trim nor emergency`);
}

function room(): { totalBytes: number; availableBytes: number } {
  const memory = orNull(() => readMemory('/proc'));
  const cgroup = orNull(() => readCgroupMemory());
  const { totalBytes, availableBytes } = roomOf({ memory, cgroup });
  return { totalBytes: totalBytes ?? os.totalmem(), availableBytes: availableBytes ?? os.freemem() };
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    // Not Linux, or a /proc that shows nothing.
    return null;
  }
}
