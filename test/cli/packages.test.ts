/** pin, unpin and strategy: which models a target means, and what is asked for them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRow } from '../../src/control/package-unloading-report.js';
import { packageStatus } from '../http/fake-supervisor.js';
import { appDetail, Box } from './support.js';

const ROOT = '/api/package-unloading/packages';
let box: Box;
beforeEach(async () => {
  box = new Box();
  await box.serve();
});
afterEach(() => box.end());

const model = (name: string, version = 'v1') => appDetail({ name, version, kind: 'model', workers: [] });
const web = appDetail();
const PACKAGES = {
  torch: packageRow(packageStatus('torch', { preference: 'keep' })),
  'intents@v1': packageRow(packageStatus('intents@v1', { ownStrategy: 'aggressive', strategy: 'aggressive' })),
  'intents@v2': packageRow(packageStatus('intents@v2')),
};

function serve(target: string, versions: object[]): void {
  box.answer(`GET /api/apps/${encodeURIComponent(target)}`, { versions });
  box.answer(`GET ${ROOT}`, { packages: PACKAGES });
  for (const name of ['torch', 'intents', 'intents%40v1'])
    for (const path of ['strategy', 'user-preference']) box.answer(`PUT ${ROOT}/${name}/${path}`, { success: true });
}

const puts = () =>
  box.asked.filter(({ method }) => method === 'PUT').map(({ path, body }) => [path.slice(ROOT.length), body]);
const firstWords = (out: string) =>
  out
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ +/).slice(0, 2).join(' ').trim());

it.each([
  [['pin'], { allow_unload: false }],
  [['unpin'], { allow_unload: null }],
  [['unpin', '--evict'], { allow_unload: true }],
])('%j sets the preference', async ([verb, ...options], body) => {
  serve('torch', [model('torch')]);
  const { code, out, err } = await box.cli([verb!, 'torch', ...options]);
  expect([code, err]).toEqual([0, '']);
  expect(puts()).toEqual([['/torch/user-preference', body]]);
  expect(out).toMatch(
    /name +version +loaded +strategy +preference +idle +next .*\ntorch +v1 +yes +balanced \(of the box\) +keep/,
  );
});

it('strategy sets it, takes it back, and shows it', async () => {
  serve('intents', [model('intents', 'v1'), model('intents', 'v2')]);
  expect((await box.cli(['strategy', 'intents', 'AGGRESSIVE'])).code).toBe(0);
  expect((await box.cli(['strategy', 'intents', '--reset'])).code).toBe(0);
  expect(puts()).toEqual([
    ['/intents/strategy', { strategy: 'AGGRESSIVE' }],
    ['/intents/strategy', { strategy: null }],
  ]);
  const shown = await box.cli(['strategy', 'intents']);
  expect(puts()).toHaveLength(2);
  expect(firstWords(shown.out)).toEqual(['intents v1', 'intents v2', '']);
  expect(shown.out).toMatch(/v1 +yes +aggressive +none[\s\S]*v2 +yes +balanced \(of the box\)/);
  expect(JSON.parse((await box.cli(['strategy', 'intents', '--json'])).out)).toEqual([
    PACKAGES['intents@v1'],
    PACKAGES['intents@v2'],
  ]);
});

describe('a target', () => {
  it('may be one version', async () => {
    serve('intents@v1', [model('intents', 'v1')]);
    const { out } = await box.cli(['pin', 'intents@v1']);
    expect(puts()).toEqual([['/intents%40v1/user-preference', { allow_unload: false }]]);
    expect(firstWords(out)).toEqual(['intents v1', '']);
  });

  it.each(['all', 'shop', '/^/'])('%s means the models among what it names', async (target) => {
    serve(target, [web, model('torch'), model('intents', 'v1'), model('intents', 'v2')]);
    const { code, out } = await box.cli(['pin', target, '--json']);
    expect(code).toBe(0);
    expect(puts().map(([path]) => path)).toEqual(['/torch/user-preference', '/intents/user-preference']);
    expect(JSON.parse(out)).toEqual({
      ok: true,
      results: [
        { app: 'torch', ok: true, error: null },
        { app: 'intents', ok: true, error: null },
      ],
      warnings: [],
      packages: Object.values(PACKAGES),
    });
  });

  it.each([
    ['web', [web], /only models are unloaded, and there is none in 'web': it names web$/],
    ['web/1', [web], /one worker/],
    ['all', [], /there is none in 'all'$/],
  ])('%s is none', async (target, versions, reason) => {
    serve(target, versions);
    for (const verb of ['pin', 'unpin', 'strategy']) {
      const { code, out, err } = await box.cli([verb, target]);
      expect([code, out]).toEqual([2, '']);
      expect(err.trim()).toMatch(reason);
    }
    expect(puts()).toEqual([]);
  });
});

describe('what goes wrong', () => {
  it('with the only one is the error', async () => {
    serve('torch', [model('torch')]);
    box.fail(`PUT ${ROOT}/torch/strategy`, 400, 'SUP_BAD_REQUEST', 'there is no strategy x');
    expect(await box.cli(['strategy', 'torch', 'x'])).toEqual({
      code: 2,
      out: '',
      err: 'error: there is no strategy x\n',
    });
  });

  it('with one of several leaves the others done', async () => {
    serve('all', [model('torch'), model('intents')]);
    box.fail(`PUT ${ROOT}/torch/user-preference`, 409, 'SUP_CONFLICT', 'the environment sets it');
    box.answer(`PUT ${ROOT}/intents/user-preference`, { success: true, warnings: ['look \u001b[2J out'] });
    const { code, out, err } = await box.cli(['pin', 'all']);
    expect(code).toBe(1);
    expect(err).toBe('warning: look \\x1b[2J out\n✗ torch: the environment sets it\n');
    expect(out).toMatch(/intents +v1/);
    expect(JSON.parse((await box.cli(['pin', 'all', '--json'])).out).results[0]).toEqual({
      app: 'torch',
      ok: false,
      error: { code: 'SUP_CONFLICT', message: 'the environment sets it', log_tail: [] },
    });
  });
});
