import { Agent, request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type ErrorCode, SupError } from '../../src/errors.js';
import type { ListeningServer } from '../../src/http/listen.js';
import { type InferenceOptions, listenInference } from '../../src/inference/server.js';
import type { PredictReply, PredictRequest, Supervisor } from '../../src/master/supervisor.js';
import { type Answer, call, target } from '../http/client.js';
import { type FakeSupervisor, fakeSupervisor } from '../http/fake-supervisor.js';

let supervisor: FakeSupervisor;
let server: ListeningServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

async function open(parts: Partial<Supervisor> = {}, more: Partial<InferenceOptions> = {}): Promise<string> {
  supervisor = fakeSupervisor(parts);
  server = await listenInference({
    supervisor,
    host: '127.0.0.1',
    port: 0,
    auth: 'none',
    token: () => 'right',
    maxBodyBytes: 1024 * 1024,
    allowedHosts: [],
    ...more,
  });
  return server.address;
}

const post = (at: string, path: string, json: unknown, headers = {}): Promise<Answer> =>
  call({ at, method: 'POST', path, json, headers });

function fails(code: ErrorCode): Partial<Supervisor> {
  return { predict: () => Promise.reject(new SupError(code, `it is ${code}`)) };
}

describe('POST /predict', () => {
  it('takes one input of any JSON type', async () => {
    const at = await open();
    for (const inputs of ['text', 0, null, false, [1, [2]], { a: { b: 1 } }]) {
      const answer = await post(at, '/predict', { inputs });
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        model: 'intents',
        version: 'v1',
        outputs: inputs,
        cached: false,
        worker: 'intents@v1/1',
        timing: { queue_ms: 1, compute_ms: 2, total_ms: 3 },
      });
      expect(supervisor.predictions.at(-1)?.inputs).toEqual([inputs]);
    }
  });

  it('passes every key on', async () => {
    const at = await open();
    const body = { inputs: 1, model: 'm', version: 'v2', priority: 5, timeout: 0.25, user: 'ann' };
    await post(at, '/predict/', body, { 'x-user-id': 'bob' });
    expect(supervisor.predictions[0]).toMatchObject({
      model: 'm',
      version: 'v2',
      priority: 5,
      timeoutMs: 250,
      user: 'ann',
    });
    await post(at, '/predict', { inputs: 1 });
    expect(supervisor.predictions[1]).toMatchObject({
      model: 'intents',
      version: null,
      priority: 0,
      timeoutMs: null,
      user: null,
    });
  });

  it('takes what the worker is chosen by from the header that the model names', async () => {
    const at = await open({ routingHeader: (model) => (model === 'm' ? 'x-session' : null) });
    await post(at, '/predict/m', { inputs: 1 }, { 'x-session': 's1' });
    await post(at, '/predict/m', { inputs: 1 }, { 'x-session': '' });
    await post(at, '/predict/n', { inputs: 1 }, { 'x-session': 's1' });
    expect(supervisor.predictions.map(({ sticky }) => sticky)).toEqual(['s1', null, null]);
  });

  it('takes the user from the header that the model names', async () => {
    const asked: string[] = [];
    const at = await open({
      userHeader: (model) => {
        asked.push(model);
        return model === 'm' ? 'x-user-id' : null;
      },
    });
    await post(at, '/predict/m', { inputs: 1 }, { 'X-User-Id': 'bob' });
    await post(at, '/predict', { inputs: 1 }, { 'X-User-Id': 'bob' });
    expect(supervisor.predictions.map((request) => request.user)).toEqual(['bob', null]);
    expect(asked).toEqual(['m', 'intents']);
    expect((await post(at, '/predict/m', { inputs: 1 }, { 'x-user-id': 'x'.repeat(300) })).status).toBe(400);
  });

  it('addresses model and version in the path, which wins over the body', async () => {
    const at = await open();
    await post(at, '/predict/a%2Fb', { inputs: 1, model: 'm', version: 'v9' });
    await post(at, '/predict/m2/v2', { inputs: 1, model: 'm', version: 'v9' });
    expect(supervisor.predictions.map(({ model, version }) => [model, version])).toEqual([
      ['a/b', 'v9'],
      ['m2', 'v2'],
    ]);
    expect((await post(at, '/predict/batch/v1', { inputs: [1] })).status).toBe(404);
  });

  it.each([
    [{}, /no 'inputs'/],
    [[], /JSON object/],
    ['text', /JSON object/],
    [null, /JSON object/],
    [{ inputs: 1, prioritty: 3 }, /unknown key 'prioritty'.*did you mean 'priority'/],
    [{ inputs: 1, bogus_entirely: 3 }, /known are: inputs, model/],
    [{ input: 1 }, /did you mean 'inputs'/],
    [{ inputs: 1, model: 3 }, /'model' must be a text/],
    [{ inputs: 1, model: '' }, /'model' must be a text/],
    [{ inputs: 1, version: null }, /'version' must be a text/],
    [{ inputs: 1, user: ['a'] }, /'user' must be a text/],
    [{ inputs: 1, user: 'x'.repeat(300) }, /longer than/],
    [{ inputs: 1, priority: 'high' }, /'priority' must be a number/],
    [{ inputs: 1, timeout: 0 }, /'timeout' must be a number/],
    [{ inputs: 1, timeout: -1 }, /'timeout'/],
    [{ inputs: 1, timeout: '5' }, /'timeout'/],
    [{ inputs: 1, timeout: 1e9 }, /'timeout'/],
  ])('refuses %j', async (body, message) => {
    const at = await open();
    const answer = await post(at, '/predict', body);
    expect(answer.status).toBe(400);
    expect(answer.json.error.message).toMatch(message);
    expect(supervisor.predictions).toEqual([]);
  });

  it.each<[ErrorCode, number, string | undefined]>([
    ['SUP_MODEL_NOT_FOUND', 404, undefined],
    ['SUP_QUARANTINED', 422, undefined],
    ['SUP_QUEUE_FULL', 429, '1'],
    ['SUP_MODEL_ERROR', 500, undefined],
    ['SUP_WORKER_DIED', 502, undefined],
    ['SUP_NOT_READY', 503, '1'],
    ['SUP_APP_STOPPED', 503, '5'],
    ['SUP_DEADLINE', 504, undefined],
  ])('answers %s with %i', async (code, status, retryAfter) => {
    const at = await open(fails(code));
    const answer = await post(at, '/predict', { inputs: 1 });
    expect([answer.status, answer.headers['retry-after']]).toEqual([status, retryAfter]);
    expect(answer.json).toEqual({ error: { code, message: `it is ${code}` } });
  });

  it('answers an input that failed like a request that failed, and a missing default model with 404', async () => {
    const error = new SupError('SUP_MODEL_ERROR', 'TypeError: no');
    const at = await open({
      predict: async (): Promise<PredictReply> => ({
        model: 'intents',
        version: 'v1',
        results: [{ ok: false, error }],
        timing: { queue_ms: 0, compute_ms: 0, total_ms: 0 },
      }),
    });
    expect(await post(at, '/predict', { inputs: 1 })).toMatchObject({ status: 500, json: error.toJSON() });
    await server?.close();
    const without = await open({
      defaultModel: () => {
        throw new SupError('SUP_MODEL_NOT_FOUND', 'there is no model');
      },
    });
    expect((await post(without, '/predict', { inputs: 1 })).status).toBe(404);
  });
});

