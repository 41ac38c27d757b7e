import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { ProcessTrees } from '../../src/sensing/process-trees.js';
import { listPids, openFilesCounter, readProportional, readStat, readStatm } from '../../src/sensing/procfs.js';
import { FakeMachine, PAGE } from './fake-machine.js';

const KIB = 1024;
let machine: FakeMachine;
let trees: ProcessTrees;

beforeEach(() => {
  machine = new FakeMachine();
  trees = new ProcessTrees(machine.proc);
});

describe('ProcessTrees', () => {
  it('counts the whole tree, and pages that are shared once', () => {
    machine.process(10, { resident: 1000, shared: 300, threads: 7, vmsBytes: 5000 });
    machine.process(11, { ppid: 10, pgrp: 10, resident: 500, shared: 300, vmsBytes: 600 });
    machine.process(12, { ppid: 11, pgrp: 12, resident: 200, shared: 100, threads: 2, vmsBytes: 70 });
    machine.process(99, { resident: 5000 });
    expect(trees.sample([10], 0).get(10)).toEqual({
      memoryBytes: (700 + 200 + 100 + 300) * PAGE,
      ownBytes: (700 + 200 + 100) * PAGE,
      vmsBytes: 5670,
      pssBytes: null,
      ussBytes: null,
      cpuPercent: null,
      threads: 10,
      openFiles: null,
      processes: 3,
    });
  });

  it('finds children whose parent is gone by their process group', () => {
    machine.process(10, { resident: 100 });
    machine.process(20, { ppid: 1, pgrp: 10, resident: 50 });
    expect(trees.sample([10], 0).get(10)?.memoryBytes).toBe(150 * PAGE);
  });

  it('bears parents that go round in a circle, as they may when they are read one after the other', () => {
    machine.process(10, { resident: 100 });
    machine.process(11, { ppid: 12, resident: 7 });
    machine.process(12, { ppid: 11, resident: 7 });
    expect(trees.sample([10], 0).get(10)?.memoryBytes).toBe(100 * PAGE);
  });

  it('sees what a worker starts later, and not what ended', () => {
    machine.process(10, { resident: 100 });
    trees.sample([10], 0);
    machine.process(30, { ppid: 10, pgrp: 10, resident: 70 });
    expect(trees.sample([10], 1000).get(10)?.memoryBytes).toBe(170 * PAGE);
    machine.end(30);
    expect(trees.sample([10], 2000).get(10)?.memoryBytes).toBe(100 * PAGE);
  });

  it('gives CPU as a share of one core, from the second sample on', () => {
    machine.process(10, { resident: 1, ticks: 100 });
    expect(trees.sample([10], 0).get(10)?.cpuPercent).toBeNull();
    machine.process(10, { resident: 1, ticks: 125 });
    machine.process(11, { ppid: 10, pgrp: 10, resident: 1, ticks: 10 });
    expect(trees.sample([10], 500).get(10)?.cpuPercent).toBe(70);
  });

  it('has no CPU where a counter went backwards, where no time has passed, or of a process that is new under its pid', () => {
    const percentAt = (now: number, ticks: number, startTicks = 5) => {
      machine.process(10, { resident: 1, ticks, startTicks });
      return trees.sample([10], now).get(10)?.cpuPercent;
    };
    percentAt(0, 100);
    expect(percentAt(1000, 90)).toBeNull();
    expect(percentAt(2000, 95)).toBe(5);
    expect(percentAt(2000, 99)).toBeNull();
    expect(percentAt(3000, 200, 6)).toBeNull();
    expect(percentAt(4000, 210, 6)).toBe(10);
  });

  it('has no sample of a worker that is gone', () => {
    expect(trees.sample([10], 0).has(10)).toBe(false);
    expect(trees.memory([10]).size).toBe(0);
  });

  it('tells the part of the box from PSS, moved by what the memory has changed since', () => {
    machine.process(10, { resident: 1000, shared: 900, pss: 2000, uss: 300, files: 3 });
    expect(trees.sample([10], 0).get(10)).toMatchObject({
      memoryBytes: 1000 * PAGE,
      ownBytes: 2000 * KIB,
      pssBytes: 2000 * KIB,
      ussBytes: 300 * KIB,
      openFiles: 3,
    });
    machine.process(10, { resident: 1500, shared: 900, pss: 7777, uss: 7777, files: 5 });
    expect(trees.sample([10], 1000).get(10)).toMatchObject({
      ownBytes: 2000 * KIB + 500 * PAGE,
      pssBytes: 2000 * KIB,
      openFiles: 3,
    });
    machine.process(10, { resident: 1, shared: 0, pss: 4, uss: 4, files: 5 });
    expect(trees.sample([10], 2000).get(10)?.ownBytes).toBe(0);
  });

  it('tells the part of the box from private pages where PSS may not be read', () => {
    machine.process(10, { resident: 1000, shared: 900 });
    const sample = trees.sample([10], 0).get(10);
    expect(sample).toMatchObject({ ownBytes: 100 * PAGE, pssBytes: null, ussBytes: null, openFiles: null });
  });

  it('has no PSS of a tree while one of its processes was not read yet, but its part of the box', () => {
    machine.process(10, { resident: 1000, shared: 900, pss: 2000, uss: 1, files: 1 });
    machine.process(11, { ppid: 10, pgrp: 10, resident: 100, shared: 40, pss: 50, uss: 1, files: 1 });
    const first = trees.sample([10], 0).get(10);
    expect(first).toMatchObject({ pssBytes: null, ownBytes: 2000 * KIB + 60 * PAGE });
    expect(trees.sample([10], 1000).get(10)).toMatchObject({ pssBytes: 2050 * KIB, openFiles: 2 });
  });

  it('counts a process that ended, and whose parent has not asked, for nothing', () => {
    machine.process(10, { resident: 1000, pss: 2000, uss: 1, files: 1 });
    machine.process(11, { ppid: 10, pgrp: 10, resident: 0, vmsBytes: 0 });
    expect(trees.sample([10], 0).get(10)).toMatchObject({ pssBytes: 2000 * KIB, openFiles: 1, processes: 2 });
  });

  it('samples one process without its descendants beside the trees', () => {
    machine.process(5, { resident: 300, ticks: 10 });
    machine.process(10, { ppid: 5, resident: 100, ticks: 10 });
    trees.sampleWith(5, [10], 0);
    machine.process(5, { resident: 300, ticks: 15 });
    machine.process(10, { ppid: 5, resident: 100, ticks: 30 });
    const { alone, trees: sampled } = trees.sampleWith(5, [10], 1000);
    expect(alone).toMatchObject({ memoryBytes: 300 * PAGE, processes: 1, cpuPercent: 5 });
    expect(sampled.get(10)).toMatchObject({ memoryBytes: 100 * PAGE, processes: 1, cpuPercent: 20 });
    expect(trees.sampleWith(5, [5], 2000)).toMatchObject({ alone: { processes: 1 } });
    expect(trees.sampleWith(6, [], 3000).alone).toBeNull();
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
      const real = new ProcessTrees();
      real.sample([pid], 0);
      const sample = real.sample([pid], 1000).get(pid);
      expect(sample?.processes).toBe(2);
      expect(sample?.threads).toBe(2);
      expect(sample?.memoryBytes).toBeGreaterThan(100 * KIB);
      expect(sample?.memoryBytes).toBeLessThan(50 * KIB ** 2);
      expect(sample?.vmsBytes).toBeGreaterThan(sample?.memoryBytes ?? 0);
      expect(sample?.pssBytes).toBeGreaterThan(sample?.ussBytes ?? Number.POSITIVE_INFINITY);
      expect(sample?.pssBytes).toBeLessThan(sample?.memoryBytes ?? 0);
      expect(sample?.openFiles).toBeGreaterThanOrEqual(6);
    } finally {
      process.kill(-(child.pid as number), 'SIGKILL');
      await once(child, 'close');
    }
  });
});

