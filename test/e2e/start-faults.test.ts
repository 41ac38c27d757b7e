import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Box, processesOf, request, until } from '../support/box.js';

const WEB = 'kind: http, script: $FIXTURES/http/bare.mjs, port: $WEB';
const ENDS = 'command: [node, $FIXTURES/command/ends.mjs]';
/** Never ready, so that it ends while it starts however slow the machine is. */
const UNREADY = 'ready: { probe: "log:^mended" }';

it('a configuration that names a missing file is refused with its place, exit code 2, and nothing runs', async () => {
  const box = await Box.open(
    'apps:\n  web: { kind: http, script: srever.mjs, port: $WEB }\n  model: { module: weights.mjs }\n',
  );
  const { code, stdout, stderr } = await box.cli('start', 'supervisor.yaml');
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/supervisor\.yaml:5:\d+ apps\.web\.script: there is no file `srever\.mjs`/);
  expect(stderr).toMatch(/supervisor\.yaml:6:\d+ apps\.model\.module: there is no file `weights\.mjs`/);
  expect(processesOf(box.home)).toEqual([]);
  expect(existsSync(path.join(box.home, 'master.pid'))).toBe(false);

  // With a master running it stays as it is.
  box.write(`apps:\n  web: { ${WEB} }\n`);
  await box.ok('start', 'supervisor.yaml');
  box.write('apps:\n  web: { kind: http, script: srever.mjs, port: $WEB }\n');
  for (const verb of ['start', 'reload']) expect((await box.cli(verb, 'supervisor.yaml')).code).toBe(2);
  expect((await request(box.web, 'GET', '/')).status).toBe(200);
  expect(await box.row('web')).toMatchObject({ state: 'online', generation: 1 });
});

it('a crash loop makes start exit with 1 and say why, and ends in failed', async () => {
  const box = await Box.open(`apps:
  fine: { ${WEB} }
  at-once: { ${ENDS}, ${UNREADY}, env: { CODE: 3 }, restart: { backoff: 10ms, max_backoff: 20ms, max_restarts: 4, retry_after: 0 } }
  later: { ${ENDS}, env: { CODE: 4, AFTER_MS: 500 }, restart: { backoff: 10ms, max_backoff: 20ms, max_restarts: 3, retry_after: 0 } }
`);
  const { code, stdout, stderr } = await box.cli('start', 'supervisor.yaml');
  expect(code).toBe(1);
  expect(stderr).toContain('at-once: at-once/1 exited with code 3 while starting');
  expect(stderr).toContain('| will end with 3');
  expect(stdout).toMatch(/^fine .* online/m);
  for (const [app, deaths] of [
    ['at-once', 5],
    ['later', 4],
  ] as const) {
    await until(async () => (await box.row(app)).state === 'failed', `${app} to be failed`);
    const [given] = await box.decisions(({ subject, action }) => subject === `${app}/1` && action === 'giveUp');
    expect(given).toMatchObject({ policy: 'restart', numbers: { deaths, max_restarts: deaths - 1 } });
    expect(await box.row(app)).toMatchObject({ ready: 0, restarts: deaths - 1 });
  }
  expect(await box.ok('list')).toMatch(/^at-once .* failed/m);
});

it('what has failed is tried again after restart.retry_after', async () => {
  const box = await Box.open(`apps:
  job: { ${ENDS}, ${UNREADY}, env: { CODE: 1, UNLESS: mended.txt }, restart: { backoff: 10ms, max_backoff: 10ms, max_restarts: 3, retry_after: 1s } }
`);
  expect((await box.cli('start', 'supervisor.yaml')).code).toBe(1);
  await until(async () => (await box.row('job')).state === 'failed', 'job to be failed');
  writeFileSync(path.join(box.dir, 'mended.txt'), '');
  await until(async () => (await box.row('job')).state === 'online', 'job to be online');
});

it('depends_on orders starts, and what depends on a failed app waits until that is there', async () => {
  const journal = 'command: [node, $FIXTURES/command/journal.mjs], ready: { probe: "log:^ready" }';
  const box = await Box.open(`apps:
  after-ready: { ${journal}, depends_on: { slow: ready } }
  after-start: { ${journal}, depends_on: { slow: started } }
  slow: { ${journal}, env: { AFTER_MS: 1500 } }
  broken: { ${ENDS}, ${UNREADY}, env: { CODE: 1, UNLESS: mended.txt }, restart: { backoff: 10ms, max_backoff: 10ms, max_restarts: 3, retry_after: 1s } }
  after-broken: { ${journal}, depends_on: [broken] }
  last: { ${journal}, depends_on: { after-broken: started } }
`);
  const { code, stderr } = await box.cli('start', 'supervisor.yaml');
  expect(code).toBe(1);
  expect(stderr).toContain('after-broken is not started: it depends on broken, which failed');
  const lines = () => readFileSync(path.join(box.dir, 'journal.txt'), 'utf8').trimEnd().split('\n');
  const before = lines();
  expect(before.indexOf('after-start starts')).toBeLessThan(before.indexOf('slow is ready'));
  expect(before.indexOf('after-ready starts')).toBeGreaterThan(before.indexOf('slow is ready'));
  expect(stderr).toContain('last is not started: it depends on after-broken, which failed');
  for (const name of ['after-broken', 'last']) expect(before).not.toContain(`${name} starts`);
  expect(await box.row('after-broken')).toMatchObject({
    state: 'starting',
    reason: 'waiting for broken (depends_on)',
    workers: [],
  });

  writeFileSync(path.join(box.dir, 'mended.txt'), '');
  await until(async () => (await box.row('last')).state === 'online', 'last to be online');
  for (const name of ['broken', 'after-broken', 'last'])
    expect(await box.row(name)).toMatchObject({ state: 'online', ready: 1, reason: null });
  expect(lines().indexOf('last starts')).toBeGreaterThan(lines().indexOf('after-broken starts'));
});

