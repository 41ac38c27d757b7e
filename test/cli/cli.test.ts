import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { StateFile } from '../../src/master/state-file.js';
import { modelStatus } from '../support/model-reports.js';
import { appDetail, appRow, Box, logLine } from './support.js';

let box: Box;
beforeEach(() => {
  box = new Box();
});
afterEach(() => box.end());

const REPORT = { ok: true, results: [], warnings: [], apps: [appRow()] };
const HEALTH = { status: 'ok', version: '1.2.3', pid: 42, uptime_seconds: 65, apps: [] };
const write = (name: string, text: string) => {
  writeFileSync(join(box.dir, name), text);
  return join(box.dir, name);
};

describe('without a master', () => {
  it.each([
    ['list'],
    ['ping'],
    ['describe', 'web'],
    ['logs'],
    ['logs', '-f'],
    ['decisions'],
    ['top'],
    ['monit', '--json'],
    ['stop', 'web'],
    ['restart', 'web'],
    ['reload'],
    ['recycle', 'web'],
    ['load', 'intents'],
    ['unload', 'intents'],
    ['pin', 'intents'],
    ['unpin', 'intents'],
    ['strategy', 'intents'],
    ['delete', 'web'],
    ['scale', 'web', '-1'],
    ['kill'],
    ['predict', 'm', '1'],
    ['start', 'web'],
    ['token'],
  ])('%s %s exits 3', async (...argv) => {
    const { code, out, err } = await box.cli(argv.filter((arg) => arg !== undefined));
    expect([code, out]).toEqual([3, '']);
    expect(err).toMatch(/^error: .*supervisor start\n$/);
  });

  it('takes a socket that nobody listens on for none', async () => {
    await box.serve();
    await box.stopServing();
    mkdirSync(box.home, { recursive: true });
    expect((await box.cli(['list'])).code).toBe(3);
  });
});

