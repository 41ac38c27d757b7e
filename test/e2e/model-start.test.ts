import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Box, request, until } from '../support/box.js';
import { codeOf, Models } from '../support/models.js';

describe.each(['process', 'thread'])('a model in a %s', (isolation) => {
  it('is idle until its first requests, which start it once and wait for it however long it loads', async () => {
    const box = await Box.open(`apps:
  lazy:
    module: $FIXTURES/models/journal.mjs
    isolation: ${isolation}
    workers: { min: 0, max: 2 }
    timeout: 600ms
    options: { journal: lazy.txt, loadMs: 1200 }
`);
    await box.ok('start', 'supervisor.yaml');
    expect(await box.row('lazy')).toMatchObject({ state: 'idle', ready: 0, desired: 0, workers: [] });
    expect((await request(box.inference, 'GET', '/health')).status).toBe(200);

    const models = new Models(box);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => models.ask('lazy', `input ${i}`)));
    expect(answers.map(({ status, json }) => [status, (json as { outputs: string }).outputs])).toEqual(
      answers.map((_, i) => [200, `input ${i}`]),
    );
    const journal = readFileSync(path.join(box.dir, 'lazy.txt'), 'utf8').split('\n');
    expect(journal.filter((line) => line.startsWith('load'))).toEqual(['load lazy@v1/1']);
    expect(await box.row('lazy')).toMatchObject({ state: 'online', ready: 1, desired: 1, restarts: 0 });
  });

  it('starts again for what was queued when it was scaled to zero', async () => {
    const box = await Box.open(`apps:
  lazy: { module: $FIXTURES/models/turns.mjs, isolation: ${isolation}, workers: { min: 0, max: 1 }, timeout: 10s }
`);
    await box.ok('start', 'supervisor.yaml');
    const models = new Models(box);
    const busy = await models.occupy('lazy');
    const queued = models.ask('lazy', 'queued');
    await until(async () => (await models.queued('lazy')) === 1, 'it to be queued');
    const scaled = box.ok('scale', 'lazy', '0');
    await until(async () => (await models.worker('lazy')).state === 'draining', 'the worker to drain');
    busy.release();
    expect((await busy.answer).status).toBe(200);
    expect((await queued).status).toBe(200);
    await scaled;
  });

  it('answers requests that it cannot be started for with 503 and the reason', async () => {
    const onDemand = `isolation: ${isolation}, workers: { min: 0, max: 1 }`;
    const box = await Box.open(`apps:
  hangs: { module: $FIXTURES/models/load-hangs.mjs, ${onDemand}, ready: { timeout: 500ms } }
  throws: { module: $FIXTURES/models/load-throws.mjs, ${onDemand} }
`);
    await box.ok('start', 'supervisor.yaml');
    const models = new Models(box);
    const [late, broken] = await Promise.all([models.ask('hangs', 'x'), models.ask('throws', 'x')]);
    expect([late.status, codeOf(late)]).toEqual([503, 'SUP_LOAD_FAILED']);
    expect(late.text).toContain('hangs@v1/1 was not ready after 0.5 s (ready.timeout), waiting for load and warmup');
    expect([broken.status, codeOf(broken)]).toEqual([503, 'SUP_LOAD_FAILED']);
    expect(broken.text).toContain('weights.bin is missing');
  });

  it('makes start exit with 1 and say why when it does not get ready', async () => {
    const head = `isolation: ${isolation}, restart: { backoff: 20ms, max_backoff: 20ms }`;
    const box = await Box.open(`apps:
  fine: { module: $FIXTURES/models/echo.mjs, isolation: ${isolation} }
  hangs: { module: $FIXTURES/models/load-hangs.mjs, ${head}, ready: { timeout: 500ms } }
  throws: { module: $FIXTURES/models/load-throws.mjs, ${head} }
  unwarm: { module: $FIXTURES/models/bad-warmup.mjs, ${head} }
`);
    const { code, stdout, stderr } = await box.cli('start', 'supervisor.yaml');
    expect(code).toBe(1);
    const said = stdout + stderr;
    expect(said).toContain('was not ready after 0.5 s (ready.timeout)');
    expect(said).toContain('weights.bin is missing');
    expect(said).toContain('warmup input 0 failed: TypeError: not today');
    // One app's trouble is not another's.
    expect((await new Models(box).ask('fine', 'x')).status).toBe(200);
    expect(await box.row('fine')).toMatchObject({ state: 'online', ready: 1 });
  });

  it('counts in /health while it has to run', async () => {
    const box = await Box.open(`apps:
  must: { module: $FIXTURES/models/echo.mjs, isolation: ${isolation} }
  may: { module: $FIXTURES/models/echo.mjs, isolation: ${isolation}, workers: { min: 0, max: 1 } }
`);
    await box.ok('start', 'supervisor.yaml');
    const health = async () => (await request(box.inference, 'GET', '/health')).status;
    expect(await health()).toBe(200);
    await box.ok('stop', 'must');
    const ill = await request(box.inference, 'GET', '/health');
    expect([ill.status, ill.headers['retry-after']]).toEqual([503, '1']);
    expect(ill.json).toMatchObject({ status: 'degraded', apps: [{ name: 'must', state: 'stopped' }, { name: 'may' }] });
    expect((await box.api('GET', '/api/health/')).json).toMatchObject({ status: 'degraded' });
    await box.ok('start', 'must');
    expect(await health()).toBe(200);
  });
});
