import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, Box, request, until } from '../support/box.js';
import { Models, outputsOf, type Turn } from '../support/models.js';

describe.each(['process', 'thread'])('a model in a %s', (isolation) => {
  let box: Box;
  let models: Models;

  beforeAll(async () => {
    box = await Box.shared(`apps:
  echo: { module: $FIXTURES/models/echo.mjs, isolation: ${isolation} }
  turns: { module: $FIXTURES/models/turns.mjs, isolation: ${isolation} }
  single: { module: $FIXTURES/models/turns.mjs, isolation: ${isolation}, batching: { max_size: 1 } }
  tight: { module: $FIXTURES/models/turns.mjs, isolation: ${isolation}, queue: { max: 2 } }
  two:
    isolation: ${isolation}
    versions:
      old: { module: $FIXTURES/models/echo.mjs }
      new: { module: $FIXTURES/models/context.mjs, options: { name: world } }
`);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  it('answers a prediction with its output, who made it and how long it took', async () => {
    const { status, json } = await box.predict('hello', { model: 'echo' });
    expect(status).toBe(200);
    expect(json).toEqual({
      model: 'echo',
      version: 'v1',
      outputs: 'HELLO',
      cached: false,
      worker: 'echo@v1/1',
      timing: { queue_ms: expect.any(Number), compute_ms: expect.any(Number), total_ms: expect.any(Number) },
    });
  });

  it('answers a batch in the order of its inputs, each with its own error', async () => {
    const { status, json } = await request(box.inference, 'POST', '/predict/batch', {
      model: 'echo',
      inputs: ['a', 'throw', 'c', 'd'],
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      outputs: ['A', null, 'C', 'D'],
      errors: [{ index: 1, code: 'SUP_MODEL_ERROR', message: 'RangeError: bad input' }],
    });
  });

  it('says with status 500 what the model threw', async () => {
    const { status, json } = await models.ask('echo', 'throw');
    expect(status).toBe(500);
    expect(json).toMatchObject({ error: { code: 'SUP_MODEL_ERROR', message: 'RangeError: bad input' } });
  });

  it('serves two versions side by side, the last one in the file to those who name none', async () => {
    expect((await models.ask('two/old', 'hello')).json).toMatchObject({ version: 'old', outputs: 'HELLO' });
    const fresh = { version: 'new', outputs: { greeting: 'hello world', app: 'two', version: 'new' } };
    expect((await models.ask('two/new', 'x')).json).toMatchObject(fresh);
    expect((await models.ask('two', 'x')).json).toMatchObject(fresh);
    expect((await box.predict('hello', { model: 'two', version: 'old' })).json).toMatchObject({ version: 'old' });
  });

  it('answers 404 with what there is for unknown models and versions', async () => {
    const unknown = await models.ask('missing', 'x');
    expect([unknown.status, unknown.text]).toEqual([404, expect.stringContaining('echo, turns, single, tight, two')]);
    const version = await models.ask('two/v9', 'x');
    expect([version.status, version.text]).toEqual([404, expect.stringContaining('old, new')]);
    expect((await box.predict('x')).json).toMatchObject({ error: { code: 'SUP_MODEL_NOT_FOUND' } });
  });

  it('refuses with 429 and Retry-After what the queue has no room for, and answers what was queued', async () => {
    const busy = await models.occupy('tight');
    const waiting = [models.ask('tight', 'a'), models.ask('tight', 'b')];
    await until(async () => (await models.queued('tight')) === 2, 'a full queue');
    const refused = await models.ask('tight', 'c');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(refused.json).toMatchObject({ error: { code: 'SUP_QUEUE_FULL', queued: 2, limit: 2 } });
    busy.release();
    expect((await Promise.all(waiting)).map(outputsOf<Turn>)).toMatchObject([{ input: 'a' }, { input: 'b' }]);
    expect((await busy.answer).status).toBe(200);
    expect(await box.decisions((d) => d.subject === 'tight@v1' && d.action === 'refuse')).toMatchObject([
      { reason: 'queue full', numbers: { queued: 2, limit: 2 } },
    ]);
  });

  it('answers 504 as soon as the deadline of a queued prediction is over', async () => {
    const busy = await models.occupy('turns');
    const late = await models.ask('turns', 'x', { timeout: 0.2 });
    expect(late.status).toBe(504);
    expect(late.json).toMatchObject({ error: { code: 'SUP_DEADLINE', running: false } });
    busy.release();
    expect((await busy.answer).status).toBe(200);
  });

  it('answers 504 as soon as the deadline of a running prediction is over, and nobody else gets its late reply', async () => {
    const busy = await models.occupy('turns', { timeout: 0.2 });
    const late = await busy.answer;
    expect(late.status).toBe(504);
    expect(late.json).toMatchObject({ error: { code: 'SUP_DEADLINE', running: true } });
    const next = ['a', 'b', 'c'].map((input) => models.ask('turns', input));
    await until(async () => (await models.queued('turns')) === 3, 'others to wait for the worker');
    busy.release();
    expect((await Promise.all(next)).map(outputsOf<Turn>)).toMatchObject([
      { input: 'a' },
      { input: 'b' },
      { input: 'c' },
    ]);
    // It was late, not wedged: the worker is the same one.
    expect(await box.row('turns')).toMatchObject({ restarts: 0, workers: [{ id: 'turns@v1/1', state: 'ready' }] });
  });

  it('runs higher priorities first, equal ones in the order in which they came', async () => {
    const busy = await models.occupy('single');
    const answers: Promise<Answer>[] = [];
    const sent: [string, number][] = [
      ['low', -1],
      ['first', 0],
      ['second', 0],
      ['high', 5],
    ];
    for (const [input, priority] of sent) {
      answers.push(models.ask('single', input, { priority }));
      await until(async () => (await models.queued('single')) === answers.length, `${input} to be queued`);
    }
    busy.release();
    const turns = (await Promise.all(answers)).map(outputsOf<Turn>).sort((a, b) => a.turn - b.turn);
    expect(turns.map((t) => t.input)).toEqual(['high', 'first', 'second', 'low']);
    expect(turns.map((t) => t.batch)).toEqual([1, 1, 1, 1]);
  });

  it('sends what is queued together as one batch', async () => {
    const busy = await models.occupy('turns');
    const answers = Array.from({ length: 10 }, (_, i) => models.ask('turns', `input ${i}`));
    await until(async () => (await models.queued('turns')) === 10, 'ten queued inputs');
    busy.release();
    const turns = (await Promise.all(answers)).map(outputsOf<Turn>);
    expect(turns).toMatchObject(turns.map((_, i) => ({ input: `input ${i}`, batch: 10 })));
  });

  it('never runs what a client that went away had queued', async () => {
    const busy = await models.occupy('turns');
    const client = new AbortController();
    const gone = models.ask('turns', 'gone', {}, client.signal);
    await until(async () => (await models.queued('turns')) === 1, 'it to be queued');
    client.abort();
    await gone;
    await until(async () => (await models.queued('turns')) === 0, 'it to leave the queue');
    busy.release();
    const before = outputsOf<Turn>(await busy.answer).turn;
    expect(outputsOf<Turn>(await models.ask('turns', 'after')).turn).toBe(before + 1);
  });

  it('aborts ctx.signal of what runs for a client that went away, and goes on with the next one', async () => {
    const client = new AbortController();
    const gone = models.ask('echo', 'wait', {}, client.signal);
    await until(async () => (await models.inFlight('echo')) === 1, 'it to run');
    client.abort();
    await gone;
    expect((await models.ask('echo', 'next', { timeout: 10 })).json).toMatchObject({
      outputs: 'NEXT',
      worker: 'echo@v1/1',
    });
  });
});