describe('what /proc says of one process', () => {
  it('is read past names with spaces and parentheses', () => {
    machine.process(10, { ppid: 7, resident: 1, name: 'a) S 1 (b' });
    expect(readStat(10, machine.proc)?.ppid).toBe(7);
  });

  it('is null where a part is larger than the whole', () => {
    machine.process(10, { resident: 5, shared: 6 });
    expect(readStatm(10, machine.proc)).toBeNull();
  });

  it('is null where it is gone, or no number', () => {
    machine.process(10, { resident: 1, pss: 1 });
    expect(readStat(11, machine.proc)).toBeNull();
    machine.write({
      'proc/10/statm': 'rubbish',
      'proc/10/smaps_rollup': 'Pss: x kB\n',
      'proc/10/stat': '10 (node) S 1',
    });
    expect(readStat(10, machine.proc)).toBeNull();
    expect(readStatm(10, machine.proc)).toBeNull();
    expect(readProportional(10, machine.proc)).toBeNull();
    expect(openFilesCounter(machine.proc)(10)).toBeNull();
  });

  it('tells the open files of a real process, of this one or of one that is gone', () => {
    const openFiles = openFilesCounter();
    expect(openFiles(process.pid)).toBeGreaterThan(3);
    expect(openFiles(2 ** 22 + 1)).toBeNull();
  });
});
