import { describe, expect, it } from 'vitest';
import { SupError } from '../../../src/errors.js';
import type { ModelState, ModelStatus } from '../../../src/master/supervisor.js';
import { intentsStatus, report } from '../../http/fake-supervisor.js';
import { misfits } from './spec-fields.js';
import { serve } from './support.js';

const token = { authorization: 'Bearer the-right-token' };
const models = (...statuses: Partial<ModelStatus>[]) => ({
  models: () => statuses.map((parts) => intentsStatus(parts)),
});
const idle = { active: 0, loading: 0, target: 0, min: 0, max: 2 };
const two = models(
  { version: 'v1', default: false },
  { version: 'v2', state: 'loading', reason: 'waits for memory' },
  { name: 'other', state: 'unloaded', instances: idle },
);

describe('server metadata', () => {
  it.each(['/v2', '/v2/'])('is at %s', async (path) => {
    const { client } = await serve();
    const { status, json } = await client.get(path);
    expect([status, misfits('metadata_server_response', json)]).toEqual([200, []]);
    expect(json).toMatchObject({ name: 'model-supervisor', version: '1.2.3' });
    expect(json.extensions).toEqual(expect.arrayContaining(['binary_tensor_data', 'model_repository', 'statistics']));
  });
});

describe('health', () => {
  it('is live, and ready while every model that should be loaded is', async () => {
    const { client } = await serve(
      models({}, { name: 'sleeper', state: 'unloaded', instances: idle }, { name: 'left out', state: 'stopped' }),
    );
    expect((await client.get('/v2/health/live')).json).toEqual({ live: true });
    expect(await client.get('/v2/health/ready')).toMatchObject({ status: 200, json: { ready: true } });
    expect((await client.send('HEAD', '/v2/health/ready')).status).toBe(200);
  });

  it('is not ready while one is not', async () => {
    const { client } = await serve(models({}, { name: 'slow', state: 'loading' }));
    expect(await client.get('/v2/health/ready')).toMatchObject({ status: 503, json: { live: true, ready: false } });
    expect((await client.send('HEAD', '/v2/health/ready')).status).toBe(503);
    expect((await client.get('/v2/health/live')).status).toBe(200);
  });

  it('of a model is that of its default version, or of the one that is named', async () => {
    const { client } = await serve(two);
    const first = await client.get('/v2/models/intents/versions/v1/ready');
    expect([first.status, first.json]).toEqual([200, { name: 'intents', ready: true }]);
    expect(misfits('ready_model_response', first.json)).toEqual([]);
    for (const path of ['/v2/models/intents/ready', '/v2/models/intents/versions/v2/ready'])
      expect(await client.get(path)).toMatchObject({
        status: 503,
        headers: { 'retry-after': '1' },
        json: { name: 'intents', ready: false, error: 'waits for memory' },
      });
    expect((await client.get('/v2/models/other/ready')).json).toMatchObject({
      ready: false,
      error: 'other is unloaded',
    });
  });
});

describe('a model that is not there', () => {
  it.each(['/v2/models/nosuch/ready', '/v2/models/nosuch/stats', '/v2/models/nosuch/versions/v1/ready'])(
    'is 404 at %s, with those that are',
    async (path) => {
      const { client } = await serve(two);
      const { status, json } = await client.get(path);
      expect([status, json]).toEqual([404, { error: "no model 'nosuch'; there are: intents, other" }]);
    },
  );

  it('may be a version', async () => {
    const { client } = await serve(two);
    const error = "intents has no version 'v9'; there are: v1, v2";
    expect((await client.get('/v2/models/intents/versions/v9/stats')).json).toEqual({ error });
    expect(await client.post('/v2/repository/models/intents/versions/v9/load', {}, token)).toMatchObject({
      status: 404,
      json: { error },
    });
  });
});