it('a stop calls off a start that waits for another app', async () => {
  const box = await Box.open(`apps:
  never: { command: [sleep, "1000"], ready: { probe: "log:never", timeout: 60s } }
  after-never: { ${ENDS}, depends_on: [never] }
  fine: { ${WEB} }
`);
  const starting = box.cli('start', 'supervisor.yaml');
  await until(async () => (await box.cli('list')).stdout.includes('after-never'), 'after-never to be there');
  await box.ok('stop', '/never/');
  const { code, stderr } = await starting;
  expect(code).toBe(1);
  for (const name of ['never', 'after-never']) {
    expect(stderr).toContain(`${name}: ${name} was stopped meanwhile`);
    expect(await box.row(name)).toMatchObject({ state: 'stopped', reason: null, workers: [] });
  }
  expect(await box.row('fine')).toMatchObject({ state: 'online' });
});

it('a log that cannot be written stops nobody, and its lines are still shown', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n  ticker: { command: [node, $FIXTURES/command/ticks.mjs] }\n`);
  mkdirSync(path.join(box.home, 'logs'), { mode: 0o700 });
  for (const app of ['web', 'ticker']) symlinkSync('/dev/full', path.join(box.home, `logs/${app}.log`));
  await box.ok('start', 'supervisor.yaml');
  const lastTick = async () => Number(/tick (\d+)\n*$/.exec(await box.ok('logs', 'ticker', '-n', '1'))?.[1]);
  const first = await until(lastTick, 'a line');
  await until(async () => (await lastTick()) > first + 20, 'more lines');
  expect((await request(box.web, 'GET', '/')).status).toBe(200);
  expect(await box.row('ticker')).toMatchObject({ state: 'online', restarts: 0 });
  const warnings = readFileSync(path.join(box.home, 'master.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('ticker.log'));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/cannot be written: .*its lines are dropped/);
});

describe('what cannot be done is refused with its own exit code', () => {
  it('3 without a master', async () => {
    const box = await Box.open('apps: {}\n');
    const verbs = [
      'list',
      'describe web',
      'logs',
      'decisions',
      'stop web',
      'restart web',
      'reload',
      'recycle web',
      'scale web 2',
      'delete web',
      'start web',
      'kill',
      'ping',
      'predict m 1',
    ];
    const results = await Promise.all(verbs.map(async (verb) => [verb, await box.cli(...verb.split(' '))] as const));
    for (const [verb, { code, stderr }] of results) {
      expect([verb, code]).toEqual([verb, 3]);
      expect(stderr).toContain('no master is running');
    }
    expect(processesOf(box.home)).toEqual([]);
  });

  it('4 for targets that are not there, and 2 for sizes that cannot be', async () => {
    const box = await Box.open(`apps:\n  web: { ${WEB}, workers: 2 }\n`);
    await box.ok('start', 'supervisor.yaml');
    const verbs = ['start', 'stop', 'restart', 'reload', 'recycle', 'delete', 'describe', 'logs'];
    const targets = ['wbe', 'web/99', 'web@v1', '/^shop/'];
    const unknown = [
      ...verbs.map((verb) => [verb, 'wbe']),
      ...targets.map((target) => ['recycle', target]),
      ['scale', 'wbe', '2'],
      ['predict', 'wbe', '1'],
    ];
    for (const args of unknown) {
      const { code, stdout, stderr } = await box.cli(...args);
      expect([args, code, stdout]).toEqual([args, 4, '']);
      expect(stderr).toMatch(/wbe|web|shop/);
    }
    for (const size of ['-5', '-2', '0', '100000', '1.5', 'many', '--', '']) {
      const { code, stderr } = await box.cli('scale', 'web', size);
      expect([size, code]).toEqual([size, 2]);
      expect(stderr).not.toBe('');
    }
    expect(await box.row('web')).toMatchObject({ desired: 2, ready: 2, restarts: 0 });
  });
});
