import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision } from '../../src/master/supervisor.js';
import { Box, isRunning, request, until } from '../support/box.js';
import { expectAllAnswered, Ledger } from '../support/ledger.js';
import { Models, outputsOf } from '../support/models.js';

const ISOLATIONS = ['process', 'thread'] as const;
const MIB = 1024 ** 2;
/** A worker is not recycled before this age. */
const FLOOR_SECONDS = 10;
/** A sample a second, two in a row for the soft limit, and slack for a busy machine. */
const SOON_MS = 10_000;

describe('a model', () => {
  let box: Box;
  let models: Models;

  beforeAll(async () => {
    const apps = ISOLATIONS.flatMap((isolation) => {
      const app = (name: string, module: string, recycle: string, more = '') =>
        `  ${isolation}-${name}: { module: $FIXTURES/models/${module}.mjs, isolation: ${isolation}${more}, recycle: { ${recycle}, jitter: 0% } }`;
      return [
        app('users', 'echo', 'max_users: 3, user_key: header:x-user-id'),
        app('requests', 'echo', 'max_requests: 20'),
        app('age', 'echo', 'max_age: 10s'),
        app('memory', 'echo', 'max_memory: 200MiB'),
        app('three', 'journal', 'max_requests: 5', `, workers: 3, options: { journal: ${isolation}.txt, loadMs: 700 }`),
      ];
    });
    box = await Box.shared(`apps:
${apps.join('\n')}
  hard: { module: $FIXTURES/models/echo.mjs, recycle: { max_memory: 150MiB } }
  tree: { module: $FIXTURES/models/hoards-in-child.mjs, recycle: { max_memory: 300MiB } }
`);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  async function decision(app: string, action = 'recycle'): Promise<Decision> {
    const { json } = await box.api('GET', `/api/decisions?subject=${app}&policy=recycle`);
    const { decisions } = json as { decisions: Decision[] };
    const found = decisions.find((d) => d.action === action);
    if (!found) throw new Error(`no '${action}' of ${app} in ${JSON.stringify(decisions)}`);
    return found;
  }

  const old = (app: string) =>
    until(async () => (await models.worker(app)).age_seconds > FLOOR_SECONDS, `${app} to be old enough`);

  /** The first worker has gone, and a fresh one serves. */
  async function replaced(app: string): Promise<void> {
    await until(async () => {
      const { workers, recycles } = await box.row(app);
      return recycles === 1 && workers.length === 1 && workers[0]?.id === `${app}@v1/2` && workers[0].state === 'ready';
    }, `${app} to be replaced`);
    expect(await box.row(app)).toMatchObject({ restarts: 0, state: 'online' });
    expect((await models.ask(app, 'next')).json).toMatchObject({ outputs: 'NEXT', worker: `${app}@v1/2` });
  }

  it.concurrent('is killed at once above 120 % of max_memory, whatever its age', async () => {
    // Killed before it could answer, it is tried again with the same end.
    await models.ask('hard', 'hoard 200');
    await until(async () => (await box.row('hard')).recycles > 0, 'it to be killed', SOON_MS);
    const { reason, numbers } = await decision('hard', 'kill');
    expect([reason, numbers.hard_limit_bytes]).toEqual(['memory over the hard limit', 180 * MIB]);
    expect(numbers.memory_bytes).toBeGreaterThan(180 * MIB);
    await until(async () => (await box.row('hard')).ready === 1, 'a fresh worker');
    expect((await models.ask('hard', 'next')).json).toMatchObject({ outputs: 'NEXT' });
    expect(await box.row('hard')).toMatchObject({ restarts: 0 });
  });

  it.concurrent('carries the memory of its whole process tree, and takes the tree with it when it ends', async () => {
    const child = outputsOf<number>(await models.ask('tree', 150));
    await until(async () => ((await models.worker('tree')).memory_bytes ?? 0) > 200 * MIB, 'its child to be seen');
    expect(await box.row('tree')).toMatchObject({ recycles: 0 });
    const { pid } = await models.worker('tree');
    await models.ask('tree', 300);
    await until(async () => (await box.row('tree')).recycles > 0, 'it to be killed', SOON_MS);
    expect((await decision('tree', 'kill')).numbers.memory_bytes).toBeGreaterThan(360 * MIB);
    await until(() => !isRunning(pid) && !isRunning(child), 'all of them to be gone');
  });

  it.concurrent.each(ISOLATIONS)('in a %s is recycled after max_users, named by body or header', async (isolation) => {
    const app = `${isolation}-users`;
    for (const user of ['ann', 'ben', 'ann']) await models.ask(app, 'x', { user });
    expect(await models.worker(app)).toMatchObject({ users: 2, requests: 3 });
    await old(app);
    expect(await models.worker(app)).toMatchObject({ id: `${app}@v1/1` });
    const { status } = await request(box.inference, 'POST', `/predict/${app}`, { inputs: 'x' }, { 'x-user-id': 'cat' });
    expect(status).toBe(200);
    await replaced(app);
    expect(await decision(app)).toMatchObject({ reason: 'users', numbers: { users: 3, limit: 3 } });
  });

  it.concurrent.each(ISOLATIONS)('in a %s is recycled after max_requests', async (isolation) => {
    const app = `${isolation}-requests`;
    for (let i = 0; i < 20; i++) await models.ask(app, 'x');
    await replaced(app);
    const { reason, numbers } = await decision(app);
    expect([reason, numbers]).toEqual(['requests', { requests: 20, limit: 20 }]);
  });

  it.concurrent.each(ISOLATIONS)('in a %s is recycled at max_age', async (isolation) => {
    const app = `${isolation}-age`;
    // The fresh one ages too.
    await until(async () => (await box.row(app)).recycles > 0, `${app} to be recycled`);
    expect(await box.row(app)).toMatchObject({ ready: 1, restarts: 0 });
    const { reason, numbers } = await decision(app);
    expect([reason, numbers]).toEqual(['age', { age_ms: expect.any(Number), limit_ms: 10_000 }]);
    expect(numbers.age_ms).toBeGreaterThanOrEqual(10_000);
  });

  it.concurrent.each(ISOLATIONS)('in a %s is recycled above max_memory', async (isolation) => {
    const app = `${isolation}-memory`;
    await old(app);
    const { pid, memory_bytes } = await models.worker(app);
    // Over the limit, and not over its 120 %.
    const missing = Math.round((1.08 * 200 * MIB - (memory_bytes ?? 0)) / MIB);
    expect(outputsOf(await models.ask(app, `hoard ${missing}`))).toBe('HOARDED');
    await replaced(app);
    const { reason, numbers } = await decision(app);
    expect([reason, numbers.limit_bytes]).toEqual(['memory over the limit twice', 200 * MIB]);
    expect(numbers.memory_bytes).toBeGreaterThan(200 * MIB);
    expect(numbers.previous_bytes).toBeGreaterThan(200 * MIB);
    // A host gives memory back only by ending.
    expect((await models.worker(app)).pid).not.toBe(pid);
    await until(() => !isRunning(pid), 'the old process to end');
  });

  it.each(ISOLATIONS)('in a %s loses nothing while its workers are recycled, one at a time', async (isolation) => {
    const app = `${isolation}-three`;
    await until(
      async () => (await box.row(app)).workers.every((w) => w.age_seconds > FLOOR_SECONDS),
      'all to be old enough',
    );
    const load = { method: 'POST', path: `/predict/${app}`, body: JSON.stringify({ inputs: '$ID' }) } as const;
    const ledger = await Ledger.start(box.inference, [
      { ...load, name: 'kept', clients: 8, keepAlive: true, maxPauseMs: 50 },
      { ...load, name: 'fresh', clients: 8, keepAlive: false, maxPauseMs: 50 },
    ]);
    const starting: number[] = [];
    const ready: number[] = [];
    await until(async () => {
      const row = await box.row(app);
      starting.push(row.workers.filter((worker) => worker.state === 'starting').length);
      ready.push(row.ready);
      return row.recycles >= 3;
    }, 'all three to be recycled');
    const book = await ledger.stop();
    expectAllAnswered(book);
    expect([Math.max(...starting), Math.min(...ready)]).toEqual([1, 3]);
    const ran = readFileSync(path.join(box.dir, `${isolation}.txt`), 'utf8').match(/^ran .*/gm) ?? [];
    expect([ran.length, new Set(ran).size]).toEqual([book.ok, book.ok]);
  });
});
