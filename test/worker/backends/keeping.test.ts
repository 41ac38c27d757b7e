import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { isAlive } from '../../../src/worker/kill.js';
import { FIXTURES } from '../../support/box.js';
import { endWorkers, type LiveWorker, LiveWorkers } from '../../support/live-workers.js';

afterAll(endWorkers);

interface Memory {
  loads: number;
  worker: string;
  env: string;
  pid: number;
}

const isolations = ['process', 'thread'] as const;
const workersOf = (isolation: (typeof isolations)[number], keep = true, fixture = 'remembers.mjs') =>
  LiveWorkers.model(isolation, fixture, { keep, options: { mib: 100 } });
const parked = (worker: LiveWorker) => worker.messages.some(({ type }) => type === 'unloaded');

describe.concurrent.each(isolations)('a %s whose model is unloaded', (isolation) => {
  it('stays for the next load, which is another worker', async ({ expect }) => {
    const workers = workersOf(isolation);
    const pids = new Set<number>();
    for (let round = 1; round <= 3; round++) {
      const worker = await workers.ready(0);
      pids.add(worker.pid);
      const memory = await worker.predict<Memory>('');
      const name = `app@v1/${round}`;
      // A thread imports its module anew; a process does not.
      const loads = isolation === 'process' ? round : 1;
      expect(memory).toEqual({ loads, worker: name, env: name, pid: worker.pid });
      expect(workers.keptPid).toBeNull();
      const exit = await worker.park();
      expect(exit.signal).toBeNull();
      expect(parked(worker)).toBe(true);
      expect(workers.keptPid).toBe(worker.pid);
    }
    expect(pids.size).toBe(1);
    await workers.release();
    expect(workers.keptPid).toBeNull();
    expect(isAlive([...pids][0] as number)).toBe(false);
  });

  it('ends where it is not to stay', async ({ expect }) => {
    const workers = workersOf(isolation, false);
    const worker = await workers.ready(0);
    expect(await worker.park()).toMatchObject({ code: 0, signal: null });
    expect(parked(worker)).toBe(true);
    expect(workers.keptPid).toBeNull();
    expect(isAlive(worker.pid)).toBe(false);
  });

  it('ends where it is not wanted any more when its model is gone', async ({ expect }) => {
    const workers = workersOf(isolation);
    const worker = await workers.ready(0);
    await worker.park(false);
    expect(workers.keptPid).toBeNull();
    expect(isAlive(worker.pid)).toBe(false);
  });

  it('may die without anybody noticing', async ({ expect }) => {
    const workers = workersOf(isolation);
    const first = await workers.ready(0);
    await first.park();
    process.kill(first.pid, 'SIGKILL');
    await expect.poll(() => workers.keptPid).toBeNull();
    const second = await workers.ready(0);
    expect(second.pid).not.toBe(first.pid);
    expect((await second.predict<Memory>('')).loads).toBe(1);
  });

  it('is left alone when a model is loaded while it was on its way out', async ({ expect }) => {
    const workers = workersOf(isolation);
    const first = await workers.ready(0);
    const exited = first.park();
    const second = await workers.ready(0);
    await exited;
    expect((await second.predict<Memory>('')).worker).toBe('app@v1/2');
  });
});

describe.concurrent('a process whose model is unloaded', () => {
  it('ends when its memory does not come back', async ({ expect }) => {
    const workers = workersOf('process');
    const worker = await workers.ready(0);
    await worker.predict('keep 60');
    await worker.park();
    expect(workers.keptPid).toBeNull();
    expect(isAlive(worker.pid)).toBe(false);
  });

  it('gives way to a fresh one when its module was edited', async ({ expect }) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'keeping-'));
    const module = path.join(folder, 'model.mjs');
    copyFileSync(path.join(FIXTURES, 'models/remembers.mjs'), module);
    const workers = workersOf('process', true, module);
    const first = await workers.ready(0);
    await first.park();
    expect(workers.keptPid).toBe(first.pid);
    writeFileSync(module, readFileSync(module, 'utf8').replace('let loads = 0', 'let loads = 41'));
    const second = await workers.ready(0);
    expect((await second.predict<Memory>('')).loads).toBe(42);
    await expect.poll(() => isAlive(first.pid)).toBe(false);
    rmSync(folder, { recursive: true });
  });

  it('is one alone, and of its own place', async ({ expect }) => {
    const workers = workersOf('process');
    const [first, second] = await Promise.all([workers.ready(0), workers.ready(1)]);
    await Promise.all([first.park(), second.park()]);
    const kept = workers.keptPid;
    expect([first.pid, second.pid].filter((pid) => isAlive(pid))).toEqual([kept]);
    const other = await workers.ready(kept === first.pid ? 1 : 0);
    expect(other.pid).not.toBe(kept);
    await expect.poll(() => isAlive(kept as number)).toBe(false);
  });
});
