import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PackageRow } from '../../src/control/package-unloading-report.js';
import type { ListRow } from '../../src/control/unloading-columns.js';
import { type Answer, Box, until } from '../support/box.js';
import { codeOf, Models } from '../support/models.js';
import { differences, EXAMPLES } from '../support/package-unloading-examples.js';

const ROOT = '/api/package-unloading';
const MIB = 1024 ** 2;
const WORKERS = 'workers: { min: 0, max: 1 }';

const APPS = `models: { cold_start: lazy }
apps:
  torch: { module: $FIXTURES/models/holds.mjs, options: { mib: 40 }, ${WORKERS} }
  intents:
    versions:
      v1: { module: $FIXTURES/models/echo.mjs }
      v2: { module: $FIXTURES/models/echo.mjs, unload: { preference: evict } }
    default: v1
    ${WORKERS}
  slow: { module: $FIXTURES/models/journal.mjs, options: { journal: slow.txt, loadMs: 3000 }, ${WORKERS} }
  job: { command: [node, $FIXTURES/command/waits.mjs], namespace: shop }
`;

async function get<T>(box: Box, path: string): Promise<T> {
  const answer = await box.api('GET', `${ROOT}/${path}`);
  expect(answer.status).toBe(200);
  return answer.json as T;
}

async function packageOf(box: Box, key: string): Promise<PackageRow> {
  const { packages } = await get<{ packages: Record<string, PackageRow> }>(box, 'packages');
  return packages[key]!;
}

describe('packages that are models', () => {
  let box: Box;
  let models: Models;
  const put = (name: string, what: string, body: unknown): Promise<Answer> =>
    box.api('PUT', `${ROOT}/packages/${name}/${what}`, body);
  const unload = (name: string): Promise<Answer> => box.api('POST', `${ROOT}/packages/${name}/unload`);

  beforeAll(async () => {
    box = await Box.shared(APPS);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  it('are told of key for key before anything was unloaded', async () => {
    expect(differences(EXAMPLES.status, await get(box, 'status'))).toEqual([]);
    expect(differences(EXAMPLES.metrics, await get(box, 'metrics'), ['last_unload_time'])).toEqual([]);
    expect(differences(EXAMPLES.impact, await get(box, 'performance-impact'))).toEqual([]);
    const listed = await get<{ packages: object; total_packages: number }>(box, 'packages');
    expect(differences(EXAMPLES.packages, listed, ['last_used', 'last_unload_time'])).toEqual([]);
    expect([Object.keys(listed.packages), listed.total_packages]).toEqual([
      ['torch', 'intents@v1', 'intents@v2', 'slow'],
      4,
    ]);
    expect(await get(box, 'status')).toMatchObject({ enabled: true, check_interval: 60, current_strategy: 'balanced' });
    expect(await get(box, 'metrics')).toMatchObject({
      total_unloads: 0,
      last_unload_time: null,
      unload_success_rate: 1,
    });
    expect(await packageOf(box, 'intents@v2')).toMatchObject({ is_loaded: false, user_preference_unload: true });
  });

  it('are unloaded by hand, and what that brought is measured', async () => {
    expect((await models.ask('torch', 'x')).status).toBe(200);
    expect(await packageOf(box, 'torch')).toMatchObject({ is_loaded: true, last_used: expect.any(Number) });
    const answer = await unload('torch');
    expect([answer.status, answer.json]).toEqual([200, EXAMPLES.unloaded]);
    expect((await unload('torch')).json).toMatchObject({ success: true, data: { was_loaded: false } });
    await until(
      async () => (await packageOf(box, 'torch')).unloading_metrics.total_unloads === 1,
      'the unloading to be measured',
    );
    const { unloading_metrics: own, ...torch } = await packageOf(box, 'torch');
    expect(differences(EXAMPLES.package, { ...torch, unloading_metrics: own })).toEqual([]);
    expect(own).toMatchObject({ successful_unloads: 1, failed_unloads: 0, unload_success_rate: 1 });
    expect(own.total_memory_freed).toBeGreaterThan(40 * MIB);
    const metrics = await get<Record<string, number>>(box, 'metrics');
    expect(differences(EXAMPLES.metrics, metrics)).toEqual([]);
    expect(metrics).toMatchObject({ total_unloads: 1, manual_unloads: 1, memory_pressure_unloads: 0 });
    expect(metrics.last_unload_time).toBeGreaterThan(Date.now() / 1000 - 60);
    expect(metrics.last_unload_time).toBeLessThanOrEqual(Date.now() / 1000 + 1);
    expect(await get(box, 'performance-impact')).toMatchObject({ unloaded_packages: 4, recommendations: [] });
    expect(await box.ok('describe', 'torch')).toMatch(/unloads +1, 0 failed; freed \d+(\.\d+)?MiB, .*; the last at 2/);
  });

  it('are not unloaded while they load', async () => {
    const asked = models.ask('slow', 'x');
    await until(async () => (await models.status('slow')).state === 'loading', 'slow to load');
    const refused = await unload('slow');
    expect([refused.status, codeOf(refused)]).toEqual([409, 'SUP_CONFLICT']);
    expect((await asked).status).toBe(200);
  });

  it('are 404 by another name, and their strategies 400', async () => {
    expect((await put('troch', 'strategy', { strategy: 'balanced' })).text).toMatch(/did you mean 'torch'/);
    expect((await put('job', 'strategy', { strategy: 'balanced' })).status).toBe(404);
    expect((await unload('nosuch')).status).toBe(404);
    const wrong = await put('torch', 'strategy', { strategy: 'fast' });
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringMatching(/aggressive, balanced, conservative/)]);
  });

  it('give back what is garbage', async () => {
    const { status, json } = await box.api('POST', `${ROOT}/force-garbage-collection`);
    expect(status).toBe(200);
    expect(differences(EXAMPLES.garbage, json, ['objects_collected'])).toEqual([]);
    const { garbage_collection_time: at } = json as { garbage_collection_time: number };
    expect(Math.abs(at - Date.now() / 1000)).toBeLessThan(60);
  });

  it('show in the list how long they are idle, and who goes next', async () => {
    const rows = JSON.parse(await box.ok('list', '--json')) as ListRow[];
    const row = (name: string) => rows.find((each) => each.name === name)!;
    expect(row('slow')).toMatchObject({ idle_seconds: expect.any(Number), preference: null });
    expect(Object.keys(row('slow'))).toEqual(expect.arrayContaining(['unload_rank', 'unload_why_not']));
    expect(Object.keys(row('job'))).not.toContain('unload_rank');
    expect(await box.ok('list')).toMatch(/^name .* idle +next .*\n/);
  });
});

