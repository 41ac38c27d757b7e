import { once } from 'node:events';
import net from 'node:net';
import { expect, it } from 'vitest';
import type { AppRow } from '../../src/master/supervisor.js';
import { Box, freePort, isRunning, request, until } from '../support/box.js';
import { Ledger } from '../support/ledger.js';

const isBack = ({ restarts, ready }: AppRow) => restarts > 0 && ready === 2;
const WEB = 'kind: http, script: $FIXTURES/http/blocks.mjs, port: $WEB, workers: 2';

it('a port in use is named with its owner, and the app starts when it is free', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  const owner = net.createServer().listen(box.web, '127.0.0.1');
  await once(owner, 'listening');
  const { code, stderr } = await box.cli('start', 'supervisor.yaml');
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`port ${box.web} of web is in use by .*\\(pid ${process.pid}\\)`));
  expect(await box.row('web')).toMatchObject({ ready: 0, workers: [] });
  owner.close();
  await once(owner, 'close');
  await box.ok('start', 'supervisor.yaml');
  expect(await box.row('web')).toMatchObject({ state: 'online', ready: 2 });
});

it('programs that never get ready make start exit with 1, and each message says what is wrong', async () => {
  const other = await freePort();
  const slow = 'ready: { timeout: 2s }, restart: { backoff: 20ms, max_backoff: 20ms }';
  const box = await Box.open(`apps:
  fine: { ${WEB} }
  elsewhere: { kind: http, script: $FIXTURES/http/other-port.mjs, port: ${await freePort()}, env: { OTHER_PORT: ${other} }, ${slow} }
  silent: { kind: http, script: $FIXTURES/http/silent.mjs, port: ${await freePort()}, ${slow} }
  throws: { kind: http, script: $FIXTURES/http/throws.mjs, port: ${await freePort()}, ${slow} }
`);
  const { code, stdout, stderr } = await box.cli('start', 'supervisor.yaml');
  expect(code).toBe(1);
  expect(stderr).toMatch(/elsewhere\/1 was not ready after 2 s \(ready.timeout\)/);
  expect(stderr).toContain(`it listens on ${other}; let the program use process.env.PORT, or set port: ${other}`);
  expect(stderr).toMatch(/silent\/1 was not ready after 2 s \(ready.timeout\), waiting for it to listen on port \d+/);
  expect(stderr).toContain('still looking for the database');
  expect(stderr).toContain('throws/1 exited with code 1 while starting');
  expect(stderr).toContain('TypeError: settings.toml is not readable');
  expect(stdout).toMatch(/^fine .*2\/2.*online/m);
  expect((await request(box.web, 'GET', '/')).status).toBe(200);
  await box.ok('kill');
});

it('a worker that crashes is started again at once, and its neighbour serves meanwhile', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB} }\n`);
  await box.ok('start', 'supervisor.yaml');
  const [victim, neighbour] = (await box.row('web')).workers;
  process.kill(victim!.pid as number, 'SIGKILL');
  const answers = await Promise.all(Array.from({ length: 20 }, () => request(box.web, 'GET', '/?ms=50')));
  // What the dead one had accepted is lost with it; nothing else is.
  const broken = answers.filter(({ status }) => status !== 200);
  expect(broken.every(({ error }) => error === 'ECONNRESET')).toBe(true);
  await until(async () => isBack(await box.row('web')), 'the worker to be back');
  const row = await box.row('web');
  expect(row).toMatchObject({ restarts: 1, recycles: 0 });
  expect(row.workers.map(({ id }) => id)).toEqual([victim!.id, neighbour!.id]);
  expect(row.workers[0]!.pid).not.toBe(victim!.pid);
  expect(row.workers[1]!.pid).toBe(neighbour!.pid);
  const [restart] = await box.decisions(({ policy }) => policy === 'restart');
  expect(restart).toMatchObject({ subject: victim!.id, action: 'restart', numbers: { deaths: 1, delay_ms: 0 } });
  expect(restart!.reason).toContain('killed by SIGKILL');
});

it('a worker whose event loop is blocked is killed after health.wedge and replaced, and the other one serves meanwhile', async () => {
  const box = await Box.open(`apps:\n  web: { ${WEB}, health: { wedge: 2s } }\n`);
  await box.ok('start', 'supervisor.yaml');
  const before = (await box.row('web')).workers;
  const blocked = request(box.web, 'GET', '/block');
  const ledger = await Ledger.start(box.web, [{ name: 'fresh', clients: 2, path: '/', keepAlive: false }]);
  const { status } = await blocked;
  expect(status).toBe(0);
  const [kill] = await box.decisions(({ policy }) => policy === 'health');
  expect(kill).toMatchObject({ action: 'kill', reason: 'wedged', numbers: { wedge_ms: 2000 } });
  expect(kill!.numbers.silent_ms).toBeGreaterThan(2000);
  await until(async () => isBack(await box.row('web')), 'the worker to be replaced');
  // Requests that it had accepted and never read die with it, as docs/http-apps.md says; nothing that came later does.
  const book = await ledger.stop();
  expect(Object.values(book.lost).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(2);
  expect(book.ok).toBeGreaterThan(100);
  const row = await box.row('web');
  expect(row).toMatchObject({ state: 'online', restarts: 1 });
  const gone = before.find(({ id }) => id === kill!.subject);
  expect(isRunning(gone!.pid as number)).toBe(false);
});
