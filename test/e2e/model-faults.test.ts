import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Box, until } from '../support/box.js';
import { codeOf, Models, outputsOf, type Turn } from '../support/models.js';

const RESTART = 'restart: { backoff: 50ms, max_restarts: 100 }';

describe.each(['process', 'thread'])('a model in a %s', (isolation) => {
  let box: Box;
  let models: Models;

  beforeAll(async () => {
    const head = `isolation: ${isolation}, ${RESTART}`;
    box = await Box.shared(`apps:
  killed: { module: $FIXTURES/models/turns.mjs, ${head} }
  again: { module: $FIXTURES/models/turns.mjs, ${head} }
  once: { module: $FIXTURES/models/turns.mjs, ${head}, idempotent: false }
  exits: { module: $FIXTURES/models/echo.mjs, ${head} }
  crashes: { module: $FIXTURES/models/echo.mjs, ${head} }
  poisoned: { module: $FIXTURES/models/echo.mjs, ${head} }
  spin: { module: $FIXTURES/models/spin.mjs, ${head}, health: { wedge: 3s } }
  stuck: { module: $FIXTURES/models/echo.mjs, ${head}, workers: 2, health: { wedge: 3s } }
  slow: { module: $FIXTURES/models/slow-unload.mjs, ${head}, workers: 2, options: { unloadMs: 3500 } }
`);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  async function kill(model: string): Promise<void> {
    const { pid } = await models.worker(model);
    const { restarts } = await box.row(model);
    process.kill(pid, 'SIGKILL');
    await until(async () => (await box.row(model)).restarts > restarts, `${model} to restart`);
  }

  // The long ones first: five run at a time.
  it.concurrent('lets a recycled worker take its time to unload, and leaves its neighbour alone', async () => {
    await box.ok('recycle', 'slow@v1/1');
    const row = await box.row('slow');
    expect(row).toMatchObject({ ready: 2, recycles: 1, restarts: 0 });
    expect(row.workers.map((worker) => worker.id).sort()).toEqual(['slow@v1/2', 'slow@v1/3']);
    expect(await box.ok('logs', 'slow', '--json')).toContain('"unloaded"');
  });

  it.concurrent('lets a prediction block its loop for longer than health.wedge within its deadline', async () => {
    const { id, pid } = await models.worker('spin');
    const answer = await models.ask('spin', 5000);
    expect([answer.status, outputsOf(answer)]).toEqual([200, 'DONE']);
    expect(await box.row('spin')).toMatchObject({ restarts: 0, workers: [{ id, pid, state: 'ready' }] });
  });

  it.concurrent('replaces a worker that blocks past its deadline, and leaves its neighbour alone', async () => {
    const neighbour = models.ask('stuck', 'sleep 5000');
    await until(async () => (await models.inFlight('stuck')) === 1, 'the neighbour to be busy');
    const before = (await box.row('stuck')).workers;
    const startedAt = Date.now();
    const late = await models.ask('stuck', 'block', { timeout: 0.5 });
    expect([late.status, codeOf(late)]).toEqual([504, 'SUP_DEADLINE']);
    expect(Date.now() - startedAt).toBeLessThan(3000);

    await until(async () => (await box.row('stuck')).restarts === 1, 'the stuck worker to be replaced');
    const answer = await neighbour;
    expect([answer.status, outputsOf(answer)]).toEqual([200, 'SLEPT']);
    await until(async () => (await box.row('stuck')).ready === 2, 'both to be ready');
    const after = (await box.row('stuck')).workers;
    const neighbours = (workers: typeof after) =>
      workers.find((w) => w.id === (answer.json as { worker: string }).worker);
    expect(neighbours(after)?.pid).toBe(neighbours(before)?.pid);
    expect(neighbours(after)?.age_seconds).toBeGreaterThan(5);
    const kills = await box.decisions((d) => d.subject.startsWith('stuck') && d.action === 'kill');
    expect(kills).toMatchObject([{ policy: 'health', reason: 'wedged' }]);
    expect((await models.ask('stuck', 'next')).json).toMatchObject({ outputs: 'NEXT' });
  });

  it.concurrent('retries what ran in a worker that was killed', async () => {
    const busy = await models.occupy('killed');
    await kill('killed');
    await until(async () => (await models.inFlight('killed')) === 1, 'it to run again');
    busy.release();
    const answer = await busy.answer;
    expect(answer.status).toBe(200);
    expect(outputsOf<Turn>(answer)).toMatchObject({ turn: 1, batch: 1 });
    expect(await box.row('killed')).toMatchObject({ state: 'online', restarts: 1, recycles: 0 });
  });

  it.concurrent('answers 502 when the worker of the retry is killed too, and 200 to its neighbour', async () => {
    const busy = await models.occupy('again');
    const unlucky = models.hold();
    const answers = [models.ask('again', unlucky.input), models.ask('again', 'neighbour')] as const;
    await until(async () => (await models.queued('again')) === 2, 'both to be queued');
    busy.release();
    await until(async () => (await models.inFlight('again')) === 2, 'both to run in one batch');
    await kill('again');
    await until(async () => (await models.inFlight('again')) === 1, 'one to run again, alone');
    await kill('again');
    const [lost, neighbour] = await Promise.all(answers);
    expect([lost.status, codeOf(lost)]).toEqual([502, 'SUP_WORKER_DIED']);
    expect(lost.text).toContain('it was retried alone, and its worker died again');
    expect([neighbour.status, outputsOf<Turn>(neighbour).input]).toEqual([200, 'neighbour']);
  });

  it.concurrent('answers 502 without a retry where the app is not idempotent', async () => {
    const busy = await models.occupy('once');
    await kill('once');
    const answer = await busy.answer;
    expect([answer.status, codeOf(answer)]).toEqual([502, 'SUP_WORKER_DIED']);
    expect((await models.ask('once', 'next')).status).toBe(200);
  });

  it.concurrent.each([
    ['exits', 'die'],
    ['crashes', 'segv'],
  ])('quarantines the input of %s that kills its workers, and answers its neighbours', async (model, poison) => {
    const busy = models.ask(model, 'sleep 700');
    await until(async () => (await models.inFlight(model)) === 1, 'the worker to be busy');
    const inputs = ['a', 'b', poison, 'c', 'd'];
    const answers = inputs.map((input) => models.ask(model, input));
    await until(async () => (await models.queued(model)) === 5, 'five queued inputs');
    await busy;
    const [a, b, bad, c, d] = await Promise.all(answers);
    // In company when its worker died first, alone at the second time: nothing is proved yet.
    expect([bad?.status, bad && codeOf(bad)]).toEqual([502, 'SUP_WORKER_DIED']);
    expect([a, b, c, d]).toMatchObject(['A', 'B', 'C', 'D'].map((outputs) => ({ status: 200, json: { outputs } })));

    const proved = await models.ask(model, poison);
    expect([proved.status, codeOf(proved)]).toEqual([422, 'SUP_QUARANTINED']);
    await until(async () => (await box.row(model)).ready === 1, 'a fresh worker');
    const { restarts } = await box.row(model);
    const refused = await models.ask(model, poison);
    expect([refused.status, codeOf(refused)]).toEqual([422, 'SUP_QUARANTINED']);
    expect((await models.ask(model, 'next')).json).toMatchObject({ outputs: 'NEXT' });
    expect((await box.row(model)).restarts).toBe(restarts);
    expect(restarts).toBe(3);
    expect(await box.decisions((d) => d.subject === `${model}@v1` && d.action === 'quarantine')).toMatchObject([
      { reason: 'killed its worker while alone', numbers: { strikes: 2 } },
    ]);
  });

  it.concurrent('answers 502 to who brought a poisonous input, 422 to those who follow, until a reload', async () => {
    const ask = async () => {
      const answer = await models.ask('poisoned', 'die');
      return [answer.status, codeOf(answer)];
    };
    expect(await ask()).toEqual([502, 'SUP_WORKER_DIED']);
    expect(await ask()).toEqual([422, 'SUP_QUARANTINED']);
    expect(await ask()).toEqual([422, 'SUP_QUARANTINED']);
    await until(async () => (await box.row('poisoned')).ready === 1, 'a fresh worker');
    expect((await box.row('poisoned')).restarts).toBe(2);
    // The new code may well be able to take it.
    await box.ok('reload', 'poisoned');
    expect(await ask()).toEqual([502, 'SUP_WORKER_DIED']);
  });
});