describe('POST /predict/batch', () => {
  const failing = (...bad: number[]): Partial<Supervisor> => ({
    predict: async (request: PredictRequest): Promise<PredictReply> => ({
      model: 'intents',
      version: 'v1',
      results: request.inputs.map((output, i) =>
        bad.includes(i)
          ? { ok: false, error: new SupError(i === 0 ? 'SUP_QUARANTINED' : 'SUP_MODEL_ERROR', `bad ${i}`) }
          : { ok: true, output, worker: `intents@v1/${i}` },
      ),
      timing: { queue_ms: 0, compute_ms: 0, total_ms: 0 },
    }),
  });

  it('answers arrays with arrays', async () => {
    const at = await open(failing());
    const answer = await post(at, '/predict/batch', { inputs: ['a', null, 3], model: 'm' });
    expect(answer.json).toMatchObject({ outputs: ['a', null, 3], worker: 'intents@v1/0' });
    expect(answer.json.workers).toEqual(['intents@v1/0', 'intents@v1/1', 'intents@v1/2']);
    expect(answer.json).not.toHaveProperty('errors');
  });

  it('puts null where an input failed, and says why', async () => {
    const at = await open(failing(1));
    const answer = await post(at, '/predict/batch', { inputs: ['a', 'b', 'c'] });
    expect(answer.status).toBe(200);
    expect(answer.json.outputs).toEqual(['a', null, 'c']);
    expect(answer.json.errors).toEqual([{ index: 1, code: 'SUP_MODEL_ERROR', message: 'bad 1' }]);
  });

  it('fails with the first error where all failed', async () => {
    const at = await open(failing(0, 1));
    const answer = await post(at, '/predict/batch', { inputs: ['a', 'b'] });
    expect(answer.status).toBe(422);
    expect(answer.json.error).toMatchObject({ code: 'SUP_QUARANTINED', message: 'bad 0' });
    expect(answer.json.error.errors).toHaveLength(2);
  });

  it.each([['a text'], [{}], [[]], [null]])('refuses inputs %j', async (inputs) => {
    const at = await open();
    expect((await post(at, '/predict/batch', { inputs })).status).toBe(400);
    expect(supervisor.predictions).toEqual([]);
  });
});

