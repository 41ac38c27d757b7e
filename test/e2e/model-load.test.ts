import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Box, FIXTURES, until } from '../support/box.js';
import { expectAllAnswered, Ledger, type Load } from '../support/ledger.js';
import { codeOf, Models } from '../support/models.js';

const GOOD = `export { default } from '${FIXTURES}/models/journal.mjs';\n`;

describe.each(['process', 'thread'])('a model in a %s, under load', (isolation) => {
  let box: Box;
  let models: Models;

  beforeAll(async () => {
    const head = `isolation: ${isolation}, restart: { backoff: 50ms, max_restarts: 100 }`;
    const batches = 'batching: { max_size: 4 }, workers: 2';
    box = await Box.shared(`apps:
  acted: { module: $FIXTURES/models/journal.mjs, ${head}, ${batches}, options: { journal: acted.txt, batchMs: 5 } }
  killed: { module: $FIXTURES/models/journal.mjs, ${head}, ${batches}, options: { journal: killed.txt, batchMs: 5 } }
  moved: { module: $FIXTURES/models/journal.mjs, ${head}, ${batches}, options: { journal: moved.txt, batchMs: 5 } }
  deployed: { module: deployed.mjs, ${head}, workers: 2, options: { journal: deployed.txt } }
  held: { module: $FIXTURES/models/turns.mjs, ${head} }
`);
    writeFileSync(path.join(box.dir, 'deployed.mjs'), GOOD);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  /** Twenty clients: some keep their connection, some take a fresh one each time, some pause. */
  function load(model: string): Promise<Ledger> {
    const to: Omit<Load, 'name' | 'clients'> = {
      method: 'POST',
      path: `/predict/${model}`,
      body: JSON.stringify({ inputs: '$ID' }),
      keepAlive: true,
    };
    return Ledger.start(box.inference, [
      { ...to, name: 'kept', clients: 8 },
      { ...to, name: 'fresh', clients: 8, keepAlive: false },
      { ...to, name: 'pausing', clients: 4, maxPauseMs: 200 },
    ]);
  }

  /** How often each input ran. */
  function runs(model: string): Map<string, number> {
    const counts = new Map<string, number>();
    for (const line of readFileSync(path.join(box.dir, `${model}.txt`), 'utf8').split('\n'))
      if (line.startsWith('ran ')) counts.set(line, (counts.get(line) ?? 0) + 1);
    return counts;
  }

  it('loses nothing and runs nothing twice while it is reloaded, recycled, scaled and restarted', async () => {
    const ledger = await load('acted');
    const acts = [
      ['reload', 'acted'],
      ['recycle', 'acted'],
      ['scale', 'acted', '3'],
      ['scale', 'acted', '-2'],
      ['scale', 'acted', 'auto'],
      ['restart', 'acted'],
      ['recycle', 'acted@v1'],
    ];
    for (const act of acts) {
      await ledger.more(100);
      await box.ok(...act);
    }
    await ledger.more(100);
    const book = await ledger.stop();
    expectAllAnswered(book);
    const counts = runs('acted');
    expect([...counts.values()].filter((count) => count !== 1)).toEqual([]);
    expect(counts.size).toBe(book.ok);
    expect(await box.row('acted')).toMatchObject({
      state: 'online',
      ready: 2,
      generation: 2,
      recycles: 4,
      restarts: 0,
    });
  });

  it('answers everything once while its workers are killed', async () => {
    const ledger = await load('killed');
    for (let kills = 0; kills < 5; kills++) {
      await ledger.more(50);
      const victim = (await box.row('killed')).workers.find((worker) => worker.state === 'ready');
      if (victim?.pid) process.kill(victim.pid, 'SIGKILL');
      await until(async () => (await box.row('killed')).restarts > kills, 'the victim to restart');
    }
    await ledger.more(50);
    const book = await ledger.stop();
    expect([book.lost, book.duplicated]).toEqual([{}, 0]);
    // What ran in two workers that were killed is the only thing that may be refused.
    const codes = Object.values(book.pages).flatMap((page) => Object.keys(page.typedErrors));
    expect(codes.filter((code) => code !== 'SUP_WORKER_DIED' && code !== 'SUP_QUARANTINED')).toEqual([]);
    expect(book.typedErrors).toBeLessThan(book.ok / 10);
    expect(runs('killed').size).toBeGreaterThanOrEqual(book.ok);
  });

  it('keeps the old workers serving when a reload fails, and takes the next good one', async () => {
    const ledger = await load('deployed');
    await ledger.more(50);
    const ids = async () => (await box.row('deployed')).workers.map((worker) => worker.id).sort();
    const before = await ids();
    writeFileSync(path.join(box.dir, 'deployed.mjs'), "throw new Error('bad deploy');\n");
    const failed = await box.cli('reload', 'deployed');
    expect(failed.code).toBe(1);
    expect(failed.stdout + failed.stderr).toContain('bad deploy');
    expect(await ids()).toEqual(before);
    expect(await box.row('deployed')).toMatchObject({ state: 'online', ready: 2 });
    await ledger.more(50);

    writeFileSync(path.join(box.dir, 'deployed.mjs'), GOOD);
    await box.ok('reload', 'deployed');
    expect((await ids()).filter((id) => before.includes(id))).toEqual([]);
    await ledger.more(50);
    const book = await ledger.stop();
    expectAllAnswered(book);
  });

  it('loses nothing while it moves to the other isolation', async () => {
    const ledger = await load('moved');
    await ledger.more(100);
    const other = isolation === 'process' ? 'thread' : 'process';
    const file = readFileSync(box.file, 'utf8');
    writeFileSync(box.file, file.replace(/(moved: .* isolation: )\w+/, `$1${other}`));
    await box.ok('reload', 'moved');
    expect(await box.row('moved')).toMatchObject({ mode: other, ready: 2, state: 'online' });
    await ledger.more(100);
    const book = await ledger.stop();
    expectAllAnswered(book);
  });

  it('refuses new predictions with 503 while it stops and lets the running ones finish', async () => {
    const busy = await models.occupy('held');
    const stopping = box.ok('stop', 'held');
    await until(async () => (await box.row('held')).state === 'stopping', 'it to stop');
    const refused = await models.ask('held', 'x');
    expect([refused.status, codeOf(refused)]).toEqual([503, 'SUP_APP_STOPPED']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    busy.release();
    expect((await busy.answer).status).toBe(200);
    await stopping;
    expect(await box.row('held')).toMatchObject({ state: 'stopped', ready: 0, workers: [] });
    expect(codeOf(await models.ask('held', 'x'))).toBe('SUP_APP_STOPPED');
    await box.ok('start', 'held');
    expect((await models.ask('held', 'x')).status).toBe(200);
  });
});
