import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcessTrees } from '../../src/sensing/process-trees.js';
import { listPids, readStat, readStatm } from '../../src/sensing/procfs.js';

const PAGE = 4096;
let root: string;

/** A process in a made-up /proc. Pages: resident and shared. */
function put(
  pid: number,
  o: { ppid: number; pgrp: number; resident: number; shared: number; ticks?: number; name?: string },
): void {
  mkdirSync(join(root, String(pid)), { recursive: true });
  const fields = [
    'S',
    o.ppid,
    o.pgrp,
    pid,
    0,
    -1,
    0,
    0,
    0,
    0,
    0,
    o.ticks ?? 0,
    0,
    0,
    0,
    20,
    0,
    1,
    0,
    1000 + pid,
    0,
    o.resident,
  ];
  writeFileSync(join(root, String(pid), 'stat'), `${pid} (${o.name ?? 'node'}) ${fields.join(' ')}`);
  writeFileSync(join(root, String(pid), 'statm'), `99999 ${o.resident} ${o.shared} 1 0 1 0`);
}

beforeEach(() => {
  root = mkdtempSync(join(os.tmpdir(), 'msv-proc-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('ProcessTrees', () => {
  it('counts the whole tree, and pages that are shared once', () => {
    put(10, { ppid: 1, pgrp: 10, resident: 1000, shared: 300 });
    put(11, { ppid: 10, pgrp: 10, resident: 500, shared: 300 });
    put(12, { ppid: 11, pgrp: 12, resident: 200, shared: 100 });
    put(99, { ppid: 1, pgrp: 99, resident: 5000, shared: 0 });
    const sample = new ProcessTrees(root).sample([10], 0).get(10);
    expect(sample).toEqual({ memoryBytes: (700 + 200 + 100 + 300) * PAGE, cpuPercent: null, processes: 3 });
  });

  it('finds children whose parent is gone by their process group', () => {
    put(10, { ppid: 1, pgrp: 10, resident: 100, shared: 0 });
    put(20, { ppid: 1, pgrp: 10, resident: 50, shared: 0 });
    expect(new ProcessTrees(root).sample([10], 0).get(10)?.memoryBytes).toBe(150 * PAGE);
  });

  it('sees what a worker starts later, and not what ended', () => {
    const trees = new ProcessTrees(root);
    put(10, { ppid: 1, pgrp: 10, resident: 100, shared: 0 });
    trees.sample([10], 0);
    put(30, { ppid: 10, pgrp: 10, resident: 70, shared: 0 });
    expect(trees.sample([10], 1000).get(10)?.memoryBytes).toBe(170 * PAGE);
    rmSync(join(root, '30'), { recursive: true });
    expect(trees.sample([10], 2000).get(10)?.memoryBytes).toBe(100 * PAGE);
  });

  it('gives CPU as a share of one core, from the second sample on', () => {
    const trees = new ProcessTrees(root);
    put(10, { ppid: 1, pgrp: 10, resident: 1, shared: 0, ticks: 100 });
    expect(trees.sample([10], 0).get(10)?.cpuPercent).toBeNull();
    put(10, { ppid: 1, pgrp: 10, resident: 1, shared: 0, ticks: 125 });
    expect(trees.sample([10], 500).get(10)?.cpuPercent).toBe(50);
  });

  it('has no sample of a worker that is gone', () => {
    expect(new ProcessTrees(root).sample([10], 0).has(10)).toBe(false);
    expect(new ProcessTrees(root).memory([10]).size).toBe(0);
  });

  it('reads names with spaces and parentheses, and gives null for what is no number', () => {
    put(10, { ppid: 7, pgrp: 10, resident: 1, shared: 0, name: 'a) S 1 (b' });
    expect(readStat(10, root)?.ppid).toBe(7);
    writeFileSync(join(root, '10', 'statm'), 'rubbish');
    expect(readStatm(10, root)).toBeNull();
    expect(readStat(11, root)).toBeNull();
  });

  it('agrees with the real /proc about a child and its child', async () => {
    const child = spawn('sh', ['-c', 'sleep 30 & echo up; wait'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(child.stdout, 'data');
      const pid = child.pid as number;
      expect(listPids()).toContain(pid);
      const sample = new ProcessTrees().sample([pid], 0).get(pid);
      expect(sample?.processes).toBe(2);
      expect(sample?.memoryBytes).toBeGreaterThan(100 * 1024);
      expect(sample?.memoryBytes).toBeLessThan(50 * 1024 ** 2);
    } finally {
      process.kill(-(child.pid as number), 'SIGKILL');
      await once(child, 'close');
    }
  });
});
