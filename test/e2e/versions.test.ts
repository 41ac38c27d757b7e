import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Box, request, until } from '../support/box.js';
import { expectAllAnswered, Ledger, type Load } from '../support/ledger.js';
import { codeOf, Models, versionOf } from '../support/models.js';

const V = (module: string) => `{ module: $FIXTURES/models/${module}.mjs }`;
const E = V('echo');
const TURNS = V('turns');
const SOON = { timeout: 0.2 };

function load(name: string): Load {
  return {
    name,
    method: 'POST',
    path: `/predict/${name}`,
    body: JSON.stringify({ inputs: '$ID' }),
    clients: 6,
    keepAlive: true,
  };
}

describe('which versions are served', () => {
  it('follows version_policy, also when it changes; the others are named and loaded by hand', async () => {
    const yaml = (policy: string) => `apps:
  m: { versions: { v1: ${E}, v2: ${E}, v10: ${E} }, isolation: thread, workers: 1, version_policy: ${policy} }
`;
    const box = await Box.open(yaml('{ latest: 2 }'));
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    const states = async () => Object.fromEntries((await models.all()).map(({ version, state }) => [version, state]));
    expect(await states()).toEqual({ v1: 'stopped', v2: 'ready', v10: 'ready' });
    expect((await models.status('m', 'v1')).reason).toBe('left out by version_policy');
    expect((await box.api('GET', '/api/health')).status).toBe(200);
    expect(versionOf(await models.ask('m', 'x'))).toBe('v10');
    const refused = await models.ask('m/v1', 'x');
    expect([refused.status, codeOf(refused)]).toEqual([503, 'SUP_APP_STOPPED']);
    expect(refused.text).toContain('supervisor load m@v1');

    await models.act('load', 'm@v1');
    expect(versionOf(await models.ask('m/v1', 'x'))).toBe('v1');
    expect(versionOf(await models.ask('m', 'x'))).toBe('v10');

    const before = await models.pids('m', 'v2');
    box.write(yaml('[v2]'));
    await box.ok('start', 'supervisor.yaml');
    // v1 was loaded by hand, and the policy has never had a say in it.
    expect(await states()).toEqual({ v1: 'ready', v2: 'ready', v10: 'stopped' });
    expect(await models.pids('m', 'v2')).toEqual(before);
    expect(versionOf(await models.ask('m', 'x'))).toBe('v2');
    expect((await box.api('GET', '/api/health')).status).toBe(200);
    box.write(yaml('all'));
    await box.ok('start', 'supervisor.yaml');
    expect(await states()).toEqual({ v1: 'ready', v2: 'ready', v10: 'ready' });
  });

  it('divides requests that name none by weight, and keeps each user on one', async () => {
    const box = await Box.open(`apps:
  m:
    versions:
      v1: { module: $FIXTURES/models/echo.mjs, weight: 75 }
      v2: { module: $FIXTURES/models/echo.mjs, weight: 25 }
    isolation: thread
    workers: 1
    recycle: { user_key: header:x-user }
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    const drawn: (string | undefined)[] = [];
    for (let i = 0; i < 40; i++) drawn.push(versionOf(await models.ask('m', 'x')));
    expect(drawn.filter((version) => version === 'v2')).toHaveLength(10);
    const of = async (user: string) =>
      versionOf(await request(box.inference, 'POST', '/predict/m', { inputs: 'x' }, { 'x-user': user }));
    const users = Array.from({ length: 24 }, (_, i) => `user-${i}`);
    const first = await Promise.all(users.map(of));
    expect(new Set(first)).toEqual(new Set(['v1', 'v2']));
    expect(await Promise.all(users.map(of))).toEqual(first);
    // Only those of the version that is gone go elsewhere, and they come back with it.
    await models.act('stop', 'm@v2');
    expect(await Promise.all(users.map(of))).toEqual(first.map(() => 'v1'));
    await models.act('start', 'm@v2');
    expect(await Promise.all(users.map(of))).toEqual(first);
  });
});

describe('versions that come and go while requests run', () => {
  it('leave the others alone and lose nothing', async () => {
    const journal = (name: string, options = '') =>
      `{ module: $FIXTURES/models/journal.mjs, options: { journal: ${name}.txt, batchMs: 3${options} } }`;
    const yaml = (versions: string) => `apps:
  m: { versions: { ${versions} }, isolation: thread, workers: 1, default: v1 }
`;
    const box = await Box.open(yaml(`v1: ${journal('a')}, v2: ${journal('b')}`));
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    const [v1, v2] = [await models.pids('m', 'v1'), await models.pids('m', 'v2')];
    const ledger = await Ledger.start(box.inference, [load('m')]);

    box.write(yaml(`v1: ${journal('a')}, v2: ${journal('b')}, v3: ${journal('c')}`));
    await box.ok('start', 'supervisor.yaml');
    expect((await models.status('m', 'v3')).state).toBe('ready');
    await ledger.more(50);

    const changed = `v2: ${journal('b', ', changed: 1')}, v3: ${journal('c')}`;
    box.write(yaml(`v1: ${journal('a')}, ${changed}`));
    await box.ok('reload');
    expect(await models.pids('m', 'v1')).toEqual(v1);
    expect(await models.pids('m', 'v2')).not.toEqual(v2);
    await ledger.more(50);

    // What took all requests goes, with whatever it has queued.
    const others = await Promise.all([models.pids('m', 'v2'), models.pids('m', 'v3')]);
    box.write(yaml(changed).replace('default: v1', 'default: v3'));
    await box.ok('reload');
    expect(await Promise.all([models.pids('m', 'v2'), models.pids('m', 'v3')])).toEqual(others);
    await ledger.more(50);
    expectAllAnswered(await ledger.stop());
  });

  it('answer what they have queued before they end, also when the version comes back meanwhile', async () => {
    const yaml = (versions: string) => `apps:
  m: { versions: { ${versions} }, isolation: thread, workers: 1 }
`;
    const box = await Box.open(yaml(`v1: ${TURNS}, v2: ${TURNS}`));
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    const hold = models.hold();
    const held = models.ask('m/v2', hold.input);
    await until(async () => (await models.status('m', 'v2')).in_flight === 1, 'v2 to be busy');
    const queued = Array.from({ length: 5 }, (_, i) => models.ask('m/v2', `queued ${i}`));
    await until(async () => (await models.status('m', 'v2')).queued === 5, 'a queue');

    box.write(yaml(`v1: ${TURNS}`));
    const removing = box.ok('start', 'supervisor.yaml');
    await until(
      async () => codeOf(await models.ask('m/v2', 'x', SOON)) === 'SUP_MODEL_NOT_FOUND',
      'v2 to take nothing more',
    );
    expect(versionOf(await models.ask('m', 'x'))).toBe('v1');
    hold.release();
    expect([(await held).status, ...(await Promise.all(queued)).map(({ status }) => status)]).toEqual(
      Array(6).fill(200),
    );
    await removing;
    expect((await models.all()).map(({ version }) => version)).toEqual(['v1']);

    box.write(yaml(`v1: ${TURNS}, v2: ${TURNS}`));
    await box.ok('start', 'supervisor.yaml');
    const again = models.hold();
    const busy = models.ask('m/v2', again.input);
    await until(async () => (await models.status('m', 'v2')).in_flight === 1, 'v2 to be busy');
    box.write(yaml(`v1: ${TURNS}`));
    const going = box.ok('start', 'supervisor.yaml');
    await until(async () => codeOf(await models.ask('m/v2', 'x', SOON)) === 'SUP_MODEL_NOT_FOUND', 'v2 to go');
    box.write(yaml(`v1: ${TURNS}, v2: ${TURNS}`));
    const coming = box.ok('start', 'supervisor.yaml');
    await until(async () => (await models.ask('m/v2', 'y', SOON)).status !== 404, 'v2 to be back');
    again.release();
    await Promise.all([busy, going, coming]);
    expect((await models.ask('m/v2', 'x')).status).toBe(200);
    // Its workers go on counting where the former ones stopped.
    expect(Number((await box.row('m', 'v2')).workers[0]?.id.split('/')[1])).toBeGreaterThan(1);
  });

  it.each(['1', '{ min: 0, max: 1 }'])(
    'that cannot be loaded are reported and harm nobody, with workers: %s',
    async (workers) => {
      const yaml = (versions: string) => `apps:
  m: { versions: { ${versions} }, isolation: thread, workers: ${workers}, restart: { backoff: 50ms } }
`;
      const box = await Box.open(yaml(`v1: ${TURNS}`));
      const models = new Models(box);
      await box.ok('start', 'supervisor.yaml');
      expect(versionOf(await models.ask('m', 'x'))).toBe('v1');
      const before = await models.pids('m', 'v1');
      const ledger = await Ledger.start(box.inference, [load('m')]);
      await ledger.more(20);

      box.write(yaml(`v1: ${TURNS}, v2: ${V('load-throws')}`));
      const started = await box.cli('start', 'supervisor.yaml');
      if (workers === '1') {
        expect(started.code).toBe(1);
        expect(started.stdout + started.stderr).toContain('weights.bin is missing');
      }
      await ledger.more(100);
      const loaded = await models.tryTo('load', 'm@v2');
      expect(loaded.status).not.toBe(200);
      expect(loaded.text).toContain('weights.bin is missing');
      await ledger.more(100);
      const book = await ledger.stop();
      expectAllAnswered(book);
      expect(await models.pids('m', 'v1')).toEqual(before);
      expect(versionOf(await models.ask('m', 'x'))).toBe('v1');
      const named = await models.ask('m/v2', 'x');
      expect(named.status).toBe(503);
      expect(named.text).toContain('weights.bin is missing');
      expect(await models.status('m', 'v2')).toMatchObject({ state: 'failed' });
    },
  );

  it('are rolled again by the next start of the file when their new code failed', async () => {
    const box = await Box.open(`apps:
  m: { versions: { v1: { module: one.mjs }, v2: { module: two.mjs } }, isolation: thread, workers: 1 }
`);
    const models = new Models(box);
    const good = 'export default { predict: (_m, inputs) => inputs };\n';
    for (const name of ['one', 'two']) writeFileSync(path.join(box.dir, `${name}.mjs`), good);
    await box.ok('start', 'supervisor.yaml');
    const before = await models.pids('m', 'v1');
    const file = readFileSync(box.file, 'utf8');
    writeFileSync(path.join(box.dir, 'three.mjs'), "throw new Error('bad deploy');\n");
    writeFileSync(box.file, file.replace('two.mjs', 'three.mjs'));
    expect((await box.cli('start', 'supervisor.yaml')).code).toBe(1);
    expect((await models.ask('m', 'x')).status).toBe(200);
    writeFileSync(path.join(box.dir, 'three.mjs'), good);
    await box.ok('start', 'supervisor.yaml');
    expect(await box.row('m', 'v2')).toMatchObject({ generation: 3, ready: 1 });
    expect(await models.pids('m', 'v1')).toEqual(before);
  });
});

describe('model@version', () => {
  it('is a target of every act, and its size survives the master', async () => {
    const yaml = `apps:
  m: { versions: { v1: ${E}, v2: ${E} }, isolation: thread, workers: { min: 1, max: 4 } }
`;
    const box = await Box.open(yaml);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    const ids = async (version: string) => (await box.row('m', version)).workers.map(({ id }) => id);
    const v1 = await ids('v1');
    await models.act('scale', 'm@v2', { size: '2' });
    expect((await ids('v2')).length).toBe(2);
    for (const verb of ['recycle', 'reload', 'restart', 'unload', 'load', 'stop', 'start']) {
      const before = await ids('v2');
      await models.act(verb, 'm@v2');
      const now = await ids('v2');
      if (verb === 'unload' || verb === 'stop') expect(now).toEqual([]);
      else expect([verb, now.length, now.filter((id) => before.includes(id))]).toEqual([verb, 2, []]);
      expect(await ids('v1')).toEqual(v1);
    }
    const described = JSON.parse(await box.ok('describe', 'm@v2', '--json')) as { version: string }[];
    expect(described.map(({ version }) => version)).toEqual(['v2']);
    expect(await box.ok('logs', 'm@v2')).not.toContain('m@v1');

    await box.ok('kill');
    await box.ok('start', 'supervisor.yaml');
    expect([await ids('v1'), await ids('v2')].map(({ length }) => length)).toEqual([1, 2]);
  });
});
