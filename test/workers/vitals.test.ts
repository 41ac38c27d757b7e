import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, it } from 'vitest';
import type { Vitals } from '../../src/worker/protocol.js';
import { endWorkers, LiveWorkers } from '../support/live-workers.js';

afterAll(endWorkers);

const MIB = 1024 ** 2;

type Kind = 'process' | 'thread' | 'http';

/** A worker that does one thing to its memory or its loop, and how it is asked for it. */
async function start(kind: Kind, behaviour: 'leaks' | 'hoards' | 'burns' | 'blocks') {
  if (kind !== 'http') {
    const fixture = { leaks: 'leaks.mjs', hoards: 'caches.mjs', burns: 'burns.mjs', blocks: 'spin.mjs' }[behaviour];
    const worker = await LiveWorkers.model(kind, fixture).ready();
    return { worker, ask: (amount: number) => worker.predict(behaviour === 'hoards' ? `cache ${amount}` : amount) };
  }
  const [fixture, path] = {
    leaks: ['leaks.mjs', '/?mib='],
    hoards: ['caches.mjs', '/?mib='],
    burns: ['burns.mjs', '/?burn='],
    blocks: ['blocks.mjs', '/block?for='],
  }[behaviour] as [string, string];
  const worker = await (await LiveWorkers.http(fixture)).ready();
  return { worker, ask: (amount: number) => worker.call(`${path}${amount}`) };
}

// Side by side, since most of the time of these tests is waiting for the next beat.
describe.concurrent.each(['process', 'thread', 'http'] as const)('vitals of a worker (%s)', (kind) => {
  it('are numbers that belong together', async ({ expect }) => {
    const { worker } = await start(kind, 'burns');
    const vitals = await worker.vitals();
    expect(vitals.heapUsedBytes).toBeGreaterThan(MIB);
    expect(vitals.heapUsedBytes).toBeLessThanOrEqual(vitals.heapTotalBytes);
    expect(vitals.heapTotalBytes).toBeLessThan(vitals.heapLimitBytes);
    expect(vitals.arrayBufferBytes).toBeLessThanOrEqual(vitals.externalBytes);
    expect(vitals.utilisation).toBeGreaterThanOrEqual(0);
    expect(vitals.utilisation).toBeLessThanOrEqual(1);
    for (const value of [vitals.lagMs, vitals.gcCount, vitals.gcMs]) expect(value).toBeGreaterThanOrEqual(0);
  });

  it('show a leak of JavaScript objects in the heap, and after a collection in what lives', async ({ expect }) => {
    const { worker, ask } = await start(kind, 'leaks');
    const before = await worker.vitals();
    await ask(32);
    const after = await worker.vitals();
    expect(after.heapUsedBytes - before.heapUsedBytes).toBeGreaterThan(30 * MIB);
    expect(after.externalBytes - before.externalBytes).toBeLessThan(4 * MIB);
    await worker.cleanup('trim');
    const collected = await worker.vitals((vitals) => vitals.gcCount > after.gcCount);
    expect(collected.liveBytes).toBeGreaterThan(32 * MIB);
    expect(collected.liveBytes).toBeLessThan(collected.heapUsedBytes + collected.externalBytes + 4 * MIB);
    expect(collected.gcMs).toBeGreaterThan(0);
  });

  it('know of nothing that lives before the first full collection', async ({ expect }) => {
    const { worker } = await start(kind, 'blocks');
    expect((await worker.vitals()).liveBytes).toBeNull();
    await worker.cleanup('trim');
    expect((await worker.vitals(({ liveBytes }) => liveBytes !== null)).liveBytes).toBeGreaterThan(MIB);
  });

  it('show native memory that is hoarded outside of the heap', async ({ expect }) => {
    const { worker, ask } = await start(kind, 'hoards');
    const before = await worker.vitals();
    await ask(50);
    const after = await worker.vitals();
    expect(after.externalBytes - before.externalBytes).toBeGreaterThan(49 * MIB);
    expect(after.arrayBufferBytes - before.arrayBufferBytes).toBeGreaterThan(49 * MIB);
    expect(after.heapUsedBytes - before.heapUsedBytes).toBeLessThan(8 * MIB);
  });

  it('show a loop that is busy all the time, and then idle', async () => {
    const { worker, ask } = await start(kind, 'burns');
    const idle = ({ utilisation }: Vitals) => utilisation < 0.5;
    await worker.vitals(idle);
    const burning = ask(3000);
    await worker.vitals(({ utilisation }) => utilisation >= 0.9);
    await burning;
    await worker.vitals(idle);
  });

  // Right after a beat, when the measure starts anew; in the middle; over the time of the next beat.
  it('show in the next beat that the loop was blocked for 300 ms, whenever it was', async ({ expect }) => {
    const { worker, ask } = await start(kind, 'blocks');
    // An http worker's answer comes another way than its beats: it can't be told whether a beat at the same time is the next one.
    for (const afterBeatMs of kind === 'http' ? [40, 500] : [0, 40, 500, 850, 950]) {
      await worker.vitals();
      await sleep(afterBeatMs);
      await ask(300);
      const answered = worker.messages.findLastIndex(({ type }) => type === 'result');
      const { lagMs } = await worker.vitals(undefined, kind === 'http' ? undefined : answered);
      expect(lagMs, `${afterBeatMs} ms after a beat`).toBeGreaterThanOrEqual(200);
    }
  });
});

