import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Box, isRunning, processesOf, request, until } from '../support/box.js';

const WEB = 'kind: http, script: $FIXTURES/http/bare.mjs, port: $WEB';
const TICKER = 'command: [node, $FIXTURES/command/ticks.mjs]';

it('start prints the table of ready apps; a second one adds and updates apps of the same master and removes none', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB}, workers: 2 }\n  old: { ${TICKER} }\n  same: { ${TICKER} }\n`);
  const table = await box.ok('start', 'supervisor.yaml');
  expect(table.split('\n')[0]).toMatch(
    /^name +kind +version +mode +workers +pid +uptime +restarts +recycles +state +cpu +memory *$/,
  );
  expect(table).toMatch(/^web +http +– +cluster +2\/2 +\d+ \+1 .* online/m);
  expect(table).toMatch(/^same +command +– +command +1\/1 +\d+ .* online/m);
  const pid = box.masterPid();
  const before = await box.row('same');

  box.write(
    `apps:\n  web: { ${WEB}, workers: 2, env: { COLOUR: blue } }\n  same: { ${TICKER} }\n  new: { ${TICKER} }\n`,
  );
  await box.ok('start', 'supervisor.yaml');
  expect(box.masterPid()).toBe(pid);
  expect((await box.apps()).map(({ name, state }) => `${name} ${state}`)).toEqual([
    'web online',
    'old online',
    'same online',
    'new online',
  ]);
  expect(await box.row('web')).toMatchObject({ generation: 2, ready: 2 });
  expect((await box.row('same')).workers[0]?.pid).toBe(before.workers[0]?.pid);

  await box.ok('reload');
  expect((await box.apps()).map(({ name }) => name)).not.toContain('old');
});

it('starts at the same moment end in one master that runs everything once', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  box.write('apps:\n  ticker: { command: [sleep, "1000"] }\n', path.join(box.dir, 'other.yaml'));
  const results = await Promise.all([
    box.cli('start', 'supervisor.yaml'),
    box.cli('start', 'supervisor.yaml'),
    box.cli('start', 'other.yaml'),
    box.cli('start', 'other.yaml'),
  ]);
  expect(results.map(({ code, stderr }) => `${code} ${stderr}`.trim())).toEqual(['0', '0', '0', '0']);
  const apps = await box.apps();
  expect(apps.map(({ name, ready }) => `${name} ${ready}`).sort()).toEqual(['ticker 1', 'web 1']);
  const workers = apps.flatMap((app) => app.workers.map(({ pid }) => pid as number));
  // The master, its guard, and the two workers: no second master, no second worker.
  await until(() => processesOf(box.home).length === 4, 'four processes');
  expect(processesOf(box.home)).toEqual(expect.arrayContaining([box.masterPid(), ...workers]));
});

it('what a dead master left behind is healed, whatever it says', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  await box.ok('start', 'supervisor.yaml');
  const dead = box.masterPid();
  process.kill(dead, 'SIGKILL');
  await until(() => !isRunning(dead), 'the master to be gone');
  const socket = path.join(box.home, 'supervisor.sock');
  const pidFile = path.join(box.home, 'master.pid');
  expect(existsSync(socket) && existsSync(pidFile)).toBe(true);
  expect((await box.cli('list')).code).toBe(3);
  await box.ok('start', 'supervisor.yaml');
  expect(box.masterPid()).not.toBe(dead);
  await box.ok('kill');

  // Rubbish, and the pid of somebody else who lives.
  for (const text of ['{"pid":', JSON.stringify({ pid: process.pid, start_ticks: 1, boot_id: 'another' })]) {
    writeFileSync(pidFile, text);
    writeFileSync(socket, '');
    await box.ok('start', 'supervisor.yaml');
    expect((await request(box.web, 'GET', '/')).status).toBe(200);
    await box.ok('kill');
  }
  expect(isRunning(process.pid)).toBe(true);
});

it('a live master is never stolen', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  await box.ok('start', 'supervisor.yaml');
  const pid = box.masterPid();
  const inTheWay = await box.cli('run', 'supervisor.yaml');
  expect(inTheWay.code).toBe(1);
  expect(inTheWay.stderr).toContain(`a master (pid ${pid}) runs in ${box.home} already`);
  expect(box.masterPid()).toBe(pid);
  expect((await box.cli('ping')).code).toBe(0);
  expect((await request(box.web, 'GET', '/')).status).toBe(200);
});

it('kill ends the master and all workers and leaves no process; then no master is running', async () => {
  const box = await Box.open(`apps:
  web: { ${WEB}, workers: 2 }
  family: { command: [node, $FIXTURES/command/family.mjs], env: { ESCAPES: 1 }, stop: { grace: 500ms } }
  echo: { module: $FIXTURES/models/echo.mjs, isolation: thread }
