import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Box } from '../support/box.js';

const SECRETS = ['hunter2-from-env', 'hunter2-from-env-file', 'hunter2-from-override', 'hunter2-of-the-shell'];

it('no environment value of an app appears in an answer, a log of the master or a file of the state folder', async () => {
  const env = `{ PASSWORD: ${SECRETS[0]} }`;
  const apps = (more: string) => `apps:
  web: { kind: http, script: $FIXTURES/http/bare.mjs, port: $WEB, env: ${env}, env_file: .env, ${more} }
  broken: { command: [node, $FIXTURES/command/ends.mjs], env: ${env}, env_file: .env, restart: { backoff: 10ms, max_backoff: 10ms } }
  model: { module: $FIXTURES/models/echo.mjs, env: ${env} }
`;
  const box = await Box.open('', { SUPERVISOR__APPS__WEB__ENV__EXTRA: SECRETS[2], SHELL_SECRET: SECRETS[3] });
  writeFileSync(path.join(box.dir, '.env'), `FILE_PASSWORD=${SECRETS[1]}\n`);
  box.write(apps('workers: 1'));
  const said: string[] = [];
  const note = async (...args: string[]) => {
    const { stdout, stderr } = await box.cli(...args);
    said.push(stdout, stderr);
  };
  await note('start', 'supervisor.yaml', '--json');
  for (const args of [
    ['list', '--json'],
    ['describe', 'all'],
    ['describe', 'all', '--json'],
    ['decisions', '--json'],
    ['config'],
    ['config', '--origin', '--json'],
    ['config', 'set', 'apps.web.env.PASSWORD', SECRETS[0]!],
    ['token'],
  ])
    await note(...args);
  // Wrong in ways that make messages quote what stands there.
  box.write(apps('max_request: 3, workers: none'));
  for (const args of [['validate'], ['reload'], ['start', 'supervisor.yaml']]) await note(...args);
  expect(said.join('\n')).toContain('did you mean');
  for (const pathname of [
    '/api/apps',
    '/api/apps/web',
    '/api/health/',
    '/api/process/status/',
    '/api/decisions',
    '/api/config',
    '/api/config?origin=true',
    '/api/apps/nope',
  ])
    said.push((await box.api('GET', pathname)).text);
  expect(said.join('\n')).toContain('PASSWORD');
  await box.ok('kill');

  const files = (readdirSync(box.home, { recursive: true }) as string[]).filter((file) =>
    statSync(path.join(box.home, file)).isFile(),
  );
  expect(files).toEqual(expect.arrayContaining(['state.json', 'master.log', 'master.out', 'logs/web.log']));
  const places = [
    ['answers', said.join('\n')],
    ...files.map((file) => [file, readFileSync(path.join(box.home, file), 'utf8')]),
  ];
  const leaks = places.flatMap(([place, text]) =>
    SECRETS.filter((secret) => text!.includes(secret)).map((secret) => `${place}: ${secret}`),
  );
  expect(leaks).toEqual([]);
});
