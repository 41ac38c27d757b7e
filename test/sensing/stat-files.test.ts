import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { readStat } from '../../src/sensing/procfs.js';
import { StatFiles } from '../../src/sensing/stat-files.js';
import { FakeMachine } from './fake-machine.js';

const children: ChildProcess[] = [];
const opened: StatFiles[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const files of opened.splice(0)) files.close();
});

function stats(root?: string): StatFiles {
  const files = new StatFiles(root);
  opened.push(files);
  return files;
}

async function sleeper(): Promise<ChildProcess & { pid: number }> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child as ChildProcess & { pid: number };
}

/** Of this process, open ones that show a process of that pid. */
function descriptorsOf(pid: number): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `/proc/${pid}/stat`;
    } catch {
      // The listing's own, which is closed by now.
      return false;
    }
  }).length;
}

describe('of the system', () => {
  it('reads what a fresh look reads, from one descriptor', async () => {
    const { pid } = await sleeper();
    const files = stats();
    for (let i = 0; i < 5; i++) {
      // What it has of memory may still change: it has only just begun.
      const { ppid, pgrp, startTicks, threads } = readStat(pid)!;
      expect(files.read(pid)).toMatchObject({ pid, ppid, pgrp, startTicks, threads });
    }
    expect([files.open, descriptorsOf(pid)]).toEqual([1, 1]);
    const own = files.read(process.pid);
    // Three ticks of the clock that CPU time is counted with.
    for (const before = process.cpuUsage(); process.cpuUsage(before).user < 30_000; );
    expect(files.read(process.pid)!.cpuTicks).toBeGreaterThan(own!.cpuTicks);
  });

  it('sees that a process has ended, and gives its descriptor back', async () => {
    const child = await sleeper();
    const files = stats();
    expect(files.read(child.pid)?.pid).toBe(child.pid);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(files.read(child.pid)).toBeNull();
    expect([files.open, descriptorsOf(child.pid)]).toEqual([0, 0]);
    expect(files.read(child.pid)).toBeNull();
  });

  it('keeps those that are wanted', async () => {
    const [a, b] = [await sleeper(), await sleeper()];
    const files = stats();
    for (const { pid } of [a, b]) files.read(pid);
    files.keep(new Set([b.pid]));
    expect([files.open, descriptorsOf(a.pid), descriptorsOf(b.pid)]).toEqual([1, 0, 1]);
    expect(files.read(a.pid)?.pid).toBe(a.pid);
    files.close();
    expect([files.open, descriptorsOf(a.pid), descriptorsOf(b.pid)]).toEqual([0, 0, 0]);
  });

  it('reads without keeping anything open beyond its part of the descriptors', async () => {
    const pids = [await sleeper(), await sleeper(), await sleeper()].map(({ pid }) => pid);
    const files = new StatFiles('/proc', 2);
    opened.push(files);
    for (const pid of [...pids, ...pids]) expect(files.read(pid)?.pid).toBe(pid);
    expect([files.open, descriptorsOf(pids[2]!)]).toEqual([2, 0]);
  });
});

it('reads files of another file system anew: they may be deleted and made again', () => {
  const machine = new FakeMachine();
  const files = stats(machine.proc);
  machine.process(10, { resident: 7, startTicks: 1 });
  expect(files.read(10)).toMatchObject({ startTicks: 1 });
  machine.end(10);
  expect(files.read(10)).toBeNull();
  machine.process(10, { resident: 7, startTicks: 2 });
  expect(files.read(10)).toMatchObject({ startTicks: 2 });
  expect(files.open).toBe(0);
});
