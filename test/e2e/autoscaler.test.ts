import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelStatus } from '../../src/master/supervisor.js';
import { type Answer, Box, request, until } from '../support/box.js';
import { codeOf, Models, outputsOf } from '../support/models.js';

describe('models by the words of an autoscaler', () => {
  let box: Box;
  let models: Models;

  beforeAll(async () => {
    box = await Box.shared(`apps:
  twice:
    versions:
      v1: { module: prints.mjs }
      v2: { module: prints.mjs }
    default: v1
    workers: { min: 0, max: 3 }
  flaky: { module: flaky.mjs, workers: { min: 0, max: 1 } }
models: { cold_start: lazy }
`);
    writeFileSync(path.join(box.dir, 'flaky.mjs'), "throw new Error('no weights here');\n");
    writeFileSync(
      path.join(box.dir, 'prints.mjs'),
      "export default { load: ({ worker }) => console.log(worker, 'loads'), predict: (_model, inputs) => inputs };\n",
    );
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  /** On the inference port. */
  const ask = (method: string, what: string, token = true): Promise<Answer> =>
    request(
      box.inference,
      method,
      `/autoscaler/${what}`,
      undefined,
      token ? { authorization: `Bearer ${box.token()}` } : {},
    );

  async function status(name: string, version = 'v1'): Promise<ModelStatus> {
    const { models: all } = (await ask('GET', 'stats', false)).json as { models: ModelStatus[] };
    return all.find((model) => model.name === name && model.version === version) as ModelStatus;
  }

  it('tells of requests, loads and instances within a window', async () => {
    expect(await status('twice')).toMatchObject({ state: 'unloaded', default: true, share: 1, idle_seconds: null });
    for (const input of ['a', 'b', 'c']) expect((await models.ask('twice', input)).status).toBe(200);
    expect(await status('twice')).toMatchObject({
      state: 'ready',
      instances: { active: 1, target: 1, min: 0, max: 3 },
      loads: { loads: 1, cold_starts: 1, failures: 0 },
      inputs: { requests: 3, succeeded: 3 },
      keepalive: { keep_seconds: expect.any(Number) },
    });
    expect((await ask('GET', 'metrics?window_seconds=3600', false)).json).toMatchObject({
      window_seconds: 3600,
      observed_seconds: expect.any(Number),
      active_instances: 1,
      total_instances: 1,
      requests: 3,
      errors: 0,
      requests_per_second: expect.any(Number),
      average_response_time_ms: expect.any(Number),
      error_rate_percent: 0,
      cold_starts: 1,
      loads: 1,
      scale_up_events: 1,
      cache_hit_rate: null,
      model_load_times: { 'twice@v1': { last_seconds: expect.any(Number) } },
    });
    expect((await ask('GET', 'health', false)).json).toMatchObject({ status: 'healthy', reasons: [] });
  });

  it('loads, scales and unloads one version, with the token only', async () => {
    for (const [method, what] of [
      ['POST', 'load?model_name=twice&version=v2'],
      ['POST', 'scale?model_name=twice&version=v2&target_instances=2'],
      ['DELETE', 'unload?model_name=twice&version=v2'],
    ] as const)
      expect(codeOf(await ask(method, what, false))).toBe('SUP_UNAUTHORIZED');
    expect(await status('twice', 'v2')).toMatchObject({ state: 'unloaded' });

    const loaded = await ask('POST', 'load?model_name=twice&version=v2');
    expect([loaded.status, loaded.json]).toMatchObject([200, { models: [{ version: 'v2', state: 'ready' }] }]);
    await ask('POST', 'scale?model_name=twice&version=v2&target_instances=2');
    expect(await status('twice', 'v2')).toMatchObject({ instances: { active: 2, target: 2 } });
    expect(await status('twice', 'v1')).toMatchObject({ instances: { target: 1 } });
    const worker = (await models.ask('twice/v2', 'x')).json as { worker: string };
    expect(worker.worker).toMatch(/^twice@v2\//);
    await ask('DELETE', 'unload?model_name=twice&version=v2');
    expect(await status('twice', 'v2')).toMatchObject({ state: 'unloaded', instances: { active: 0 } });
    // The next request loads it again.
    expect(outputsOf(await models.ask('twice/v2', 'again'))).toBe('again');
  });

  it('says why a model does not load, and that it is not well then', async () => {
    const failed = await ask('POST', 'load?model_name=flaky');
    expect([failed.status, JSON.stringify(failed.json)]).toEqual([503, expect.stringContaining('no weights here')]);
    await until(async () => (await status('flaky')).state === 'failed', 'it to be known as failed');
    expect(await status('flaky')).toMatchObject({ loads: { loads: 0, failures: 1, mean_seconds: null } });
    expect((await ask('GET', 'health', false)).json).toMatchObject({
      status: 'degraded',
      reasons: [expect.stringContaining('no weights here')],
    });
    expect(await box.ok('list')).toMatch(/flaky +model +v1 .* failed /);
  });

  it('is there for the command too', async () => {
    expect(await box.ok('load', 'twice@v1')).toMatch(/twice +model +v1\* /);
    expect(await box.ok('unload', 'twice@v1')).toMatch(/twice +model +v1\* .* unloaded /);
    expect(await box.ok('describe', 'twice@v1')).toMatch(/serves +the default version, 100%/);
    expect(JSON.parse(await box.ok('describe', 'twice@v2', '--json'))).toMatchObject([
      { version: 'v2', model: { state: 'ready', default: false } },
    ]);
    const { code, stderr } = await box.cli('load', 'flaky');
    expect([code, stderr]).toEqual([1, expect.stringContaining('no weights here')]);
    expect(await box.cli('unload', 'twice@v9')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("twice has no version 'v9'; there are: v1, v2"),
    });
  });

  it('takes app@version in every command', async () => {
    expect(JSON.parse(await box.ok('predict', 'twice@v2', '"hello"'))).toBe('hello');
    await box.ok('scale', 'twice@v2', '2');
    expect([await box.row('twice', 'v1'), await box.row('twice', 'v2')]).toMatchObject([{ desired: 0 }, { ready: 2 }]);
    const before = (await box.row('twice', 'v2')).workers.map(({ pid }) => pid);
    for (const act of [['recycle'], ['reload'], ['restart']]) await box.ok(...act, 'twice@v2');
    const after = await box.row('twice', 'v2');
    expect(after.ready).toBe(2);
    expect(after.workers.filter(({ pid }) => before.includes(pid))).toEqual([]);
    const lines = await box.ok('logs', 'twice@v2', '--json', '-n', '1000');
    const workers = lines
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { worker: string }).worker]));
    expect(workers.length).toBeGreaterThan(2);
    expect(workers.filter((worker) => !worker.startsWith('twice@v2/'))).toEqual([]);

    await box.ok('stop', 'twice@v2');
    expect(await status('twice', 'v2')).toMatchObject({ state: 'stopped' });
    expect(outputsOf(await models.ask('twice/v1', 'still'))).toBe('still');
    await box.ok('start', 'twice@v2');
    expect((await box.row('twice', 'v2')).ready).toBe(2);
    expect(await box.cli('delete', 'twice@v2')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('supervisor stop twice@v2'),
    });
    expect(await box.apps()).toHaveLength(3);
  });
});
