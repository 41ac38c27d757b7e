import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision, WorkerRow } from '../../src/master/supervisor.js';
import { call, openEvents } from '../http/client.js';
import { Box, freePort, isRunning, processesOf, request, until } from '../support/box.js';

const SECRET = 'violet-harbour-4711';
const FILE = `apps:
  echo: { module: $FIXTURES/models/echo.mjs, env: { SECRET: ${SECRET} }, workers: 2 }
  job: { command: [node, $FIXTURES/command/waits.mjs], env: { SECRET: ${SECRET} }, namespace: back }
`;

describe('the control plane of a running master', () => {
  let box: Box;
  let socket: string;

  beforeAll(async () => {
    box = await Box.shared(FILE, { SECRET });
    // The master makes its folder itself.
    rmSync(box.home, { recursive: true });
    await box.ok('start', 'supervisor.yaml');
    socket = path.join(box.home, 'supervisor.sock');
  });
  afterAll(() => box.close());

  const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);
  const codeOf = (answer: { json: unknown }) => (answer.json as { error: { code: string } }).error.code;
  const decisions = async (query: string) =>
    ((await box.api('GET', `/api/decisions?${query}`)).json as { decisions: Decision[] }).decisions;

  it('keeps its folder, socket, token and files to their owner', async () => {
    expect([box.home, path.join(box.home, 'logs')].map(modeOf)).toEqual(['700', '700']);
    const files = ['supervisor.sock', 'token', 'state.json', 'master.log', 'logs/job.log'];
    expect(files.map((file) => [file, modeOf(path.join(box.home, file))])).toEqual(files.map((file) => [file, '600']));
    expect((await box.ok('token')).trim()).toBe(box.token());
  });

  it('needs no token on the unix socket', async () => {
    const { status, json } = await call({ at: socket, path: '/api/apps' });
    expect([status, json.apps.map((app: { name: string }) => app.name)]).toEqual([200, ['echo', 'job']]);
  });

  it('answers 401 without the token, 429 to a tenth wrong one, and always 200 to the right one', async () => {
    const bare = await request(box.control, 'GET', '/api/apps');
    expect([bare.status, codeOf(bare), bare.headers['www-authenticate']]).toEqual([
      401,
      'SUP_UNAUTHORIZED',
      'Bearer realm="supervisor"',
    ]);
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++)
      statuses.push((await box.api('GET', '/api/apps', undefined, { authorization: `Bearer wrong${i}` })).status);
    expect(statuses).toEqual([...Array(9).fill(401), 429, 429, 429]);
    const throttled = await box.api('GET', '/api/apps', undefined, { authorization: 'Bearer wrong' });
    expect(Number(throttled.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect((await request(box.control, 'GET', '/api/apps')).status).toBe(401);
    expect((await box.api('GET', '/api/apps')).status).toBe(200);
    expect((await request(box.control, 'GET', '/api/health/')).status).toBe(200);
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'answers 403 to %s by a foreign Host or from a foreign Origin',
    async (method) => {
      for (const foreign of [{ host: 'evil.example' }, { origin: 'http://evil.example' }, { origin: 'null' }]) {
        for (const at of ['/api/apps', '/api/health/', '/nowhere'])
          expect([(await box.api(method, at, undefined, foreign)).status, at, foreign]).toEqual([403, at, foreign]);
        expect((await request(box.inference, method, '/predict', undefined, foreign)).status).toBe(403);
      }
    },
  );

  it('answers 415, 413, 400, 405 and 404 with a code and a reason', async () => {
    const text = await box.api('POST', '/api/apps', 'file: x', { 'content-type': 'text/yaml' });
    expect([text.status, codeOf(text)]).toEqual([415, 'SUP_UNSUPPORTED_MEDIA_TYPE']);
    const huge = await box.api('POST', '/api/apps', { file: 'x'.repeat(8 * 1024 ** 2) });
    expect([huge.status, codeOf(huge)]).toEqual([413, 'SUP_BODY_TOO_LARGE']);
    const broken = await box.api('POST', '/api/apps', '{"file":');
    expect([broken.status, codeOf(broken)]).toEqual([400, 'SUP_BAD_REQUEST']);
    const method = await box.api('DELETE', '/api/apps');
    expect([method.status, codeOf(method), method.headers.allow]).toEqual([405, 'SUP_METHOD_NOT_ALLOWED', 'GET, POST']);
    const nowhere = await box.api('GET', '/api/nowhere');
    expect([nowhere.status, codeOf(nowhere)]).toEqual([404, 'SUP_NOT_FOUND']);
    const app = await box.api('POST', '/api/apps/missing/reload');
    expect([app.status, codeOf(app)]).toEqual([404, 'SUP_NO_SUCH_TARGET']);
    const negative = await box.api('POST', '/api/apps/echo/scale', { size: -5 });
    expect([negative.status, codeOf(negative)]).toEqual([400, 'SUP_BAD_REQUEST']);
  });

  it('tells about the master and its processes', async () => {
    const { json } = await box.api('GET', '/api/process/status/');
    expect(json).toMatchObject({
      master: { pid: box.masterPid(), memory_bytes: expect.any(Number), cpu_seconds: expect.any(Number) },
      apps: [
        { name: 'echo', version: 'v1', state: 'online', workers: [{ id: 'echo@v1/1' }, { id: 'echo@v1/2' }] },
        { name: 'job', version: null, state: 'online', workers: [{ id: 'job/1' }] },
      ],
      recycles_total: expect.any(Number),
      restarts_total: 0,
    });
    const { apps } = json as { apps: { workers: WorkerRow[] }[] };
    for (const { pid } of apps.flatMap((app) => app.workers)) expect(pid !== null && isRunning(pid)).toBe(true);
    expect((await request(box.control, 'GET', '/api/health/')).json).toMatchObject({
      status: 'ok',
      pid: box.masterPid(),
      apps: [
        { name: 'echo', ready: 2 },
        { name: 'job', ready: 1 },
      ],
    });
  });

  it('acts on apps, versions, workers and namespaces', async () => {
    const worker = await box.api('POST', '/api/apps/echo%40v1%2F1/recycle');
    expect([worker.status, worker.json]).toMatchObject([200, { ok: true, results: [{ app: 'echo', ok: true }] }]);
    expect(await box.row('echo')).toMatchObject({ recycles: 1, ready: 2 });
    expect((await box.api('POST', '/api/apps/echo/scale', { size: '+1' })).status).toBe(200);
    expect(await box.row('echo')).toMatchObject({ ready: 3, desired: 3 });
    expect((await box.api('POST', '/api/apps/echo/scale?size=auto')).status).toBe(200);
    expect(await box.row('echo')).toMatchObject({ ready: 2, desired: 2 });
    expect((await box.api('POST', '/api/apps/back/stop')).status).toBe(200);
    expect(await box.row('job')).toMatchObject({ state: 'stopped', workers: [] });
    expect((await box.api('POST', '/api/apps/job/start')).status).toBe(200);
    const one = await box.api('GET', '/api/apps/echo');
    expect(one.json).toMatchObject({
      name: 'echo',
      versions: [{ version: 'v1', env_names: ['SECRET'], recycle: { max_concurrent: 1 }, config_file: box.file }],
    });
  });

  it('streams worker states and decisions as they happen', async () => {
    const headers = { authorization: `Bearer ${box.token()}` };
    const stream = await openEvents({ at: `http://127.0.0.1:${box.control}`, path: '/api/events', headers });
    const recycled = box.api('POST', '/api/apps/job/recycle');
    const seen: string[] = [];
    while (!seen.includes('decision operator recycle')) {
      const next = await stream.next();
      if (!next) throw new Error(`the stream ended after ${seen.join(', ')}`);
      const { event, data } = next;
      seen.push(
        event === 'decision' ? `${event} ${data.decision.policy} ${data.decision.action}` : `${event} ${data.state}`,
      );
    }
    stream.response.destroy();
    await recycled;
    const workers = seen.filter((what) => what.startsWith('worker'));
    expect(workers).toEqual(['worker draining', 'worker stopped', 'worker ready']);
    expect(seen.filter((what) => what.startsWith('app'))).toContain('app online');
  });

  it('finds decisions by policy and subject, the newest last', async () => {
    await box.api('POST', '/api/apps/echo/recycle');
    const all = await decisions('');
    const operator = all.filter((d) => d.policy === 'operator');
    expect(await decisions('policy=operator')).toEqual(operator);
    expect(await decisions('subject=job')).toEqual(all.filter((d) => d.subject.startsWith('job/')));
    expect(await decisions('subject=echo&policy=operator')).toEqual(
      operator.filter((d) => d.subject.startsWith('echo@')),
    );
    expect(await decisions('limit=1')).toEqual(all.slice(-1));
    expect(await decisions('policy=nothing')).toEqual([]);
    expect(all.map((d) => d.time)).toEqual(all.map((d) => d.time).sort());
    expect((await box.api('GET', '/api/decisions?limit=0')).status).toBe(400);
    expect((await box.api('GET', '/api/decisions?polcy=x')).text).toContain("did you mean 'policy'?");
  });

  it('shows the value of no environment variable, in no answer, log or state file', async () => {
    const paths = [
      '/api/apps',
      '/api/apps/echo',
      '/api/apps/job',
      '/api/process/status/',
      '/api/decisions',
      '/api/health/',
    ];
    for (const at of paths) {
      const { status, text } = await box.api('GET', at);
      expect([at, status, text.includes(SECRET)]).toEqual([at, 200, false]);
    }
    const files = readdirSync(box.home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map((file) => file.name)).toContain('state.json');
    for (const { parentPath, name } of files)
      expect([name, readFileSync(path.join(parentPath, name), 'utf8').includes(SECRET)]).toEqual([name, false]);
  });
});

describe('a master', () => {
  it('answers /api/shutdown, ends everything and takes its socket away', async () => {
    const box = await Box.open(FILE);
    await box.ok('start', 'supervisor.yaml');
    const pid = box.masterPid();
    const { status, json } = await box.api('POST', '/api/shutdown');
    expect([status, json]).toEqual([200, { ok: true }]);
    await until(() => !isRunning(pid), 'the master to end');
    await until(() => processesOf(box.home).length === 0, 'its workers and guard to end', 5000);
    expect(existsSync(path.join(box.home, 'supervisor.sock'))).toBe(false);
    expect((await box.cli('list')).code).toBe(3);
  });

  it('refuses auth: none off loopback before anything starts, and accepts it on loopback', async () => {
    const box = await Box.open(FILE);
    const configure = (host: string, port: number) =>
      writeFileSync(box.file, `control: { host: ${host}, port: ${port}, auth: none }\napps: {}\n`);
    configure('0.0.0.0', box.control);
    const { code, stderr } = await box.cli('start', 'supervisor.yaml');
    expect(code).toBe(2);
    expect(stderr).toMatch(/supervisor\.yaml:1:\d+ control\.auth: .*loopback/);
    expect(processesOf(box.home)).toEqual([]);

    const port = await freePort();
    configure('127.0.0.1', port);
    await box.ok('start', 'supervisor.yaml');
    expect((await request(port, 'GET', '/api/apps')).status).toBe(200);
    expect((await request(port, 'GET', '/api/apps', undefined, { host: 'evil.example' })).status).toBe(403);
  });
});
