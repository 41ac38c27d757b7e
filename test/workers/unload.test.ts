import { afterAll, describe, it } from 'vitest';
import type { UnloadedMessage } from '../../src/worker/protocol.js';
import { endWorkers, type LiveWorker, LiveWorkers } from '../support/live-workers.js';

afterAll(endWorkers);

const MIB = 1024 ** 2;

/** As the pool asks for it. */
async function unload(worker: LiveWorker): Promise<UnloadedMessage | null> {
  worker.send({ type: 'unload' });
  await worker.exited;
  return worker.messages.find((message) => message.type === 'unloaded') ?? null;
}

describe.concurrent.each(['process', 'thread'] as const)('unloading (%s)', (isolation) => {
  it('tells what it gave back, after the model is gone and before the worker ends', async ({ expect }) => {
    const workers = LiveWorkers.model(isolation, 'hoards-until-unload.mjs', { options: { mib: 100 } });
    const [worker] = await Promise.all([workers.ready(), workers.ready()]);
    const unloaded = await unload(worker);
    if (!unloaded) throw new Error('it said nothing');
    const { before, after, errors } = unloaded;
    expect(errors).toEqual([]);
    expect(before.liveBytes - after.liveBytes).toBeGreaterThan(95 * MIB);
    expect(before.rssBytes - after.rssBytes).toBeGreaterThan(80 * MIB);
    expect(after.liveBytes).toBeLessThan(20 * MIB);
  });

  it('tells what it counted last', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'echo.mjs').ready();
    await worker.predict('a');
    await unload(worker);
    const beats = worker.messages.filter((message) => message.type === 'heartbeat');
    expect(beats.at(-1)?.requests).toBe(1);
  });

  it('tells that unload threw', async ({ expect }) => {
    const options = { mib: 10, throws: true };
    const worker = await LiveWorkers.model(isolation, 'hoards-until-unload.mjs', { options }).ready();
    expect((await unload(worker))?.errors).toEqual(['unload failed: will not go']);
  });

  it('tells what could not be closed', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'slow-unload.mjs', { options: { unloadMs: 0 } }).ready();
    expect((await unload(worker))?.errors).toEqual(['closing broken failed: will not close']);
  });

  it('tells nothing of a model that was never loaded', async ({ expect }) => {
    const worker = LiveWorkers.model(isolation, 'load-hangs.mjs').launch();
    await worker.seen(({ type }) => type === 'hello');
    expect(await unload(worker)).toBeNull();
  });
});