describe('access', () => {
  it('is open without a token unless it is asked for', async () => {
    const at = await open({}, { auth: 'token' });
    expect((await post(at, '/predict', { inputs: 1 })).status).toBe(401);
    expect((await post(at, '/predict', { inputs: 1 }, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await post(at, '/predict', { inputs: 1 }, { authorization: 'Bearer right' })).status).toBe(200);
    expect((await call({ at, path: '/health' })).status).toBe(200);
  });

  it('does not know the paths of the control plane', async () => {
    const at = await open();
    expect((await call({ at, path: '/api/apps' })).status).toBe(404);
    expect((await post(at, '/api/shutdown', {})).status).toBe(404);
    const wrong = await call({ at, path: '/predict' });
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'POST']);
  });

  it('says 503 at /health while an app has no ready worker', async () => {
    let ok = true;
    const at = await open({ health: () => ({ ok, apps: [] }) });
    expect(await call({ at, path: '/health' })).toMatchObject({ status: 200, json: { status: 'ok', apps: [] } });
    ok = false;
    expect(await call({ at, path: '/health/' })).toMatchObject({ status: 503, json: { status: 'degraded' } });
    expect((await call({ at, path: '/health', method: 'HEAD' })).status).toBe(503);
  });
});

it('serves pipelined and kept-alive requests in order', async () => {
  const at = await open();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, inputs) => call({ at, agent, method: 'POST', path: '/predict', json: { inputs } })),
  );
  expect(answers.map((answer) => answer.json.outputs)).toEqual([...Array(20).keys()]);
  expect(new Set(supervisor.predictions.map((request) => request.signal)).size).toBe(1);
  agent.destroy();
});

it('reads the Expect header of large uploads', async () => {
  const at = await open();
  const body = JSON.stringify({ inputs: 'x'.repeat(2000) });
  const status = await new Promise((resolve, reject) => {
    const client = httpRequest({
      ...target(at),
      agent: false,
      method: 'POST',
      path: '/predict',
      headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
    });
    client.on('continue', () => client.end(body));
    client.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
    client.flushHeaders();
  });
  expect(status).toBe(200);
});
