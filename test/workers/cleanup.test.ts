import { afterAll, describe, it } from 'vitest';
import { endWorkers, type LiveWorker, LiveWorkers, PACKAGE } from '../support/live-workers.js';

afterAll(endWorkers);

const MIB = 1024 ** 2;
const live = (worker: LiveWorker) => worker.cleanup('trim').then(({ after }) => after.liveBytes);

describe.concurrent.each(['process', 'thread', 'http'] as const)('cleanup (%s)', (kind) => {
  const hoarder = async () =>
    kind === 'http' ? (await LiveWorkers.http('caches.mjs')).ready() : LiveWorkers.model(kind, 'caches.mjs').ready();
  const hoard = (worker: LiveWorker, mib: number) =>
    kind === 'http' ? worker.call(`/?mib=${mib}`) : worker.predict(`cache ${mib}`);

  it('frees what a hook drops', async ({ expect }) => {
    const worker = await hoarder();
    await hoard(worker, 100);
    const full = await worker.vitals();
    expect(full.externalBytes).toBeGreaterThanOrEqual(100 * MIB);
    const { level, passes, before, after, errors } = await worker.cleanup('trim');
    expect({ level, errors }).toEqual({ level: 'trim', errors: [] });
    expect(passes).toBeGreaterThanOrEqual(2);
    expect(passes).toBeLessThanOrEqual(3);
    expect(before.liveBytes - after.liveBytes).toBeGreaterThan(95 * MIB);
    expect(before.rssBytes - after.rssBytes).toBeGreaterThan(50 * MIB);
    const { externalBytes, arrayBufferBytes } = await worker.vitals();
    expect(externalBytes).toBeLessThan(10 * MIB);
    expect(arrayBufferBytes).toBeLessThan(10 * MIB);
  });
});