describe.concurrent('vitals of threads of one host', () => {
  it('are each one’s own', async ({ expect }) => {
    const workers = LiveWorkers.model('thread', 'leaks.mjs');
    const [leaky, sibling] = [await workers.ready(), await workers.ready()];
    expect(leaky.pid).toBe(sibling.pid);
    const before = [await leaky.vitals(), await sibling.vitals()] as const;
    await leaky.predict(32);
    const after = [await leaky.vitals(), await sibling.vitals()] as const;
    expect(after[0].heapUsedBytes - before[0].heapUsedBytes).toBeGreaterThan(30 * MIB);
    expect(Math.abs(after[1].heapUsedBytes - before[1].heapUsedBytes)).toBeLessThan(4 * MIB);
    await leaky.cleanup('trim');
    await leaky.vitals(({ liveBytes }) => liveBytes !== null);
    expect((await sibling.vitals()).liveBytes).toBeNull();
  });

  it('tell native memory and a busy loop apart', async ({ expect }) => {
    const [hoards, burns] = [LiveWorkers.model('thread', 'caches.mjs'), LiveWorkers.model('thread', 'burns.mjs')];
    const [hoarder, other] = [await hoards.ready(), await hoards.ready()];
    const before = await other.vitals();
    await hoarder.predict('cache 50');
    await hoarder.vitals(({ externalBytes }) => externalBytes > 50 * MIB);
    expect((await other.vitals()).externalBytes - before.externalBytes).toBeLessThan(4 * MIB);

    const [burner, idle] = [await burns.ready(), await burns.ready()];
    const burning = burner.predict(3000);
    await burner.vitals(({ utilisation }) => utilisation >= 0.9);
    expect((await idle.vitals()).utilisation).toBeLessThan(0.5);
    await burning;
  });
});

describe.concurrent('vitals of an http worker', () => {
  it('keep no program alive', async ({ expect }) => {
    const worker = (await LiveWorkers.http('ends.mjs')).launch();
    await worker.vitals();
    expect(await worker.exited).toEqual({ code: 0, signal: null, message: null });
  });

  it('need nothing that the program may have replaced', async ({ expect }) => {
    const worker = await (await LiveWorkers.http('patches.mjs')).ready();
    const from = worker.messages.length + 1;
    const { heapUsedBytes, utilisation } = await worker.vitals(undefined, from);
    expect(heapUsedBytes).toBeGreaterThan(MIB);
    expect(utilisation).toBeLessThan(0.5);
    expect((await worker.cleanup('trim')).passes).toBeGreaterThanOrEqual(1);
  });
});
