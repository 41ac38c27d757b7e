import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SupError } from '../../src/errors.js';
import type { ListeningServer } from '../../src/http/listen.js';
import { listenInference } from '../../src/inference/server.js';
import type { StreamRequest, Supervisor } from '../../src/master/supervisor.js';
import { call, openEvents, target } from '../http/client.js';
import { fakeStream, fakeSupervisor } from '../http/fake-supervisor.js';

let server: ListeningServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

async function open(stream: Supervisor['stream']): Promise<string> {
  server = await listenInference({
    supervisor: fakeSupervisor({ stream }),
    host: '127.0.0.1',
    port: 0,
    auth: 'none',
    token: () => 'right',
    maxBodyBytes: 1024 * 1024,
    allowedHosts: [],
    closeGraceMs: 500,
  });
  return server.address;
}

/** A model whose answer to every request is these chunks; an error among them ends it. */
const gives =
  (...chunks: unknown[]): Supervisor['stream'] =>
  async (asked) =>
    fakeStream(asked, chunks);

async function eventsOf(at: string, path: string, json: unknown = { inputs: 'x' }) {
  const { next, response } = await openEvents({ at, method: 'POST', path, json });
  const events: [string, unknown][] = [];
  for (let event = await next(); event; event = await next()) events.push([event.event, event.data]);
  return { status: response.statusCode, headers: response.headers, events };
}

const post = (at: string, path: string, json: unknown = { inputs: 'x' }) => call({ at, method: 'POST', path, json });

const TIMING = { queue_ms: 1, compute_ms: 2, total_ms: 3 };

