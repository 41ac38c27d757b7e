import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Box, freePort } from '../support/box.js';
import { expectAllAnswered, Ledger, type Load } from '../support/ledger.js';

/** Each is a program that anybody could have written: none knows of the supervisor. */
const KINDS = [
  { name: 'bare', what: 'a bare http program', runs: 'script: $FIXTURES/http/bare.mjs' },
  {
    name: 'main',
    what: 'a CommonJS program that serves if it is the main module',
    runs: 'script: $FIXTURES/http/main.cjs',
  },
  { name: 'express', what: 'an Express program', runs: 'script: $FIXTURES/http/express.mjs' },
  { name: 'fastify', what: 'a Fastify program', runs: 'script: $FIXTURES/http/fastify.mjs' },
  { name: 'function', what: 'a module that exports a function', runs: 'handler: $FIXTURES/http/handler-function.mjs' },
  {
    name: 'express-app',
    what: 'a module that exports an Express app',
    runs: 'handler: $FIXTURES/http/handler-express.mjs',
  },
  {
    name: 'fastify-app',
    what: 'a module that exports a Fastify instance',
    runs: 'handler: $FIXTURES/http/handler-fastify.mjs',
  },
  {
    name: 'common',
    what: 'a CommonJS module that exports a function',
    runs: 'handler: $FIXTURES/http/handler-common.cjs',
  },
];

const FRESH: Load = { name: 'fresh', clients: 2, path: '/', keepAlive: false };

describe('an http app can be', () => {
  let box: Box;
  const ports = new Map<string, number>();

  beforeAll(async () => {
    for (const { name } of KINDS) ports.set(name, await freePort());
    const apps = KINDS.map(
      ({ name, runs }) => `  ${name}: { kind: http, ${runs}, port: ${ports.get(name)}, workers: 2 }`,
    );
    box = await Box.shared(`apps:\n${apps.join('\n')}\n`);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  it.each(KINDS.map(({ what, name }) => [what, name]))(
    '%s: two workers share its port, and its reload loses nothing',
    async (_, name) => {
      const ledger = await Ledger.start(ports.get(name)!, [
        { name: 'kept', clients: 2, path: '/', keepAlive: true },
        { ...FRESH, method: 'POST', body: '{"id":"$ID"}' },
      ]);
      // The two old ones, then the two new ones.
      await ledger.answeredBy(2);
      await box.ok('reload', name);
      await ledger.answeredBy(4);
      const book = await ledger.stop();
      expectAllAnswered(book);
      expect(book.workers).toEqual([1, 2, 3, 4].map((number) => `${name}/${number}`));
      expect(await box.row(name)).toMatchObject({
        mode: 'cluster',
        state: 'online',
        ready: 2,
        generation: 2,
        restarts: 0,
      });
    },
  );
});

const PYTHON = spawnSync('python3', ['--version']).status === 0;

it.skipIf(!PYTHON)(
  `a Python program inherits the socket as fd 3, and its reload loses nothing${PYTHON ? '' : ' (SKIPPED: there is no python3 here)'}`,
  async () => {
    const box = await Box.open(
      'apps:\n  api: { kind: http, command: [python3, $FIXTURES/http/inherits.py], port: $WEB, workers: 2 }\n',
    );
    await box.ok('start', 'supervisor.yaml');
    const ledger = await Ledger.start(box.web, [FRESH]);
    await ledger.answeredBy(2);
    await box.ok('reload', 'api');
    await ledger.answeredBy(4);
    const book = await ledger.stop();
    expectAllAnswered(book);
    expect(book.workers).toEqual(['api/1', 'api/2', 'api/3', 'api/4']);
  },
);