describe('model metadata', () => {
  it('is what the model declares', async () => {
    const asked: unknown[] = [];
    const { client, supervisor } = await serve();
    const inner = supervisor.modelMetadata;
    supervisor.modelMetadata = async (...args) => {
      asked.push(args);
      return { ...(await inner(...args)), versions: ['v1', 'v2'], platform: 'onnx' };
    };
    const { status, json } = await client.get('/v2/models/intents');
    expect([status, json]).toEqual([
      200,
      {
        name: 'intents',
        versions: ['v1', 'v2'],
        platform: 'onnx',
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
        outputs: [{ name: 'label', datatype: 'BYTES', shape: [-1] }],
      },
    ]);
    expect(misfits('metadata_model_response', json)).toEqual([]);
    expect(misfits('metadata_tensor', json.inputs[0])).toEqual([]);
    await client.get('/v2/models/a%2Fb/versions/v2');
    // Who only looks wakes nothing.
    expect(asked).toEqual([
      ['intents', null],
      ['a/b', 'v2'],
    ]);
  });

  it('is 503 with the reason where the module cannot be read', async () => {
    const { client } = await serve({
      modelMetadata: () => Promise.reject(new SupError('SUP_LOAD_FAILED', 'intents@v1 cannot be read: no such file')),
    });
    const reply = await client.get('/v2/models/intents');
    expect([reply.status, reply.json]).toEqual([503, { error: 'intents@v1 cannot be read: no such file' }]);
  });
});

describe('the repository index', () => {
  const states: Record<ModelState, string> = {
    ready: 'READY',
    loading: 'LOADING',
    unloading: 'UNLOADING',
    unloaded: 'UNAVAILABLE',
    failed: 'UNAVAILABLE',
    stopped: 'UNAVAILABLE',
  };

  it('has every version with its state and the reason for it', async () => {
    const { client } = await serve(
      models(
        ...(Object.keys(states) as ModelState[]).map((state) => ({
          name: state,
          state,
          reason: state === 'failed' ? 'out of memory' : null,
        })),
      ),
    );
    const { status, json } = await client.post('/v2/repository/index');
    expect(status).toBe(200);
    expect(Object.fromEntries(json.map((entry: { name: string; state: string }) => [entry.name, entry.state]))).toEqual(
      states,
    );
    for (const entry of json) expect(misfits('repository_index_entry', entry)).toEqual([]);
    expect(json.find((entry: { name: string }) => entry.name === 'failed')).toEqual({
      name: 'failed',
      version: 'v1',
      state: 'UNAVAILABLE',
      reason: 'out of memory',
    });
  });

  it('can be of the ready ones alone', async () => {
    const { client } = await serve(two);
    expect((await client.post('/v2/repository/index', { ready: true })).json).toMatchObject([
      { name: 'intents', version: 'v1' },
    ]);
    expect((await client.post('/v2/repository/index', { ready: false })).json).toHaveLength(3);
    expect((await client.post('/v2/repository/index', {})).json).toHaveLength(3);
    expect((await client.post('/v2/repository/index', { ready: 'yes' })).status).toBe(400);
    expect((await client.send('POST', '/v2/repository/index', Buffer.from('{'))).status).toBe(400);
  });
});

