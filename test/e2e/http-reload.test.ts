import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Box, FIXTURES, request, until } from '../support/box.js';
import { expectAllAnswered, Ledger, type Load } from '../support/ledger.js';

const BODY = '{"id":"$ID"}';
/** What browsers, proxies and scripts do, all at once. */
const EVERYBODY: Load[] = [
  { name: 'GET, kept', clients: 4, path: '/', keepAlive: true },
  { name: 'POST, kept', clients: 4, path: '/', method: 'POST', body: BODY, keepAlive: true },
  { name: 'GET, fresh', clients: 4, path: '/', keepAlive: false },
  { name: 'POST, fresh', clients: 4, path: '/', method: 'POST', body: BODY, keepAlive: false },
  { name: 'slow, kept', clients: 8, path: '/?ms=300', keepAlive: true },
  { name: 'slow, fresh', clients: 8, path: '/?ms=300', keepAlive: false },
  { name: 'paused', clients: 100, path: '/', keepAlive: true, maxPauseMs: 2500 },
];
const BARE = 'kind: http, script: $FIXTURES/http/bare.mjs, port: $WEB';

it('reload, recycle and every change of size lose no request of any kind of client', async () => {
  const box = await Box.open(`apps:\n  web: { ${BARE}, workers: 2 }\n`);
  await box.ok('start', 'supervisor.yaml');
  const ledger = await Ledger.start(box.web, EVERYBODY);
  await ledger.answeredBy(2);
  await box.ok('reload', 'web');
  await box.ok('scale', 'web', '+1');
  await ledger.answeredBy(5);
  await box.ok('recycle', 'web');
  await box.ok('scale', 'web', '1');
  await box.ok('scale', 'web', 'auto');
  await ledger.more(200);
  const book = await ledger.stop();
  expectAllAnswered(book);
  for (const { name } of EVERYBODY) expect(book.pages[name]!.ok, name).toBeGreaterThan(0);
  // Two at first, two by the reload, one more, three by the recycle; one of these stays, and one joins it.
  const row = await box.row('web');
  expect(row).toMatchObject({ state: 'online', ready: 2, desired: 2, generation: 2, restarts: 0, recycles: 3 });
  expect(row.workers.map(({ id }) => Number(id.split('/')[1])).at(-1)).toBe(9);
});

it('stop answers what is in flight and what waits in the queue, and the port is free afterwards', async () => {
  const box = await Box.open(`apps:\n  web: { kind: http, script: $FIXTURES/http/blocks.mjs, port: $WEB }\n`);
  await box.ok('start', 'supervisor.yaml');
  const slow = Array.from({ length: 10 }, () => request(box.web, 'POST', '/?ms=2500', 'in flight'));
  await until(async () => (await box.row('web')).workers[0]?.in_flight === 10, 'ten requests in flight');
  const blocking = net.connect(box.web, '127.0.0.1');
  blocking.write('GET /block?for=1500 HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n');
  expect(String((await once(blocking, 'data'))[0])).toContain('102 Processing');
  // The loop is busy from now on, so these wait in the kernel until it accepts again.
  const queued = Array.from({ length: 50 }, () => request(box.web, 'POST', '/', 'queued'));
  const stopped = box.ok('stop', 'web');
  const answers = await Promise.all([...slow, ...queued]);
  expect(answers.map(({ status, error }) => error ?? status)).toEqual(answers.map(() => 200));
  expect(answers.filter(({ text }) => text === 'queued')).toHaveLength(50);
  await stopped;
  expect(await box.row('web')).toMatchObject({ state: 'stopped', ready: 0, workers: [] });

  const mine = net.createServer();
  mine.listen(box.web, '127.0.0.1');
  await once(mine, 'listening');
  mine.close();
  await box.ok('start', 'web');
  expect((await request(box.web, 'GET', '/')).status).toBe(200);
});

it('upgraded connections work while their worker drains, and stop.grace lets go of them', async () => {
  const box = await Box.open(
    `apps:\n  web: { kind: http, script: $FIXTURES/http/upgrades.mjs, port: $WEB, stop: { grace: 2s } }\n`,
  );
  await box.ok('start', 'supervisor.yaml');
  const socket = net.connect(box.web, '127.0.0.1');
  socket.on('error', () => {});
  const ended = once(socket, 'close');
  socket.write('GET / HTTP/1.1\r\nHost: box\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  expect(String((await once(socket, 'data'))[0])).toContain('101 Switching Protocols');

  const began = performance.now();
  const reloaded = box.ok('reload', 'web');
  await until(
    async () => (await box.row('web')).workers.some(({ state }) => state === 'draining'),
    'the old one to drain',
  );
  socket.write('still there?');
  expect(String((await once(socket, 'data'))[0])).toBe('still there?');
  expect((await request(box.web, 'GET', '/')).headers['x-worker']).toBe('web/2');
  await reloaded;
  expect(performance.now() - began).toBeGreaterThan(1900);
  await ended;
  expect((await box.row('web')).workers.map(({ id }) => id)).toEqual(['web/2']);
});

it('a bad deploy leaves the old workers serving, and reload exits with 1 and says what is wrong', async () => {
  const box = await Box.open('apps:\n  web: { kind: http, script: server.mjs, port: $WEB, workers: 2 }\n');
  const script = path.join(box.dir, 'server.mjs');
  copyFileSync(path.join(FIXTURES, 'http/bare.mjs'), script);
  copyFileSync(path.join(FIXTURES, 'http/echo.mjs'), path.join(box.dir, 'echo.mjs'));
  await box.ok('start', 'supervisor.yaml');
  const ledger = await Ledger.start(box.web, EVERYBODY.slice(0, 6));
  await ledger.answeredBy(2);

  writeFileSync(script, "throw new Error('no such table: users');\n");
  const { code, stderr } = await box.cli('reload', 'web');
  expect(code).toBe(1);
  expect(stderr).toContain('web/1 was not replaced: web/3 exited with code 1 while starting');
  expect(stderr).toContain('no such table: users');
  await ledger.more(100);
  const row = await box.row('web');
  expect(row).toMatchObject({ state: 'online', ready: 2, restarts: 0 });
  expect(row.workers.map(({ id }) => id)).toEqual(['web/1', 'web/2']);

  copyFileSync(path.join(FIXTURES, 'http/bare.mjs'), script);
  await box.ok('reload', 'web');
  const book = await ledger.stop();
  expectAllAnswered(book);
  expect((await box.row('web')).workers.map(({ id }) => id)).not.toContain('web/1');
});
