import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { AppRow } from '../../src/master/supervisor.js';
import { Box, processesOf, request, until } from '../support/box.js';

const WEB = 'kind: http, script: $FIXTURES/http/bare.mjs, port: $WEB';

/** `supervisor run`, and everything that it printed. */
class Foreground {
  stdout = '';
  stderr = '';
  readonly exited: Promise<number | string | null>;

  constructor(readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string | null);
  }
}

/** Also while there is no master yet. */
async function rowOf(box: Box, name: string): Promise<AppRow | null> {
  if (!existsSync(path.join(box.home, 'token'))) return null;
  const { json } = await box.api('GET', '/api/apps');
  return (json as { apps: AppRow[] } | undefined)?.apps.find((app) => app.name === name) ?? null;
}

async function run(box: Box): Promise<Foreground> {
  const foreground = new Foreground(box.spawn('run', 'supervisor.yaml'));
  await until(async () => (await rowOf(box, 'web'))?.state === 'online', 'web to be online');
  return foreground;
}

it('run ends at SIGTERM with 0 once what is in flight is answered', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n  ticker: { command: [node, $FIXTURES/command/ticks.mjs] }\n`);
  const foreground = await run(box);
  const slow = request(box.web, 'POST', '/?ms=2500', 'in flight');
  await until(async () => (await box.row('web')).workers[0]?.in_flight === 1, 'the request to be in flight');
  foreground.child.kill('SIGTERM');
  expect((await slow).text).toBe('in flight');
  expect(await foreground.exited).toBe(0);
  expect(processesOf(box.home)).toEqual([]);
  expect(foreground.stdout).toMatch(/^ticker\/1 \| tick 1$/m);
  expect(foreground.stderr).toContain('ending: SIGTERM');
});

it('run drains at a first SIGINT and kills at a second', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  const foreground = await run(box);
  const endless = request(box.web, 'GET', '/?ms=60000');
  await until(async () => (await box.row('web')).workers[0]?.in_flight === 1, 'the request to be in flight');
  foreground.child.kill('SIGINT');
  await until(async () => (await rowOf(box, 'web'))?.workers[0]?.state === 'draining', 'the worker to drain');
  foreground.child.kill('SIGINT');
  expect((await endless).error).toBe('ECONNRESET');
  expect(await foreground.exited).toBe(0);
  expect(processesOf(box.home)).toEqual([]);
});

it('run of a single command passes its exit code on', async () => {
  const ends = 'command: [node, $FIXTURES/command/ends.mjs]';
  const outcomes = await Promise.all(
    [
      `{ ${ends}, env: { AFTER_MS: 400, CODE: 7 }, restart: { policy: never } }`,
      `{ ${ends}, env: { AFTER_MS: 400 }, restart: { policy: on-failure } }`,
    ].map(async (app) => {
      const box = await Box.open(`apps:\n  job: ${app}\n`);
      const foreground = new Foreground(box.spawn('run', 'supervisor.yaml'));
      return [await foreground.exited, foreground.stdout];
    }),
  );
  expect(outcomes).toEqual([
    [7, 'job/1 | will end with 7\n'],
    [0, 'job/1 | will end with 0\n'],
  ]);
});

it('SIGHUP reloads the configuration; one that is wrong changes nothing', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  await box.ok('start', 'supervisor.yaml');
  const master = box.masterPid();
  box.write(`apps:\n  web: { ${WEB}, wokers: 2 }\n`);
  process.kill(master, 'SIGHUP');
  const log = () => readFileSync(path.join(box.home, 'master.log'), 'utf8');
  await until(() => log().includes('did you mean `workers`'), 'the reason to be written down');
  expect(await box.row('web')).toMatchObject({ state: 'online', ready: 1, generation: 1 });

  box.write(`apps:\n  web: { ${WEB}, workers: 2 }\n  ticker: { command: [sleep, "1000"] }\n`);
  process.kill(master, 'SIGHUP');
  await until(async () => (await rowOf(box, 'ticker'))?.ready === 1, 'the new app to be there');
  await until(async () => (await rowOf(box, 'web'))?.ready === 2, 'the new size to be there');
  expect(box.masterPid()).toBe(master);

  box.write('apps:\n  web: { kind: http, script: $FIXTURES/http/throws.mjs, port: $WEB, workers: 2 }\n');
  process.kill(master, 'SIGHUP');
  await until(() => /SIGHUP: web: web\/\d was not replaced/.test(log()), 'the failure to be written down');
  expect(await box.row('web')).toMatchObject({ state: 'online', ready: 2 });
});

it('SIGUSR1 reopens the logs: a file that was moved away gets no more lines, and none is lost', async () => {
  const box = await Box.open(
    `log: { format: plain }\napps:\n  web: { ${WEB} }\n  ticker: { command: [node, $FIXTURES/command/ticks.mjs] }\n`,
  );
  await box.ok('start', 'supervisor.yaml');
  const ticker = path.join(box.home, 'logs/ticker.log');
  const masterLog = path.join(box.home, 'master.log');
  const ticks = (file: string) =>
    [...readFileSync(file, 'utf8').matchAll(/tick (\d+)\n/g)].map((match) => Number(match[1]));
  await until(() => ticks(ticker).length > 10, 'some lines');
  for (const file of [ticker, masterLog]) renameSync(file, `${file}.moved`);
  const worker = (await box.row('web')).workers[0]?.pid as number;
  process.kill(worker, 'SIGUSR1');
  process.kill(box.masterPid(), 'SIGUSR1');
  await until(() => existsSync(ticker) && ticks(ticker).length > 10, 'lines in a new file');
  const moved = ticks(`${ticker}.moved`);
  const all = [...moved, ...ticks(ticker)];
  expect(all).toEqual(all.map((_, i) => i + 1));
  await until(() => existsSync(masterLog), "the master's new log");
  expect(ticks(`${ticker}.moved`)).toEqual(moved);
  // Without a handler from the first line on, Node would open its inspector.
  expect(readFileSync(path.join(box.home, 'master.out'), 'utf8')).toBe('');
  expect(readFileSync(path.join(box.home, 'logs/web.log'), 'utf8')).not.toContain('Debugger');
  expect((await box.row('web')).restarts).toBe(0);
});

it('SIGTTIN and SIGTTOU give every http app one worker more or less, but never none', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n  ticker: { command: [sleep, "1000"] }\n`);
  await box.ok('start', 'supervisor.yaml');
  const master = box.masterPid();
  const becomes = (size: number) =>
    until(async () => {
      const { desired, ready, workers } = await box.row('web');
      return desired === size && ready === size && workers.length === size;
    }, `web to have ${size} workers`);
  process.kill(master, 'SIGTTIN');
  await becomes(2);
  process.kill(master, 'SIGTTOU');
  await becomes(1);
  process.kill(master, 'SIGTTOU');
  const refused = 'SIGTTOU: web has 1 worker and can have 1 to 512, not 0';
  await until(() => readFileSync(path.join(box.home, 'master.log'), 'utf8').includes(refused), 'the refusal');
  expect(await box.row('web')).toMatchObject({ desired: 1, ready: 1 });
  expect(await box.row('ticker')).toMatchObject({ desired: 1, ready: 1 });
});

it('SIGQUIT waits for nobody', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n  family: { command: [node, $FIXTURES/command/family.mjs] }\n`);
  await box.ok('start', 'supervisor.yaml');
  const endless = request(box.web, 'GET', '/?ms=60000');
  await until(async () => (await box.row('web')).workers[0]?.in_flight === 1, 'the request to be in flight');
  process.kill(box.masterPid(), 'SIGQUIT');
  await until(() => processesOf(box.home).length === 0, 'everything to be gone', 5000);
  expect((await endless).error).toBe('ECONNRESET');
});