describe.concurrent.each(['process', 'thread'] as const)('cleanup of a model (%s)', (isolation) => {
  const withHooks = (...hooks: string[]) => {
    const options = { package: PACKAGE, hooks };
    return LiveWorkers.model(isolation, 'cleanup-hooks.mjs', { options }).ready();
  };

  it('only collects garbage where no more is asked for', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'litters.mjs').ready();
    await worker.predict('hold 20');
    // No collection of the engine's own is under way from here on.
    const full = await worker.cleanup('collect');
    await worker.predict('drop');
    const { level, passes, after, errors } = await worker.cleanup('collect');
    expect({ level, errors }).toEqual({ level: 'collect', errors: [] });
    expect(passes).toBeGreaterThanOrEqual(2);
    expect(full.after.liveBytes - after.liveBytes).toBeGreaterThan(18 * MIB);
    expect(await worker.predict('')).toEqual([]);
  });

  it('keeps what the model needs', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'caches.mjs').ready();
    await worker.predict('keep 50');
    expect(await live(worker)).toBeGreaterThan(50 * MIB);
    expect(await worker.predict('')).toEqual({ cached: 0, kept: 50 });
  });

  it('tells the level to the model and to every hook that is registered still', async ({ expect }) => {
    const worker = await withHooks('notes');
    await worker.cleanup('trim');
    await worker.cleanup('emergency');
    const calls = await worker.predict<string[]>('');
    expect(calls.toSorted()).toEqual(['model emergency', 'model trim', 'notes emergency', 'notes trim']);
  });

  it('names hooks that throw or hang, within 5 s, and calls none that still hangs', async ({ expect }) => {
    const worker = await withHooks('throws', 'hangs', 'notes');
    const startedMs = performance.now();
    const { errors, passes } = await worker.cleanup('trim');
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(errors.toSorted()).toEqual(['hangs: did not settle within 3 s', 'throws: cannot let go']);
    expect(passes).toBeGreaterThanOrEqual(1);
    const again = await worker.cleanup('trim');
    expect(again.errors.toSorted()).toEqual(['hangs: still busy with an earlier cleanup', 'throws: cannot let go']);
    const calls = await worker.predict<string[]>('');
    expect(calls.filter((call) => call === 'hangs trim')).toHaveLength(1);
    expect(calls.filter((call) => call === 'notes trim')).toHaveLength(2);
  });

  it('joins one of the same level; an emergency does not wait for a trim', async ({ expect }) => {
    const worker = await withHooks('hangs', 'notes');
    const order: string[] = [];
    const ask = async (level: 'trim' | 'emergency', name: string) => {
      const answer = await worker.cleanup(level);
      order.push(name);
      return answer;
    };
    const [first, second] = [ask('trim', 'first'), ask('trim', 'second')];
    const third = ask('emergency', 'third');
    expect((await first).id).not.toBe((await second).id);
    expect((await first).errors).toEqual((await second).errors);
    expect((await third).level).toBe('emergency');
    // Nor does a trim do what an emergency is doing.
    await Promise.all([worker.cleanup('emergency'), worker.cleanup('trim')]);
    const calls = await worker.predict<string[]>('');
    expect(calls.filter((call) => call === 'notes trim')).toHaveLength(1);
    expect(calls.filter((call) => call === 'notes emergency')).toHaveLength(2);
  });

  it('waits for no prediction, and breaks none', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'echo.mjs').ready();
    const { batch, outcome } = worker.start('wait');
    expect((await worker.cleanup('emergency')).passes).toBeGreaterThanOrEqual(1);
    expect(worker.messages.some(({ type }) => type === 'result')).toBe(false);
    worker.send({ type: 'abort', batch });
    expect(await outcome).toEqual({ ok: true, output: 'ABORTED' });
  });

  it('only collects garbage while the model loads', async ({ expect }) => {
    const worker = LiveWorkers.model(isolation, 'load-hangs.mjs').launch();
    await worker.seen(({ type }) => type === 'hello');
    const { passes, errors } = await worker.cleanup('emergency');
    expect(passes).toBeGreaterThanOrEqual(1);
    expect(errors).toEqual([]);
  });

  it('leaves nothing behind that a program could see', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'globals.mjs').ready();
    await worker.cleanup('trim');
    expect(await worker.predict('')).toEqual(['undefined', 'undefined']);
  });

  it('closes resources that may be opened again in an emergency only, and opens them anew when they are asked for', async ({
    expect,
  }) => {
    const worker = await LiveWorkers.model(isolation, 'reopens.mjs', { concurrency: 3 }).ready();
    const first = await worker.predict<{ db: string; log: string[] }>('');
    expect(first).toEqual({ db: 'db2', log: ['open kept1', 'open db2'] });
    await worker.cleanup('trim');
    expect((await worker.predict<{ db: string }>('')).db).toBe('db2');
    await worker.cleanup('emergency');
    const { db, log } = await worker.predict<{ db: string; log: string[] }>('');
    expect(db).toBe('db3');
    expect(log.slice(2)).toEqual(['cleanup trim', 'cleanup emergency', 'close db2', 'open db3']);
  });

  it('leaves a resource to the predictions that have it', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'reopens.mjs', { concurrency: 3 }).ready();
    const held = worker.start('hold');
    const cleaned = worker.cleanup('emergency');
    let other = await worker.predict<{ db: string; log: string[] }>('');
    while (other.db === 'db2') other = await worker.predict('');
    expect(other.log).not.toContain('close db2');
    worker.send({ type: 'abort', batch: held.batch });
    expect(await held.outcome).toMatchObject({ ok: true, output: { db: 'db2' } });
    expect((await cleaned).errors).toEqual([]);
    const { db, log } = await worker.predict<{ db: string; log: string[] }>('');
    expect([db, ...log]).toEqual(['db3', 'open kept1', 'open db2', 'cleanup emergency', 'open db3', 'close db2']);
  });

  it('names a resource that stays with a prediction for too long, and closes it later', async ({ expect }) => {
    const worker = await LiveWorkers.model(isolation, 'reopens.mjs', { concurrency: 3 }).ready();
    const held = worker.start('hold');
    expect((await worker.cleanup('emergency')).errors).toEqual(['cleanup: did not settle within 3 s']);
    worker.send({ type: 'abort', batch: held.batch });
    await held.outcome;
    expect((await worker.predict<{ log: string[] }>('')).log).toContain('close db2');
  });
});

describe.concurrent('cleanup of the threads of a host', () => {
  it('is possible in all of them at once', async ({ expect }) => {
    const workers = LiveWorkers.model('thread', 'echo.mjs');
    const threads = await Promise.all(Array.from({ length: 6 }, () => workers.ready()));
    // They ask one engine for its collector, which is a matter of a flag that belongs to all of them.
    for (let round = 0; round < 10; round++)
      for (const { passes, errors } of await Promise.all(threads.map((thread) => thread.cleanup('trim'))))
        expect({ passes: passes > 0, errors }).toEqual({ passes: true, errors: [] });
  });
});

describe.concurrent('cleanup of an http app', () => {
  it('collects garbage without any hook, and goes on serving', async ({ expect }) => {
    const worker = await (await LiveWorkers.http('bare.mjs')).ready();
    expect(await worker.cleanup('emergency')).toMatchObject({ level: 'emergency', errors: [] });
    expect((await worker.call('/')).text).toBe('hello');
  });
});