`);
  await box.ok('start', 'supervisor.yaml');
  expect(processesOf(box.home).length).toBeGreaterThan(6);
  expect(await box.ok('kill')).toContain('everything is stopped');
  expect(processesOf(box.home)).toEqual([]);
  expect((await request(box.web, 'GET', '/')).error).toBe('ECONNREFUSED');
  expect((await box.cli('kill')).code).toBe(3);
});

it('kill -9 of the master takes blocked workers, grandchildren and what left its group with it within 3 s, and the next start is clean', async () => {
  const box = await Box.open(`apps:
  web: { kind: http, script: $FIXTURES/http/blocks.mjs, port: $WEB, workers: 2 }
  blocked: { command: [node, $FIXTURES/command/family.mjs], env: { BLOCKS: 1 }, stop: { grace: 200ms } }
  family: { command: [node, $FIXTURES/command/family.mjs], env: { ESCAPES: 1 }, stop: { grace: 200ms } }
  model: { module: $FIXTURES/models/echo.mjs }
  threads: { module: $FIXTURES/models/echo.mjs, isolation: thread }
`);
  await box.ok('start', 'supervisor.yaml');
  const blocked = request(box.web, 'GET', '/block');
  const spinning = (await box.row('blocked')).workers[0]?.pid as number;
  await until(() => cpuTicks(spinning) > 60, 'the loop to be blocked');
  const before = processesOf(box.home);
  expect(before.length).toBeGreaterThan(12);

  process.kill(box.masterPid(), 'SIGKILL');
  await until(() => processesOf(box.home).length === 0, 'all processes to be gone', 3000);
  expect((await blocked).status).toBe(0);
  await box.ok('start', 'supervisor.yaml');
  expect((await box.apps()).map(({ ready, desired }) => ready === desired)).not.toContain(false);
  expect(readFileSync(path.join(box.home, 'master.log'), 'utf8')).not.toContain('left behind');
});

it('the state folder is closed to others, and is closed again if somebody opened it', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  chmodSync(box.home, 0o755);
  await box.ok('start', 'supervisor.yaml');
  expect(modesOf(box.home)).toEqual({
    '.': '700',
    adhoc: '700',
    logs: '700',
    'logs/web.log': '600',
    'master.log': '600',
    'master.out': '600',
    'master.pid': '600',
    'state.json': '600',
    'supervisor.sock': '600',
    token: '600',
  });
});

it('a torn state file costs nothing: what ran is started again from the copy before it', async () => {
  const box = await Box.open('');
  renameSync(box.file, path.join(box.dir, 'shop.yaml'));
  box.write('apps:\n  ticker: { command: [sleep, "1000"], workers: 2 }\n', path.join(box.dir, 'shop.yaml'));
  await box.ok('start', 'shop.yaml');
  // Two copies that differ: the second one is torn.
  await box.ok('scale', 'ticker', '3');
  await box.ok('kill');
  const state = path.join(box.home, 'state.json');
  writeFileSync(state, readFileSync(state).subarray(0, 50));
  // No supervisor.yaml here: start without a file takes what the last master had.
  const { code, stderr } = await box.cli('start');
  expect([code, stderr]).toEqual([0, expect.stringContaining('state.json is damaged and was passed over')]);
  expect(await box.row('ticker')).toMatchObject({ ready: 2 });
  expect(readFileSync(path.join(box.home, 'master.log'), 'utf8')).toContain('state.json is damaged');
  await box.ok('kill');
  expect((await box.cli('start')).stderr).toBe('');
});

function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Permission bits in octal, by path. */
function modesOf(folder: string): Record<string, string> {
  const names = ['.', ...(readdirSync(folder, { recursive: true }) as string[])].sort();
  return Object.fromEntries(names.map((name) => [name, (statSync(path.join(folder, name)).mode & 0o777).toString(8)]));
}
