import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Box, freePort, isRunning, processesOf, request, until } from '../support/box.js';

const ENDS = 'command: [node, $FIXTURES/command/ends.mjs]';

it('a command that ignores SIGTERM is killed after stop.grace, and its grandchildren with it', async () => {
  const box = await Box.open(
    'apps:\n  family: { command: [node, $FIXTURES/command/family.mjs], stop: { grace: 1s }, ready: { probe: "log:^family" } }\n',
  );
  await box.ok('start', 'supervisor.yaml');
  const [worker] = (await box.row('family')).workers;
  const pgid = worker?.pid as number;
  await until(() => groupOf(box, pgid).length >= 3, 'three generations');
  const family = groupOf(box, pgid);
  const began = performance.now();
  await box.ok('stop', 'family');
  expect(performance.now() - began).toBeGreaterThan(950);
  await until(() => !family.some(isRunning), 'all of them to be gone', 2000);
  expect(await box.ok('logs', 'family')).toContain('family/1 | no');
  expect(await box.row('family')).toMatchObject({ state: 'stopped', restarts: 0, workers: [] });
});

it('restart.policy says which ends are answered: never none, on-failure only failures, always all', async () => {
  const backoff = 'backoff: 10ms, max_backoff: 10ms, max_restarts: 1000';
  const app = (policy: string, code: number) =>
    `{ ${ENDS}, env: { CODE: ${code}, AFTER_MS: 400 }, restart: { policy: ${policy}, ${backoff} } }`;
  const box = await Box.open(`apps:
  never: ${app('never', 1)}
  success: ${app('on-failure', 0)}
  failure: ${app('on-failure', 1)}
  always: ${app('always', 0)}
`);
  await box.ok('start', 'supervisor.yaml');
  await until(
    async () => (await box.row('failure')).restarts >= 2 && (await box.row('always')).restarts >= 2,
    'restarts',
  );
  expect(await box.row('never')).toMatchObject({ state: 'failed', restarts: 0, ready: 0 });
  expect(await box.row('success')).toMatchObject({
    state: 'stopped',
    reason: 'ended by itself',
    restarts: 0,
    ready: 0,
  });
  const ends = await box.decisions(({ action }) => action === 'end');
  expect(ends.map(({ subject, reason }) => `${subject}: ${reason}`).sort()).toEqual([
    'never/1: never/1 exited with code 1: restart policy is never',
    'success/1: success/1 exited with code 0: restart policy is on-failure',
  ]);
  // An operator can start it again.
  await box.ok('start', 'success');
  expect(await box.row('success')).toMatchObject({ state: 'online', ready: 1 });
});

it('a command is ready when its probe says so, whichever kind of probe it is', async () => {
  const ports = [await freePort(), await freePort()];
  const bare = (port: number | undefined) => `command: [node, $FIXTURES/http/bare.mjs], env: { PORT: ${port} }`;
  const box = await Box.open(`apps:
  http: { ${bare(ports[0])}, ready: { probe: "http://127.0.0.1:${ports[0]}/" } }
  tcp: { ${bare(ports[1])}, ready: { probe: "tcp://127.0.0.1:${ports[1]}" } }
  log: { command: [node, $FIXTURES/command/journal.mjs], env: { AFTER_MS: 800 }, ready: { probe: "log:ready to \\\\w+" } }
  never: { command: [sleep, "1000"], ready: { probe: "tcp://127.0.0.1:$WEB", timeout: 500ms }, restart: { backoff: 10ms, max_backoff: 10ms } }
`);
  const { code, stderr } = await box.cli('start', 'supervisor.yaml');
  expect(code).toBe(1);
  expect(stderr).toContain(
    `never/1 was not ready after 0.5 s (ready.timeout), waiting for tcp://127.0.0.1:${box.web} to answer (ECONNREFUSED)`,
  );
  expect(readFileSync(path.join(box.dir, 'journal.txt'), 'utf8')).toContain('log is ready');
  for (const port of ports) expect((await request(port!, 'GET', '/')).status).toBe(200);
  for (const name of ['http', 'tcp', 'log']) expect(await box.row(name)).toMatchObject({ state: 'online', ready: 1 });
});

it('a command is stopped by the signal it asks for, and reload stops the old before it starts the new unless they may overlap', async () => {
  const journal = 'command: [node, $FIXTURES/command/journal.mjs], ready: { probe: "log:^ready" }';
  const box = await Box.open(`apps:
  plain: { ${journal} }
  polite: { ${journal}, stop: { signal: SIGINT } }
  overlap: { ${journal}, overlap: true, env: { AFTER_MS: 300 } }
`);
  await box.ok('start', 'supervisor.yaml');
  const file = path.join(box.dir, 'journal.txt');
  writeFileSync(file, '');
  for (const app of ['plain', 'polite', 'overlap']) await box.ok('reload', app);
  await box.ok('stop', 'all');
  const of = (app: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${app} `))
      .map((line) => line.slice(app.length + 1));
  expect(of('plain')).toEqual(['SIGTERM', 'starts', 'is ready', 'SIGTERM']);
  expect(of('polite')).toEqual(['SIGINT', 'starts', 'is ready', 'SIGINT']);
  expect(of('overlap')).toEqual(['starts', 'is ready', 'SIGTERM', 'SIGTERM']);
  expect(processesOf(box.home)).toHaveLength(2);
});

/** Every process of this box in a group. */
function groupOf(box: Box, pgid: number): number[] {
  return processesOf(box.home).filter((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return Number(fields[2]) === pgid;
  });
}