describe('bad usage exits 2', () => {
  it.each([
    [['strt'], /unknown command 'strt'[\s\S]*start/],
    [['list', '--jsn'], /unknown option '--jsn'[\s\S]*--json/],
    [['stop'], /target/],
    [['stop', 'a', 'b'], /too many arguments/],
    [[], /Usage: supervisor/],
    [['scale', 'web', 'many'], /'many' is no size/],
    [['kill', 'web'], /stop web/],
    [['pin'], /target/],
    [['unpin', 'a', 'b'], /too many arguments/],
    [['strategy', 'a', 'aggressive', '--reset'], /--reset/],
    [['logs', '-n', 'x'], /-n/],
    [['logs', '--since', '10'], /--since/],
    [['decisions', '-n', '0'], /-n/],
    [['predict', 'm', 'hello'], /'"hello"'/],
    [['start'], /supervisor init/],
    [['start', 'nosuch.yaml'], /nosuch\.yaml/],
    [['start', 'nosuch.mjs'], /nosuch\.mjs/],
    [['start', './nosuch'], /nosuch/],
    [['start', 'web', '--port', '80'], /--port/],
    [['start', '--'], /no command/],
    [['start', 'x', '--', 'y'], /not both/],
    [['start', '--name', 'all', '--', 'y'], /'all' is no name/],
    [['start', '--workers', '0', '--', 'y'], /--workers/],
    [['start', '--host', '::1', '--', 'y'], /--port/],
    [['list', '--', 'x'], /after --/],
    [['run', 'nosuch.yaml'], /nosuch/],
    [['init', '--profile', 't3-lage'], /no profile 't3-lage'; choose from: t3-large/],
  ])('%j', async (argv, reason) => {
    const { code, out, err } = await box.cli(argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(reason);
    expect(err).not.toMatch(/\n {4}at /);
  });

  it('a configuration with errors: each on its line, and nothing is left running', async () => {
    const file = write('supervisor.yaml', 'version: 1\napps:\n  a: { kind: modle }\n  b: 3\n');
    for (const argv of [['validate'], ['start'], ['start', file]]) {
      const { code, out, err } = await box.cli(argv);
      expect([code, out]).toEqual([2, '']);
      expect(err.trim().split('\n').length).toBeGreaterThanOrEqual(2);
      expect(err).toMatch(/supervisor\.yaml:3:\d+ apps\.a\.kind/);
      expect(err).toMatch(/supervisor\.yaml:4:\d+ apps\.b/);
    }
    expect(existsSync(box.home)).toBe(false);
    const { code, out } = await box.cli(['validate', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ valid: false, problems: expect.any(Array) });
  });
});

describe('help and what needs no master', () => {
  it('every verb explains itself with an example', async () => {
    const { VERBS } = await import('../../src/cli/verbs.js');
    for (const verb of VERBS) {
      const { code, out } = await box.cli([verb.name, '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`Examples:\n  supervisor ${verb.name}`);
      expect((await verb.load()).run).toBeTypeOf('function');
    }
    expect((await box.cli(['--help'])).out).toContain('Exit codes: 0 done, 1 failed');
  });

  it('init writes a configuration that is valid, once', async () => {
    expect((await box.cli(['init'])).code).toBe(0);
    const { code, out } = await box.cli(['validate']);
    expect([code, out]).toEqual([0, expect.stringMatching(/^supervisor\.yaml is valid: \d+ apps?\n$/)]);
    expect((await box.cli(['init'])).code).toBe(1);
    expect((await box.cli(['init', '--force'])).code).toBe(0);
  });

  it('init --profile writes settings for a kind of machine', async () => {
    expect((await box.cli(['init', '--profile', 't3-large'])).code).toBe(0);
    expect(readFileSync(join(box.dir, 'supervisor.yaml'), 'utf8')).toContain('limits: { memory: 6GiB }');
    expect((await box.cli(['validate'])).code).toBe(0);
  });

  it('schema is JSON', async () => {
    expect(JSON.parse((await box.cli(['schema'])).out)).toHaveProperty('properties.apps');
  });

  it('token prints the file', async () => {
    mkdirSync(box.home);
    writeFileSync(join(box.home, 'token'), 'abc\n');
    expect(await box.cli(['token'])).toEqual({ code: 0, out: 'abc\n', err: '' });
  });
});

describe('with a master', () => {
  beforeEach(() => box.serve());

  it('list, describe and decisions print tables, and JSON alone with --json', async () => {
    box.answer('GET /api/apps', { apps: [appRow()] });
    box.answer('GET /api/apps/web%2F1', { name: 'web', versions: [appDetail()] });
    box.answer('GET /api/apps/web%2F1/logs', { lines: [logLine('last words')] });
    const decision = { time: 't', policy: 'recycle', subject: 'web', action: 'recycle', reason: 'age', numbers: {} };
    box.answer('GET /api/decisions', { decisions: [decision] });
    for (const verb of ['list', 'ls', 'ps', 'status']) expect((await box.cli([verb])).out).toMatch(/web +http/);
    expect((await box.cli(['list'], { tty: true })).out).toContain('\u001b[32monline');
    expect((await box.cli(['list'], { tty: true, env: { NO_COLOR: '1' } })).out).not.toContain('\u001b');
    expect(JSON.parse((await box.cli(['list', '--json'])).out)).toEqual([appRow()]);
    expect((await box.cli(['describe', 'web/1'])).out).toMatch(/server\.mjs[\s\S]*last words/);
    expect(JSON.parse((await box.cli(['describe', 'web/1', '--json'])).out)).toEqual([appDetail()]);
    expect((await box.cli(['decisions'])).out).toContain('age');
    expect(
      JSON.parse((await box.cli(['decisions', '--json', '--policy', 'recycle', '--subject', 'a b', '-n', '3'])).out),
    ).toEqual([decision]);
    expect(box.asked.at(-1)?.path).toBe('/api/decisions?policy=recycle&subject=a+b&limit=3');
  });

  it('list and acts tell of models how long they are idle', async () => {
    const apps = [appRow({ name: 'intents', kind: 'model', version: 'v1', state: 'idle', ready: 0, desired: 0 })];
    const models = [modelStatus('v1', { state: 'unloaded', idle_seconds: 185 })];
    box.answer('GET /api/apps', { apps });
    box.answer('GET /autoscaler/stats', { models, totals: {} });
    box.answer('POST /api/apps/intents%40v1/unload', { ...REPORT, apps });
    for (const argv of [['list'], ['unload', 'intents@v1']]) {
      const { code, out } = await box.cli(argv);
      expect([code, out]).toEqual([0, expect.stringMatching(/state +idle[\s\S]* unloaded +3m 5s /)]);
    }
    expect(JSON.parse((await box.cli(['list', '--json'])).out)).toEqual(apps);
  });

  it('an act that was done is done, whether or not models are told of', async () => {
    const apps = [appRow({ name: 'intents', kind: 'model', version: 'v1' })];
    box.fail('GET /autoscaler/stats', 500, 'SUP_INTERNAL', 'no');
    box.answer('POST /api/apps/intents/load', { ...REPORT, apps });
    const { code, out, err } = await box.cli(['load', 'intents']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/intents +model +v1/);
  });

  it('ping tells pid and uptime', async () => {
    box.answer('GET /api/health/', HEALTH);
    expect((await box.cli(['ping'])).out).toBe('pong from pid 42, up 1m 5s, version 1.2.3, ok\n');
  });

  it.each(['stop', 'restart', 'reload', 'recycle', 'delete', 'load', 'unload', 'start'])(
    '%s posts to its path',
    async (verb) => {
      box.answer(`POST /api/apps/%2Fw.b%2F/${verb}`, { ...REPORT, warnings: ['look \u001b[2J out'] });
      const { code, out, err } = await box.cli([verb, '/w.b/']);
      expect([code, err]).toEqual([0, 'warning: look \\x1b[2J out\n']);
      expect(out).toMatch(/web +http/);
      const json = await box.cli([verb, '/w.b/', '--json']);
      expect(JSON.parse(json.out)).toMatchObject({ ok: true });
    },
  );

  it('reload without a target is for all', async () => {
    box.answer('POST /api/apps/all/reload', REPORT);
    expect((await box.cli(['reload'])).code).toBe(0);
  });

  it('reload of a file names it by its absolute path', async () => {
    const file = write('shop.yaml', 'apps: {}\n');
    box.answer(`POST /api/apps/${encodeURIComponent(file)}/reload`, REPORT);
    expect((await box.cli(['reload', 'shop.yaml'])).code).toBe(0);
    expect(box.asked).toHaveLength(1);
  });

  it.each(['3', '+1', '-1', '0', 'auto'])('scale web %s', async (size) => {
    box.answer('POST /api/apps/web/scale', REPORT);
    expect((await box.cli(['scale', 'web', size])).code).toBe(0);
    expect(box.asked.at(-1)?.body).toEqual({ size });
  });

  it('a target that is not there exits 4', async () => {
    for (const verb of ['stop', 'start', 'reload'])
      box.fail(`POST /api/apps/x/${verb}`, 404, 'SUP_NO_SUCH_TARGET', 'no app x');
    box.fail('GET /api/apps/x', 404, 'SUP_NO_SUCH_TARGET', 'no app x');
    box.fail('GET /api/apps/x/logs', 404, 'SUP_NO_SUCH_TARGET', 'no app x');
    box.fail('POST /predict/x', 404, 'SUP_MODEL_NOT_FOUND', 'no model x');
    for (const argv of [
      ['stop', 'x'],
      ['start', 'x'],
      ['reload', 'x'],
      ['describe', 'x'],
      ['pin', 'x'],
      ['unpin', 'x'],
      ['strategy', 'x', 'aggressive'],
      ['logs', 'x'],
      ['logs', 'x', '-f'],
      ['predict', 'x', '1'],
    ])
      expect(await box.cli(argv)).toMatchObject({ code: 4, out: '', err: expect.stringContaining('no ') });
  });

  it('an act that failed exits 1 and says why for each app', async () => {
    const results = [
      { app: 'web', ok: true, error: null },
      {
        app: 'bad',
        ok: false,
        error: { code: 'SUP_WORKER_BOOT_FAILED', message: 'bad/1 exited (3)', log_tail: ['boom at load'] },
      },
    ];
    box.fail('POST /api/apps/all/restart', 500, 'SUP_ACT_FAILED', 'bad: …', { ...REPORT, ok: false, results });
    const { code, out, err } = await box.cli(['restart', 'all']);
    expect(code).toBe(1);
    expect(err).toBe('✗ bad: bad/1 exited (3)\n    | boom at load\n');
    expect(out).toMatch(/web +http/);
  });

  it('other errors exit 1 with their message', async () => {
    box.fail('POST /api/apps/web/stop', 409, 'SUP_CONFLICT', 'busy');
    expect(await box.cli(['stop', 'web'])).toEqual({ code: 1, out: '', err: 'error: busy\n' });
    box.answers.set('POST /api/apps/web/stop', (response) => response.socket?.destroy());
    expect(await box.cli(['stop', 'web'])).toMatchObject({ code: 1, err: expect.stringContaining('went away') });
    box.answers.set('POST /api/apps/web/stop', (response) => response.writeHead(502).end('<html>'));
    expect(await box.cli(['stop', 'web'])).toMatchObject({ code: 1, err: expect.stringContaining('<html>') });
  });

  it('logs prints lines safely, or one JSON object a line', async () => {
    box.answer('GET /api/apps/all/logs', { lines: [logLine('one'), logLine('t\u001b[2Jwo')] });
    expect((await box.cli(['logs'])).out.split('\n')[1]).toMatch(/web\/1 \| t\\x1b\[2Jwo$/);
    expect(box.asked.at(-1)?.path).toBe('/api/apps/all/logs?lines=50');
    const json = (await box.cli(['logs', '-n', '7', '--json'])).out.trim().split('\n');
    expect(json.map((text) => JSON.parse(text).line)).toEqual(['one', 't\u001b[2Jwo']);
    await box.cli(['logs', '--since', '10m']);
    const since = new URLSearchParams(box.asked.at(-1)?.path.split('?')[1]).get('since') ?? '';
    expect(Math.abs(Date.now() - 600_000 - Date.parse(since))).toBeLessThan(5000);
  });

  it('logs -f shows what comes until Ctrl-C', async () => {
    box.answers.set('GET /api/apps/web/logs', (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const line = JSON.stringify(logLine('first'));
      response.write(`event: line\ndata: ${line}\n\nevent: skipped\ndata: {"count":9}\n\n`);
    });
    const outcome = box.cli(['logs', 'web', '-f'], { onErr: () => box.interrupt() });
    const { code, out, err } = await outcome;
    expect([code, err]).toEqual([0, 'warning: 9 lines were skipped\n']);
    expect(out).toContain('| first');
    expect(box.listensForSignals).toBe(false);
  });

  it('predict takes a model with a version, an argument or stdin', async () => {
    box.answer('POST /predict/m/v2', { model: 'm', outputs: { label: 'x' } });
    expect(JSON.parse((await box.cli(['predict', 'm@v2', '{"a":1}'])).out)).toEqual({ label: 'x' });
    expect(JSON.parse((await box.cli(['predict', 'm@v2', '-', '--json'], { stdin: '"text"' })).out)).toMatchObject({
      model: 'm',
    });
    expect(box.asked.map((a) => a.body)).toEqual([{ inputs: { a: 1 } }, { inputs: 'text' }]);
  });

  it('predict --stream prints a line for each chunk, and says what broke it', async () => {
    const events = (...texts: string[]) => {
      box.answers.set('POST /predict/m/v2/stream', (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(texts.join(''));
      });
    };
    const chunks = ['event: chunk\ndata: {"a":1}\n\n', ':ping\n\n', 'event: chunk\ndata: "t\\u001b[2Jwo"\n\n'];
    events(...chunks, 'event: done\ndata: {"worker":"m@v2/1"}\n\n');
    expect(await box.cli(['predict', 'm@v2', '1', '--stream'])).toEqual({
      code: 0,
      out: '{"a":1}\n"t\\u001b[2Jwo"\n',
      err: '',
    });
    const lines = (await box.cli(['predict', 'm@v2', '1', '--stream', '--json'])).out.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line)).at(-1)).toEqual({ event: 'done', data: { worker: 'm@v2/1' } });
    events(...chunks, 'event: error\ndata: {"error":{"code":"SUP_WORKER_DIED","message":"m@v2/1 died"}}\n\n');
    const broken = await box.cli(['predict', 'm@v2', '1', '--stream']);
    expect([broken.code, broken.err, broken.out.split('\n')[0]]).toEqual([1, 'error: m@v2/1 died\n', '{"a":1}']);
    events(...chunks);
    const cut = await box.cli(['predict', 'm@v2', '1', '--stream']);
    expect([cut.code, cut.err]).toEqual([1, expect.stringContaining('went away')]);
    box.fail('POST /predict/x/stream', 404, 'SUP_MODEL_NOT_FOUND', 'no model x');
    expect(await box.cli(['predict', 'x', '1', '--stream'])).toMatchObject({ code: 4, out: '' });
  });

  it('kill waits until the master is gone', async () => {
    const master = spawn('sleep', ['60'], { stdio: 'ignore' });
    box.answer('GET /api/health/', { ...HEALTH, pid: master.pid });
    box.answers.set('POST /api/shutdown', (response) => {
      response.end('{"ok":true}', () => {
        setTimeout(() => {
          void box.stopServing();
          master.kill('SIGKILL');
        }, 200);
      });
    });
    const began = performance.now();
    const { code, out } = await box.cli(['kill']);
    expect([code, out]).toEqual([0, 'everything is stopped\n']);
    expect(performance.now() - began).toBeGreaterThan(190);
    if (master.exitCode === null && master.signalCode === null) await once(master, 'exit');
  });
});

describe('start with a running master', () => {
  beforeEach(async () => {
    await box.serve();
    box.answer('GET /api/health/', HEALTH);
    box.answer('POST /api/apps', REPORT);
  });
  const applied = () =>
    box.asked
      .filter((a) => a.path === '/api/apps' && a.method === 'POST')
      .map((a) => (a.body as { file: string }).file);

  it('posts the absolute path of a file, or of ./supervisor.yaml', async () => {
    write('supervisor.yaml', 'apps: {}\n');
    write('other.yml', 'apps: {}\n');
    expect((await box.cli(['start'])).code).toBe(0);
    expect((await box.cli(['up', 'other.yml'])).code).toBe(0);
    expect(applied()).toEqual([join(box.dir, 'supervisor.yaml'), join(box.dir, 'other.yml')]);
  });

  it('starts again what ran last', async () => {
    const files = [write('a.yaml', 'apps: {}\n'), join(box.dir, 'gone.yaml')];
    new StateFile(box.home).write({ configs: files.map((file) => ({ file, hash: 'x' })), pins: {}, overrides: {} });
    const { code, err } = await box.cli(['start']);
    expect([code, err]).toEqual([0, expect.stringContaining('gone.yaml is gone')]);
    expect(applied()).toEqual([files[0]]);
  });

  it('prints the problems that the master finds', async () => {
    write('supervisor.yaml', 'apps: {}\n');
    box.fail('POST /api/apps', 400, 'SUP_CONFIG_INVALID', '2 problems', { problems: ['a.yaml:1:1 x', 'a.yaml:2:1 y'] });
    expect(await box.cli(['start'])).toEqual({ code: 2, out: '', err: 'a.yaml:1:1 x\na.yaml:2:1 y\n' });
  });

  it('writes a configuration for a script or a command, for the owner only', async () => {
    write('server.mjs', '');
    expect(
      (await box.cli(['start', 'server.mjs', '--name', 'web', '--workers', '2', '--port', '8080', '--host', '0.0.0.0']))
        .code,
    ).toBe(0);
    expect((await box.cli(['start', 'server.mjs'])).code).toBe(0);
    expect((await box.cli(['start', '--name', 'tick', '--', 'sleep', '10', '--name', '-x'])).code).toBe(0);
    const adhoc = (name: string) => join(box.home, 'adhoc', `${name}.yaml`);
    expect(applied()).toEqual([adhoc('web'), adhoc('server'), adhoc('tick')]);
    expect(statSync(adhoc('web')).mode & 0o777).toBe(0o600);
    const app = (name: string) => parse(readFileSync(adhoc(name), 'utf8')).apps[name];
    expect(app('web')).toEqual({
      kind: 'http',
      script: join(box.dir, 'server.mjs'),
      cwd: box.dir,
      workers: 2,
      port: 8080,
      host: '0.0.0.0',
    });
    expect(app('server')).toMatchObject({ kind: 'command', command: [process.execPath, join(box.dir, 'server.mjs')] });
    expect(app('tick')).toMatchObject({ kind: 'command', command: ['sleep', '10', '--name', '-x'], cwd: box.dir });
    for (const name of ['web', 'server', 'tick'])
      expect(loadConfig(adhoc(name), { env: {} }).config.apps).toHaveLength(1);
  });
});