describe('strategies and pins', () => {
  it('are set over HTTP and by the command, and outlive the master', async () => {
    const box = await Box.open(APPS);
    await box.ok('start', 'supervisor.yaml');
    const put = (name: string, what: string, body: unknown): Promise<Answer> =>
      box.api('PUT', `${ROOT}/packages/${name}/${what}`, body);

    const strategy = await put('torch', 'strategy', { strategy: 'AGGRESSIVE' });
    expect([strategy.status, strategy.json]).toEqual([200, EXAMPLES.strategyChange]);
    const preference = await put('torch', 'user-preference', { allow_unload: false });
    expect([preference.status, preference.json]).toEqual([200, EXAMPLES.preferenceChange]);
    // What v2 says for itself goes with it.
    expect((await put('intents', 'user-preference', { allow_unload: false })).status).toBe(200);
    expect(await box.ok('strategy', 'intents@v2', 'conservative')).toMatch(/intents +v2 +no +conservative +keep/);
    expect(await box.ok('unpin', 'intents@v1', '--evict', '--json')).toContain('"user_preference_unload": true');
    expect(await box.ok('pin', 'slow')).toMatch(/slow +v1 +no +balanced \(of the box\) +keep/);

    const expected = {
      torch: { unloading_strategy: 'aggressive', user_preference_unload: false },
      'intents@v1': { unloading_strategy: 'balanced', user_preference_unload: true },
      'intents@v2': { unloading_strategy: 'conservative', user_preference_unload: false },
      slow: { unloading_strategy: 'balanced', user_preference_unload: false },
    };
    expect((await get<{ packages: object }>(box, 'packages')).packages).toMatchObject(expected);
    await box.ok('kill');
    await box.ok('start', 'supervisor.yaml');
    expect((await get<{ packages: object }>(box, 'packages')).packages).toMatchObject(expected);

    await box.ok('unpin', 'all');
    await box.ok('strategy', 'all', '--reset');
    const { packages } = await get<{ packages: Record<string, PackageRow> }>(box, 'packages');
    for (const own of Object.values(packages))
      expect(own).toMatchObject({ unloading_strategy: 'balanced', own_strategy: null, user_preference_unload: null });
  });

  it('are of models that are there, and of models only', async () => {
    const box = await Box.open(APPS);
    await box.ok('start', 'supervisor.yaml');
    for (const verb of ['pin', 'unpin', 'strategy']) {
      expect(await box.cli(verb, 'nosuch')).toMatchObject({ code: 4, stdout: '' });
      expect(await box.cli(verb, 'shop')).toMatchObject({ code: 2, stdout: '' });
    }
    const wrong = await box.cli('strategy', 'torch', 'fast');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/aggressive, balanced, conservative/)]);
  });

  it('keep a pinned model loaded, and let it go again', async () => {
    const box = await Box.open(
      APPS.replace('apps:', 'unloading: { check_interval: 100ms, min_residency: 0s, aggressive: 1s }\napps:'),
    );
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    await box.ok('strategy', 'torch', 'aggressive');
    await box.ok('pin', 'torch');
    expect((await models.ask('torch', 'x')).status).toBe(200);
    // Three times as long as it would stay.
    await sleep(3000);
    expect(await packageOf(box, 'torch')).toMatchObject({ is_loaded: true, unload_rank: null });
    await box.ok('unpin', 'torch');
    await until(async () => !(await packageOf(box, 'torch')).is_loaded, 'torch to be unloaded');
    await until(
      async () => (await packageOf(box, 'torch')).unloading_metrics.total_unloads === 1,
      'the unloading to be measured',
    );
    expect(await get(box, 'metrics')).toMatchObject({ usage_pattern_unloads: 1, manual_unloads: 0 });
  });
});
