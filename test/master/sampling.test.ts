import { expect, it } from 'vitest';
import type { App } from '../../src/apps/app.js';
import { ManualClock } from '../../src/clock.js';
import { Sampling } from '../../src/master/sampling.js';
import type { Sampler } from '../../src/sensing/sampler.js';

it('counts a process that is kept without a worker as memory of the box', () => {
  const clock = new ManualClock();
  const asked: (readonly number[])[] = [];
  const sampler = {
    sample(pids: readonly number[]) {
      asked.push(pids);
      return { trees: new Map(), machine: { gpuProcesses: null }, master: null };
    },
  } as unknown as Sampler;
  const pools = new Map([
    ['v1', { keptPid: 42, workers: [] }],
    ['v2', { keptPid: null, workers: [] }],
  ]);
  const apps = () => [{ pools } as unknown as App];
  new Sampling({ clock, sampler, apps, onSnapshot: () => {}, boxClose: () => false, onUsed: () => {} });
  clock.advance(1000);
  expect(asked).toEqual([[42]]);
});
