import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Box, request, until } from '../support/box.js';
import { Models, outputsOf } from '../support/models.js';
import { StreamClient } from '../support/streams.js';

const chunk = (data: unknown) => ({ event: 'chunk', data });

describe.each(['process', 'thread'])('a model that streams, in a %s', (isolation) => {
  let box: Box;
  let models: Models;
  let journals = 0;

  beforeAll(async () => {
    const common = `isolation: ${isolation}, workers: 1`;
    box = await Box.shared(`apps:
  counts: { module: $FIXTURES/models/streams.mjs, ${common}, concurrency: 2 }
  single: { module: $FIXTURES/models/streams.mjs, ${common}, timeout: 1s, health: { wedge: 1s } }
  mortal: { module: $FIXTURES/models/streams.mjs, ${common} }
  plain: { module: $FIXTURES/models/echo.mjs, ${common} }
`);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  const open = (model: string, inputs: unknown, more: object = {}) =>
    StreamClient.open(box.inference, model, inputs, more);
  const journal = () => path.join(box.dir, `journal-${++journals}`);
  const lines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);

  it('sends its chunks in order while it makes them, then who made them and how long it took', async () => {
    const client = await open('counts', { count: 5 });
    expect(client.response.headers['content-type']).toMatch(/^text\/event-stream/);
    const events = await client.rest();
    expect(events.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map(chunk));
    expect(events.slice(5)).toEqual([
      {
        event: 'done',
        data: {
          model: 'counts',
          version: 'v1',
          worker: 'counts@v1/1',
          timing: { queue_ms: expect.any(Number), compute_ms: expect.any(Number), total_ms: expect.any(Number) },
        },
      },
    ]);
    const slow = await open('counts/v1', { count: 2, every_ms: 300 });
    expect(await slow.next()).toEqual(chunk(0));
    expect(await models.inFlight('counts')).toBe(1);
    expect((await slow.rest()).map(({ event }) => event)).toEqual(['chunk', 'done']);
  });

  it('answers as a whole, each input by itself', async () => {
    expect(outputsOf(await models.ask('counts', { count: 3 }))).toEqual([0, 1, 2]);
    const { json } = await request(box.inference, 'POST', '/predict/batch', {
      model: 'counts',
      inputs: [{ count: 1 }, { count: 2, throw_at: 1 }, { count: 2 }],
    });
    expect(json).toMatchObject({ outputs: [[0], null, [0, 1]], errors: [{ index: 1, code: 'SUP_MODEL_ERROR' }] });
  });

  it('keeps 20 streams at once apart, with 200 chunks each', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => (await open('counts', { count: 200 + i })).rest()),
    );
    for (const [i, events] of answers.entries())
      expect(events.slice(0, -1)).toEqual(Array.from({ length: 200 + i }, (_, n) => chunk(n)));
  });

  it('is one chunk where the model does not stream', async () => {
    expect(await (await open('plain', 'hello')).rest()).toMatchObject([chunk('HELLO'), { event: 'done' }]);
    const failed = await open('plain', 'throw');
    expect(failed.response.statusCode).toBe(500);
  });

  it('tells an error in its midst, and one before its first chunk by the status', async () => {
    const error = { code: 'SUP_MODEL_ERROR', message: 'RangeError: enough' };
    expect(await (await open('counts', { count: 5, throw_at: 2 })).rest()).toMatchObject([
      chunk(0),
      chunk(1),
      { event: 'error', data: { error } },
    ]);
    expect((await open('counts', { count: 5, throw_at: 0 })).response.statusCode).toBe(500);
    expect((await open('nosuch', {})).response.statusCode).toBe(404);
  });

  it('is ended when its client leaves: signal, finally, and a free place', async () => {
    const file = journal();
    const client = await open('single', { count: 1e9, every_ms: 20, journal: file });
    expect(await client.next()).toEqual(chunk(0));
    client.leave();
    await until(() => lines(file).length >= 3, 'the stream to end');
    expect(lines(file)).toEqual(['begin 1', 'abort', expect.stringMatching(/^end \d+$/)]);
    expect(await (await open('single', { count: 1 })).rest()).toMatchObject([chunk(0), { event: 'done' }]);
  });

  it('may take longer than its timeout while chunks come, and no longer than that between two', async () => {
    const file = journal();
    const events = await (await open('single', { count: 8, every_ms: 250 })).rest();
    expect(events).toHaveLength(9);
    const stuck = await (await open('single', { count: 5, hang_at: 2, journal: file })).rest();
    expect(stuck).toMatchObject([chunk(0), chunk(1), { event: 'error', data: { error: { code: 'SUP_DEADLINE' } } }]);
    // Told, it ended by itself: its worker lives.
    await until(() => lines(file).some((line) => line.startsWith('end')), 'the stream to end');
    expect((await box.row('single')).restarts).toBe(0);
  });

  it('is killed where it hangs and does not listen', async () => {
    const client = await open('single', { count: 5, hang_at: 1, deaf: true });
    expect((await client.rest()).at(-1)).toMatchObject({ event: 'error' });
    await until(async () => (await box.row('single')).restarts === 1, 'a restart');
    await until(async () => (await box.row('single')).ready === 1, 'a worker');
    expect(await (await open('single', { count: 1 })).rest()).toHaveLength(2);
  });

  it('is run again, unseen, when its worker dies before the first chunk', async () => {
    const file = journal();
    const answer = open('mortal', { count: 3, every_ms: 700, journal: file });
    await until(() => lines(file).length === 1, 'the stream to begin');
    process.kill((await models.worker('mortal')).pid, 'SIGKILL');
    const events = await (await answer).rest();
    expect(events).toMatchObject([chunk(0), chunk(1), chunk(2), { event: 'done' }]);
    expect(lines(file).filter((line) => line === 'begin 1')).toHaveLength(2);
  });

  it('is never begun anew once a part was sent', async () => {
    await until(async () => (await box.row('mortal')).ready === 1, 'a worker');
    const file = journal();
    const client = await open('mortal', { count: 100, every_ms: 50, journal: file });
    expect(await client.next()).toEqual(chunk(0));
    process.kill((await models.worker('mortal')).pid, 'SIGKILL');
    const events = await client.rest();
    expect(events.at(-1)).toMatchObject({ event: 'error', data: { error: { code: 'SUP_WORKER_DIED' } } });
    // In order and without a gap, up to where it broke.
    expect(events.slice(0, -1)).toEqual(events.slice(0, -1).map((_, i) => chunk(i + 1)));
    await until(async () => (await box.row('mortal')).ready === 1, 'a worker');
    expect(lines(file).filter((line) => line === 'begin 1')).toHaveLength(1);
  });

  it('is finished by the worker that a recycling replaces', async () => {
    const client = await open('counts', { count: 40, every_ms: 50 });
    const { id } = await models.worker('counts');
    await box.ok('recycle', 'counts');
    const events = await client.rest();
    expect(events).toHaveLength(41);
    expect(events.at(-1)).toMatchObject({ event: 'done', data: { worker: id } });
  });

  it('holds little in the master for a client that reads slowly, and loses nothing', async () => {
    const rss = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${box.masterPid()}/status`, 'utf8'))?.[1]) * 1024;
    const bytes = 64 * 1024;
    const count = 1600;
    // Once before, so that what the first one costs is not counted.
    await (await open('counts', { count: 100, bytes })).rest();
    const before = rss();
    const client = await open('counts', { count, bytes });
    let peak = 0;
    let chunks = 0;
    for (let event = await client.next(); event; event = await client.next()) {
      if (event.event === 'chunk') chunks++;
      // Pauses while far more is to be had: at first a long one, in which an unbounded sender would send it all.
      await new Promise((resolve) => setTimeout(resolve, chunks === 1 ? 1500 : chunks % 100 === 0 ? 20 : 0));
      if (chunks % 50 === 1) peak = Math.max(peak, rss());
    }
    expect(chunks).toBe(count);
    expect(peak - before).toBeLessThan(40 * 1024 * 1024);
  });

  it('is printed chunk by chunk by the command, and answers on the unix socket', async () => {
    expect(await box.ok('predict', 'counts', '{"count":3}', '--stream')).toBe('0\n1\n2\n');
    const failed = await box.cli('predict', 'counts', '{"count":3,"throw_at":1}', '--stream');
    expect(failed).toMatchObject({ code: 1, stdout: '0\n', stderr: expect.stringContaining('enough') });
  });

  it('answers as text where the client speaks of generating', async () => {
    const { json } = await request(box.inference, 'POST', '/v2/models/plain/generate', { text_input: 'x' });
    expect(json).toEqual({ model_name: 'plain', model_version: 'v1', text_output: '[OBJECT OBJECT]' });
    const { text } = await request(box.inference, 'POST', '/v2/models/counts/generate_stream', { count: 2 });
    expect(text).toContain('data: {"model_name":"counts","model_version":"v1","text_output":1}\n\n');
  });
});
