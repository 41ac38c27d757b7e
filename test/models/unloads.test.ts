import { expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { MemoryLedger } from '../../src/models/memory-ledger.js';
import type { Model } from '../../src/models/model.js';
import { Unloads } from '../../src/models/unloads.js';
import { turn } from '../support/fake-pool.js';

it('a trim is settled when a sample was taken after it, and told then', async () => {
  const clock = new ManualClock();
  const said: string[] = [];
  let cleaned = () => {};
  const unloads = new Unloads({
    clock,
    ledger: new MemoryLedger(),
    decided: (_subject, _policy, { action }) => said.push(action),
    tracks: () => true,
    usedBytes: () => null,
    changed() {},
    gone() {},
    ended() {},
  });
  const ask = () => new Promise<void>((resolve) => (cleaned = resolve));
  const worker = { pid: null, thread: null, cleaning: { ask } };
  void unloads.trim({ name: 'm@v1', pool: { workers: [worker] } } as unknown as Model, 'why');
  expect([unloads.settled, said]).toEqual([false, ['trim']]);
  clock.advance(100);
  unloads.sampled(clock.now());
  cleaned();
  await turn();
  // The sample came before its end.
  expect([unloads.settled, said]).toEqual([false, ['trim']]);
  clock.advance(100);
  unloads.sampled(clock.now());
  expect([unloads.settled, said]).toEqual([true, ['trim', 'freed']]);
});