describe('POST /predict/{model}/stream', () => {
  it('sends each chunk as an event, and at the end who made them', async () => {
    const at = await open(gives('a', { b: 1 }, 'new\nline', null, undefined));
    const { status, headers, events } = await eventsOf(at, '/predict/m/v2/stream');
    expect([status, headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect(events).toEqual([
      ['chunk', 'a'],
      ['chunk', { b: 1 }],
      ['chunk', 'new\nline'],
      ['chunk', null],
      ['chunk', null],
      ['done', { model: 'm', version: 'v2', worker: 'intents@v1/1', timing: TIMING }],
    ]);
  });

  it('asks as /predict does', async () => {
    const asked: StreamRequest[] = [];
    const at = await open(async (wanted) => {
      asked.push(wanted);
      return fakeStream(wanted, []);
    });
    await eventsOf(at, '/predict/m/stream', { inputs: [1], priority: 5, timeout: 0.25, user: 'ann', version: 'v7' });
    expect(asked[0]).toMatchObject({ model: 'm', version: 'v7', input: [1], priority: 5, timeoutMs: 250, user: 'ann' });
    expect((await post(at, '/predict/m/stream', { input: 1 })).status).toBe(400);
    expect((await call({ at, path: '/predict/m/stream' })).status).toBe(405);
  });

  it('answers what fails before the first chunk with its status', async () => {
    for (const stream of [
      () => Promise.reject(new SupError('SUP_MODEL_NOT_FOUND', 'no m')),
      gives(new SupError('SUP_MODEL_NOT_FOUND', 'no m')),
    ]) {
      const answer = await post(await open(stream), '/predict/m/stream');
      expect([answer.status, answer.json]).toEqual([404, { error: { code: 'SUP_MODEL_NOT_FOUND', message: 'no m' } }]);
      await server?.close();
    }
  });

  it('tells in the stream what fails after that', async () => {
    const at = await open(gives('a', new SupError('SUP_WORKER_DIED', 'it died', { worker: 'm@v1/1' })));
    const error = { code: 'SUP_WORKER_DIED', message: 'it died', worker: 'm@v1/1' };
    expect((await eventsOf(at, '/predict/m/stream')).events).toEqual([
      ['chunk', 'a'],
      ['error', { error }],
    ]);
  });

  it('hides the text of errors that are not ours', async () => {
    const { events } = await eventsOf(await open(gives('a', new Error('secret'))), '/predict/m/stream');
    expect(JSON.stringify(events)).not.toContain('secret');
    expect(events[1]).toMatchObject(['error', { error: { code: 'SUP_INTERNAL' } }]);
  });

  it('makes an error of a chunk that JSON cannot hold', async () => {
    const first = await post(await open(gives(1n)), '/predict/m/stream');
    expect([first.status, first.json.error.code]).toEqual([500, 'SUP_MODEL_ERROR']);
    await server?.close();
    const { events } = await eventsOf(await open(gives('a', 1n, 'c')), '/predict/m/stream');
    expect(events).toMatchObject([
      ['chunk', 'a'],
      ['error', { error: { code: 'SUP_MODEL_ERROR' } }],
    ]);
  });

  it('ends the prediction when the client leaves', async () => {
    let left = 0;
    const at = await open(async (asked) => {
      const stream = fakeStream(asked, [1]);
      let steps = 0;
      return {
        ...stream,
        next: () => (steps++ === 0 ? stream.next() : new Promise(() => {})),
        return: async () => {
          left++;
          return { done: true, value: undefined };
        },
      };
    });
    const { next, response } = await openEvents({ at, method: 'POST', path: '/predict/m/stream', json: { inputs: 1 } });
    expect(await next()).toEqual({ event: 'chunk', data: 1 });
    response.destroy();
    await vi.waitFor(() => expect(left).toBe(1));
  });

  it('asks for no more than its client takes', async () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    let made = 0;
    const at = await open(async (asked) =>
      fakeStream(
        asked,
        (function* () {
          for (; made < 100; made++) yield megabyte;
        })(),
      ),
    );
    const sent = request({
      ...target(at),
      method: 'POST',
      path: '/predict/m/stream',
      headers: { 'content-type': 'application/json' },
    });
    sent.end('{"inputs":1}');
    const [response] = await once(sent, 'response');
    response.pause();
    let before = -1;
    while (made !== before) {
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    // What fills the sockets of both sides, and one more on top of what may be unsent.
    expect(made).toBeLessThan(30);
    let bytes = 0;
    for await (const piece of response) bytes += piece.length;
    expect(made).toBe(100);
    expect(bytes).toBeGreaterThan(100 * megabyte.length);
  });
});

describe('POST /v2/models/{model}/generate', () => {
  it('gives the whole request to the model, and joins its texts', async () => {
    const asked: StreamRequest[] = [];
    const at = await open(async (wanted) => {
      asked.push(wanted);
      return fakeStream(wanted, ['Hello', ' ', { text_output: 'world', tokens: 3 }]);
    });
    const body = { text_input: 'greet', parameters: { temperature: 0 } };
    const answer = await post(at, '/v2/models/m/versions/v2/generate', body);
    expect([answer.status, answer.json]).toEqual([
      200,
      { model_name: 'm', model_version: 'v2', text_output: 'Hello world', tokens: 3 },
    ]);
    expect(asked[0]).toMatchObject({ model: 'm', version: 'v2', input: body });
  });

  it('sends each part as a data event of its own', async () => {
    const at = await open(gives('Hel', { text_output: 'lo', finish: 'stop' }));
    const { events, headers } = await eventsOf(at, '/v2/models/m/generate_stream', { text_input: 'greet' });
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const named = { model_name: 'm', model_version: 'v1' };
    expect(events).toEqual([
      ['message', { ...named, text_output: 'Hel' }],
      ['message', { ...named, text_output: 'lo', finish: 'stop' }],
    ]);
  });

  it('answers errors as a text, before the first part with its status', async () => {
    for (const path of ['/v2/models/m/generate', '/v2/models/m/generate_stream']) {
      const failed = await post(await open(gives(new SupError('SUP_QUEUE_FULL', 'full'))), path, { text_input: '' });
      expect([failed.status, failed.json, failed.headers['retry-after']]).toEqual([429, { error: 'full' }, '1']);
      await server?.close();
      const bad = await post(await open(gives()), path, [1]);
      expect([bad.status, typeof bad.json.error]).toEqual([400, 'string']);
      await server?.close();
    }
    const at = await open(gives('a', new SupError('SUP_WORKER_DIED', 'it died')));
    const { events } = await eventsOf(at, '/v2/models/m/generate_stream', { text_input: 'x' });
    expect(events[1]).toEqual(['message', { error: 'it died' }]);
  });
});