describe('loading and unloading', () => {
  it('is for a model, or for one version of it', async () => {
    const { client, supervisor } = await serve(two);
    const post = (path: string, body?: unknown) => client.post(`/v2/repository/models/${path}`, body, token);
    expect((await post('intents/load')).json).toEqual({ name: 'intents', load: true });
    await post('intents/unload', { parameters: { unload_dependents: false } });
    await post('intents/load', { parameters: { version: 'v2' } });
    await post('intents/versions/v1/unload');
    expect(supervisor.calls).toEqual([
      'act load intents',
      'act unload intents',
      'act load intents@v2',
      'act unload intents@v1',
    ]);
  });

  it('is for models of the configuration only, and for no group of apps', async () => {
    const { client, supervisor } = await serve(two);
    for (const name of ['all', 'default', 'web', '%2Fint.*%2F', 'intents%40v1'])
      expect((await client.post(`/v2/repository/models/${name}/unload`, {}, token)).status).toBe(404);
    for (const name of ['config', 'file:1/model.onnx']) {
      const reply = await client.post('/v2/repository/models/intents/load', { parameters: { [name]: 'x' } }, token);
      expect([reply.status, reply.json.error]).toEqual([
        400,
        expect.stringMatching(/models come from the configuration only/),
      ]);
    }
    for (const body of [[], 'x', { parameters: 5 }, { parameters: { version: {} } }])
      expect((await client.post('/v2/repository/models/intents/load', body, token)).status).toBe(400);
    expect(supervisor.calls).toEqual([]);
  });

  it('fails with the reason', async () => {
    const failing = (code: string) => ({
      ...two,
      act: async () =>
        report({
          ok: false,
          results: [{ app: 'intents', ok: false, error: { code, message: 'it is too big', log_tail: [] } }],
        }),
    });
    const load = async (code: string) => {
      const { client } = await serve(failing(code));
      const { status, json } = await client.post('/v2/repository/models/intents/load', {}, token);
      return [status, json];
    };
    expect(await load('SUP_WORKER_BOOT_FAILED')).toEqual([503, { error: 'it is too big' }]);
    expect(await load('SUP_NO_ROOM')).toEqual([507, { error: 'it is too big' }]);
  });
});

describe('statistics', () => {
  const inputs = {
    ...intentsStatus().inputs,
    ...{ requests: 20, succeeded: 10, model_errors: 4, expired: 3, refused: 2, lost: 1 },
    ...{ batches: 5, compute_ms: 12.5, queue_ms: 0.25 },
  };

  it('count inputs, and how long they took', async () => {
    const { client } = await serve(models({ inputs, idle_seconds: 60 }));
    const before = Date.now();
    const { json } = await client.get('/v2/models/intents/versions/v1/stats');
    expect(misfits('stats_model_response', json)).toEqual([]);
    const [stat] = json.model_stats;
    expect(misfits('model_stat', stat)).toEqual([]);
    expect(misfits('inference_stats', stat.inference_stats)).toEqual([]);
    for (const each of Object.values(stat.inference_stats)) expect(misfits('duration_stat', each)).toEqual([]);
    expect(stat).toMatchObject({
      ...{ name: 'intents', version: 'v1', inference_count: 10, execution_count: 5, batch_stats: [] },
      inference_stats: {
        success: { count: 10 },
        fail: { count: 10 },
        queue: { count: 14, ns: 250_000 },
        compute_infer: { count: 5, ns: 12_500_000 },
      },
    });
    expect(stat.last_inference).toBeGreaterThanOrEqual(before - 60_000);
    expect(stat.last_inference).toBeLessThanOrEqual(Date.now() - 60_000);
  });

  it('are of all models, of all versions of one, or of one', async () => {
    const { client } = await serve(two);
    const names = async (path: string) =>
      (await client.get(path)).json.model_stats.map(({ name, version }: ModelStatus) => `${name}@${version}`);
    expect(await names('/v2/models/stats')).toEqual(['intents@v1', 'intents@v2', 'other@v1']);
    expect(await names('/v2/models/intents/stats')).toEqual(['intents@v1', 'intents@v2']);
    expect(await names('/v2/models/intents/versions/v2/stats')).toEqual(['intents@v2']);
  });

  it('leave out when the last one was before the first, and say now while one runs', async () => {
    const { client } = await serve(models({}, { version: 'v2', in_flight: 1 }));
    const [never, now] = (await client.get('/v2/models/stats')).json.model_stats;
    expect(never).not.toHaveProperty('last_inference');
    expect(Math.abs(now.last_inference - Date.now())).toBeLessThan(10_000);
  });
});
