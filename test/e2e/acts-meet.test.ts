import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { type Answer, Box, FIXTURES, freePort, processesOf, request, until } from '../support/box.js';

const SECONDS = 8;
const RESTART = 'restart: { backoff: 20ms, max_backoff: 100ms, max_restarts: 50, retry_after: 1s }';

it('whatever acts and crashes meet, each ends in an answer, and no process runs that no list shows', async () => {
  const box = await Box.open('');
  const otherPort = await freePort();
  const script = path.join(box.dir, 'server.mjs');
  const repair = () => copyFileSync(path.join(FIXTURES, 'http/bare.mjs'), script);
  copyFileSync(path.join(FIXTURES, 'http/echo.mjs'), path.join(box.dir, 'echo.mjs'));
  repair();
  const write = (port: number) =>
    box.write(`apps:
  web: { kind: http, script: server.mjs, port: ${port}, workers: 2, ready: { timeout: 5s }, stop: { grace: 2s }, ${RESTART} }
  job: { command: [node, $FIXTURES/command/ticks.mjs], workers: 2, ${RESTART} }
`);
  write(box.web);
  await box.ok('start', 'supervisor.yaml');

  const post = (app: string, verb: string, body = {}) => box.api('POST', `/api/apps/${app}/${verb}`, body);
  const apply = () => box.api('POST', '/api/apps', { file: box.file });
  const onAnyPort = () => {
    write(pick([box.web, otherPort])!);
    return apply();
  };
  const acts: (() => Promise<Answer | undefined>)[] = ['web', 'job'].flatMap((app) => [
    ...['reload', 'recycle', 'stop', 'start', 'start', 'restart', 'restart'].map((verb) => () => post(app, verb)),
    ...['1', '3', '+1', '-1', 'auto'].map((size) => () => post(app, 'scale', { size })),
    async () => {
      const { apps } = (await box.api('GET', '/api/apps')).json as {
        apps: { name: string; workers: { pid: number | null }[] }[];
      };
      const pid = pick(apps.find(({ name }) => name === app)?.workers ?? [])?.pid;
      if (pid != null) killIfThere(pid);
      return undefined;
    },
  ]);
  acts.push(
    async () => {
      writeFileSync(script, "throw new Error('a bad deploy');\n");
      const answer = await post('web', 'reload');
      repair();
      return answer;
    },
    onAnyPort,
    onAnyPort,
    async () => {
      await post('job', 'delete');
      return apply();
    },
    apply,
  );
  const answers: Answer[] = [];
  const end = performance.now() + SECONDS * 1000;
  const lane = async () => {
    while (performance.now() < end) {
      const answer = await pick(acts)!();
      if (answer) answers.push(answer);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  const unexplained = answers.filter(
    ({ status, text }) => status !== 200 && !/"code":"SUP_(?!INTERNAL|ILLEGAL)/.test(text),
  );
  expect(unexplained).toEqual([]);
  expect(answers.length).toBeGreaterThan(20);

  repair();
  write(box.web);
  await box.ok('start', 'supervisor.yaml');
  await box.ok('scale', 'all', '2');
  await until(
    async () => (await box.apps()).every(({ ready, workers }) => ready === 2 && workers.length === 2),
    'two workers each',
  );
  // The master, its guard, and four workers.
  await until(() => processesOf(box.home).length === 6, 'no other process', 5000);
  expect((await request(box.web, 'GET', '/')).status).toBe(200);
  expect((await request(otherPort, 'GET', '/')).error).toBe('ECONNREFUSED');
});

function pick<T>(from: readonly T[]): T | undefined {
  return from[Math.floor(Math.random() * from.length)];
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
