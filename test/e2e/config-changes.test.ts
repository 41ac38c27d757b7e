import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ConfigReport } from '../../src/master/supervisor.js';
import { Box, processesOf, until } from '../support/box.js';
import { Models } from '../support/models.js';

const APPS = `unloading: { strategy: balanced, balanced: 20m }
apps:
  m: { module: $FIXTURES/models/echo.mjs, isolation: process, workers: { min: 0, max: 2 } }
  busy: { module: $FIXTURES/models/echo.mjs, workers: 1, env: { PASSWORD: hunter2 } }
  web: { script: $FIXTURES/http/bare.mjs, port: $WEB, workers: 2 }
`;

type Origins = ConfigReport['origins'];

async function origins(box: Box): Promise<Origins> {
  return JSON.parse(await box.ok('config', '--origin', '--json')) as Origins;
}

async function pidsOf(box: Box): Promise<unknown> {
  return (await box.apps()).map(({ name, workers }) => [name, workers.map(({ id, pid }) => [id, pid])]);
}

describe('a change at run time', () => {
  it('is in force at once, replaces no worker, and outlives the master', async () => {
    const box = await Box.open(APPS);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    await models.act('load', 'm');
    const before = await pidsOf(box);
    const answer = await box.api('PATCH', '/api/config', {
      unloading: { strategy: 'aggressive' },
      'apps.m.unload.preference': 'keep',
      apps: { busy: { timeout: '7s', queue: { max: 9 } } },
    });
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        changed: [
          { key: 'unloading.strategy', before: 'balanced', after: 'aggressive' },
          { key: 'apps.m.unload.preference', before: null, after: 'keep' },
          { key: 'apps.busy.timeout', before: '30s', after: '7s' },
          { key: 'apps.busy.queue.max', before: 512, after: 9 },
        ],
        warnings: [],
      },
    ]);
    expect(await box.ok('config', 'set', 'apps.web.namespace', 'shop')).toBe('apps.web.namespace: default → shop\n');
    expect(await pidsOf(box)).toEqual(before);
    const status = (await box.api('GET', '/api/package-unloading/status')).json;
    expect(status).toMatchObject({ configured_strategy: 'aggressive' });
    expect((await box.row('web')).namespace).toBe('shop');

    // A change of one model by its own path is one of these, too.
    expect(
      (await box.api('PUT', '/api/package-unloading/packages/m/strategy', { strategy: 'conservative' })).status,
    ).toBe(200);

    const told = async () =>
      Object.entries(await origins(box))
        .filter(([, { origin }]) => origin.startsWith('run time 2'))
        .map(([key, { value }]) => [key, value]);
    const changed = [
      ['unloading.strategy', 'aggressive'],
      ['apps.m.unload.strategy', 'conservative'],
      ['apps.m.unload.preference', 'keep'],
      ['apps.busy.timeout', '7s'],
      ['apps.busy.queue.max', 9],
      ['apps.web.namespace', 'shop'],
    ].sort();
    expect((await told()).sort()).toEqual(changed);

    process.kill(box.masterPid(), 'SIGKILL');
    await until(() => processesOf(box.home).length === 0, 'everything to be gone');
    await box.ok('start');
    expect((await told()).sort()).toEqual(changed);
    expect((await box.row('web')).namespace).toBe('shop');
    expect(await box.ok('config')).toMatch(/^unloading:\n {2}enabled: true\n {2}strategy: aggressive$/m);
    expect(readFileSync(path.join(box.home, 'state.json'), 'utf8')).not.toContain('hunter2');
    expect(await box.ok('config')).not.toContain('hunter2');
    expect(await box.ok('config', '--origin')).not.toContain('hunter2');

    const after = await pidsOf(box);
    const { changed: back } = JSON.parse(await box.ok('config', 'reset', '--json')) as { changed: unknown[] };
    expect(back).toHaveLength(changed.length);
    expect(await told()).toEqual([]);
    expect(await pidsOf(box)).toEqual(after);
  });

  it('ends when the file says something else there, with a notice; other edits are not picked up before a reload', async () => {
    const box = await Box.open(APPS);
    await box.ok('start', 'supervisor.yaml');
    await box.ok('config', 'set', 'unloading.strategy', 'aggressive');
    await box.ok('config', 'set', 'apps.busy.timeout', '7s');
    const before = await pidsOf(box);
    box.write(
      APPS.replace('strategy: balanced', 'strategy: conservative').replace('20m', '25m').replace('hunter2', 'hunter3'),
    );
    await box.ok('config', 'set', 'apps.busy.queue.max', '9');
    expect((await origins(box))['unloading.strategy']?.value).toBe('aggressive');
    expect((await origins(box))['unloading.balanced']?.value).toBe('20m');
    expect(await pidsOf(box)).toEqual(before);

    const { code, stderr } = await box.cli('reload');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^warning: unloading\.strategy: the file says conservative there now, so the change to aggressive at run time \(2\S+\) is over$/m,
    );
    const now = await origins(box);
    expect(now['unloading.strategy']).toEqual({ value: 'conservative', origin: `${box.file}:4:24` });
    expect(now['unloading.balanced']?.value).toBe('25m');
    expect([now['apps.busy.timeout']?.value, now['apps.busy.queue.max']?.value]).toEqual(['7s', 9]);
    expect(await box.decisions(({ policy, action }) => policy === 'config' && action === 'drop')).toEqual([
      expect.objectContaining({ subject: 'supervisor', reason: 'the file says conservative there now' }),
    ]);
    expect((await box.cli('reload')).stderr).not.toContain('is over');
  });

  it('that is refused changes nothing, and says why', async () => {
    const box = await Box.open(APPS);
    await box.ok('start', 'supervisor.yaml');
    const before = [await origins(box), await pidsOf(box)];
    const refused = async (body: unknown) => {
      const { status, json } = await box.api('PATCH', '/api/config', body);
      const { error } = json as { error: { code: string; problems: string[] } };
      return [status, error.code, error.problems];
    };
    expect(await refused({ unloading: { stratgy: 'x', max_per_cycle: 3 }, 'apps.m.unload.strategy': 'lazy' })).toEqual([
      400,
      'SUP_CONFIG_INVALID',
      [
        'run-time change unloading.stratgy: unknown key, did you mean `strategy`?',
        expect.stringMatching(/^run-time change apps\.m\.unload\.strategy: must be one of .*, not `lazy`/),
      ],
    ]);
    expect(await refused({ 'control.port': 1, 'unloading.strategy': 'aggressive' })).toEqual([
      409,
      'SUP_CONFLICT',
      ['control.port: a listener would have to be opened anew; edit the file and reload'],
    ]);
    expect(await refused({ 'apps.m.module': 'other.mjs' })).toEqual([
      409,
      'SUP_CONFLICT',
      ['apps.m.module: it needs new workers; edit the file and reload'],
    ]);
    expect(await box.cli('config', 'set', 'unloading.strategy', 'agressive')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('did you mean `aggressive`?'),
    });
    expect((await box.cli('config', 'set', 'apps.busy.env.PASSWORD', 'x')).code).toBe(1);
    expect([await origins(box), await pidsOf(box)]).toEqual(before);
  });

  it('may come while others and reloads are under way: all of them count', async () => {
    const box = await Box.open(APPS);
    await box.ok('start', 'supervisor.yaml');
    const reloads = [box.cli('reload'), box.cli('reload', 'busy')];
    const sizes = Array.from({ length: 12 }, (_, i) => i + 20);
    const patches = sizes.map((max) => box.api('PATCH', '/api/config', { 'apps.busy.queue.max': max }));
    const others = sizes.map((s) =>
      box.api('PATCH', '/api/config', { 'unloading.check_interval': `${s}s`, 'apps.m.timeout': `${s}s` }),
    );
    const statuses = (await Promise.all([...patches, ...others])).map(({ status }) => status);
    expect(statuses).toEqual(statuses.map(() => 200));
    for (const { code, stderr } of await Promise.all(reloads)) expect([code, stderr]).toEqual([0, '']);
    const now = await origins(box);
    expect(now['apps.busy.queue.max']?.value).toBe(31);
    expect(now['unloading.check_interval']?.value).toBe('31s');
    expect(now['apps.m.timeout']?.value).toBe('31s');
  });

  it('while a reload fails stays in force; after one, an app that is behind its file is to be reloaded first', async () => {
    const yaml = (options: string) => `apps:
  m: { module: $FIXTURES/models/loads-by-file.mjs, workers: 1, options: { journal: loads, how: how, ${options} } }
`;
    const box = await Box.open(yaml('loadMs: 0'));
    const [how, journal] = [path.join(box.dir, 'how'), path.join(box.dir, 'loads')];
    const loads = () => readFileSync(journal, 'utf8').trim().split('\n').length;
    writeFileSync(how, 'ok');
    await box.ok('start', 'supervisor.yaml');
    const before = await pidsOf(box);
    writeFileSync(how, 'throw');

    box.write(yaml('loadMs: 3000'));
    const reload = box.cli('reload');
    await until(() => loads() === 2, 'the new worker to load');
    expect((await box.api('PATCH', '/api/config', { 'apps.m.namespace': 'shop' })).status).toBe(200);
    expect((await reload).code).toBe(1);
    expect((await box.row('m')).namespace).toBe('shop');
    expect(await pidsOf(box)).toEqual(before);

    box.write(yaml('loadMs: 1'));
    expect((await box.cli('reload')).code).toBe(1);
    const behind = await box.cli('config', 'set', 'apps.m.namespace', 'store');
    expect([behind.code, behind.stderr]).toEqual([1, expect.stringContaining('reload it first')]);
    expect((await box.row('m')).namespace).toBe('shop');
    writeFileSync(how, 'ok');
    await box.ok('reload');
    await box.ok('config', 'set', 'apps.m.namespace', 'store');
    expect((await box.row('m')).namespace).toBe('store');
  });

  it('of how models are unloaded replaces no worker, in the file neither; a size is waited for', async () => {
    const box = await Box.open(APPS);
    await box.ok('start', 'supervisor.yaml');
    const before = await pidsOf(box);
    const word = 'workers: { min: 0, max: 2 }, unload: { strategy: aggressive, preference: evict, requires: [busy] }';
    box.write(APPS.replace('workers: { min: 0, max: 2 }', word));
    await box.ok('start', 'supervisor.yaml');
    expect((await origins(box))['apps.m.unload.requires']?.value).toEqual(['busy']);
    expect(await pidsOf(box)).toEqual(before);

    await box.ok('config', 'set', 'apps.web.workers', '3');
    const { ready, workers } = await box.app('web');
    expect([ready, workers.length]).toEqual([3, 3]);
    await box.ok('config', 'reset', 'apps.web.workers');
    expect(await pidsOf(box)).toEqual(before);
  });

  it('of a program without a file is kept, and goes with it', async () => {
    const box = await Box.open('');
    rmSync(box.file);
    writeFileSync(path.join(box.dir, 'job.mjs'), 'setInterval(() => {}, 1000);\n');
    await box.ok('start', 'job.mjs', '--name', 'job');
    await box.ok('config', 'set', 'apps.job.stop.grace', '3s');
    await box.ok('kill');
    await box.ok('start');
    expect((await origins(box))['apps.job.stop.grace']).toEqual({
      value: '3s',
      origin: expect.stringMatching(/^run time/),
    });
    await box.ok('delete', 'job');
    await box.ok('start', 'job.mjs', '--name', 'job');
    expect((await origins(box))['apps.job.stop.grace']).toEqual({ value: '30s', origin: 'default' });
  });
});
