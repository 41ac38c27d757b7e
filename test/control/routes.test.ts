import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listenControlSocket } from '../../src/control/server.js';
import { SupError } from '../../src/errors.js';
import type { ListeningServer } from '../../src/http/listen.js';
import type { Supervisor } from '../../src/master/supervisor.js';
import { type Answer, type Call, call } from '../http/client.js';
import { type FakeSupervisor, fakeSupervisor, report } from '../http/fake-supervisor.js';

let home: string;
let supervisor: FakeSupervisor;
const servers: ListeningServer[] = [];
const errors: unknown[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ctl-'));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  errors.length = 0;
  rmSync(home, { recursive: true });
});

function options(parts: Partial<Supervisor> = {}) {
  supervisor = fakeSupervisor(parts);
  return {
    supervisor,
    socketPath: join(home, 'supervisor.sock'),
    tcp: null,
    token: () => '',
    onError: (error: unknown) => errors.push(error),
  };
}

async function onSocket(parts: Partial<Supervisor> = {}): Promise<string> {
  servers.push(await listenControlSocket(options(parts)));
  return servers.at(-1)?.address as string;
}

const get = (at: string, path: string, more: Partial<Call> = {}): Promise<Answer> => call({ at, path, ...more });
const post = (at: string, path: string, json?: unknown): Promise<Answer> => call({ at, path, method: 'POST', json });

describe('paths', () => {
  it.each(['start', 'stop', 'restart', 'reload', 'recycle', 'delete'])('%s acts on any target', async (verb) => {
    const at = await onSocket();
    for (const target of ['web', 'intents@v1/3', 'all', '/we.+b?/', 'ns:ü'])
      expect((await post(at, `/api/apps/${encodeURIComponent(target)}/${verb}`)).json.ok).toBe(true);
    expect(supervisor.calls).toEqual(['web', 'intents@v1/3', 'all', '/we.+b?/', 'ns:ü'].map((t) => `act ${verb} ${t}`));
    expect((await post(at, `/api/apps/web/${verb}/`, {})).status).toBe(200);
    expect((await post(at, `/api/apps/web/${verb}`, { force: true })).status).toBe(400);
    expect((await get(at, `/api/apps/web/${verb}`)).status).toBe(405);
  });

  it('takes a long regular expression as a target', async () => {
    const at = await onSocket();
    const target = `/${'a|'.repeat(300)}b/`;
    expect((await post(at, `/api/apps/${encodeURIComponent(target)}/stop`)).status).toBe(200);
    expect((await post(at, `/api/apps/${'x'.repeat(2000)}/stop`)).json.error.code).toBe('SUP_BAD_REQUEST');
  });

  it('scales by number, step, auto, in body or query', async () => {
    const at = await onSocket();
    for (const size of [3, 0, '3', '+1', '-1', 'auto']) await post(at, '/api/apps/web/scale', { size });
    await post(at, '/api/apps/web/scale?size=+2');
    await post(at, '/api/apps/web/scale?size=%2B2');
    expect(supervisor.calls.map((line) => line.slice('scale web '.length))).toEqual([
      '3',
      '0',
      '3',
      '+1',
      '-1',
      'auto',
      '+2',
      '+2',
    ]);
    for (const size of [1.5, 'many', '', null, [], true]) {
      const answer = await post(at, '/api/apps/web/scale', { size });
      expect([size, answer.status]).toEqual([size, 400]);
    }
    expect((await post(at, '/api/apps/web/scale', { sise: 3 })).json.error.message).toMatch(/did you mean 'size'/);
    expect(supervisor.calls).toHaveLength(8);
  });

  it('applies a configuration', async () => {
    const at = await onSocket();
    expect((await post(at, '/api/apps', { file: '/srv/s.yaml', only: ['web'] })).status).toBe(200);
    expect(supervisor.calls).toEqual(['apply /srv/s.yaml {"only":["web"]}']);
    for (const body of [{}, { file: 's.yaml' }, { file: 3 }, { file: '/s.yaml', only: 'web' }, [], 'x'])
      expect((await post(at, '/api/apps', body)).status).toBe(400);
    expect((await post(at, '/api/apps')).status).toBe(400);
  });

  it('describes', async () => {
    const at = await onSocket();
    expect((await get(at, '/api/apps/web')).json).toMatchObject({
      name: 'web',
      versions: [{ env_names: ['API_KEY'] }],
    });
    const missing = await get(at, '/api/apps/nosuch');
    expect([missing.status, missing.json.error.code]).toEqual([404, 'SUP_NO_SUCH_TARGET']);
    expect((await get(at, '/api/process/status/')).json).toMatchObject({
      master: { pid: process.pid, memory_bytes: expect.any(Number), cpu_seconds: expect.any(Number) },
      apps: [{ name: 'web', version: null, state: 'online', workers: [] }],
      recycles_total: 3,
      restarts_total: 2,
    });
  });

  it('filters decisions', async () => {
    const at = await onSocket();
    expect((await get(at, '/api/decisions?policy=recycle&subject=web&limit=5')).json).toEqual({ decisions: [] });
    expect(supervisor.calls).toEqual(['decisions {"policy":"recycle","subject":"web","limit":5}']);
    for (const query of ['limit=0', 'limit=x', 'limit=1&limit=2', 'polcy=x'])
      expect((await get(at, `/api/decisions?${query}`)).status).toBe(400);
  });

  it('says degraded with 200', async () => {
    const at = await onSocket({ health: () => ({ ok: false, apps: [] }) });
    const answer = await get(at, '/api/health/');
    expect([answer.status, answer.json.status]).toEqual([200, 'degraded']);
  });

  it('answers unknown paths with 404 and wrong methods with 405', async () => {
    const at = await onSocket();
    expect((await get(at, '/nosuch')).json.error.code).toBe('SUP_NOT_FOUND');
    const text = { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } };
    expect((await get(at, '/nosuch', text)).status).toBe(404);
    expect((await get(at, '/api/apps', text)).status).toBe(415);
    const wrong = await get(at, '/api/apps', { method: 'DELETE' });
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET, POST']);
    expect((await get(at, '/api/shutdown')).status).toBe(405);
    expect((await get(at, '/%zz')).status).toBe(400);
  });
});

describe('failures', () => {
  it('answers a failed act with 500, its reason and the whole report', async () => {
    const failed = report({
      ok: false,
      results: [
        { app: 'web', ok: true, error: null },
        {
          app: 'api',
          ok: false,
          error: { code: 'SUP_WORKER_BOOT_FAILED', message: 'exited with 1', log_tail: ['boom'] },
        },
      ],
      warnings: ['careful'],
    });
    const at = await onSocket({ act: async () => failed });
    const answer = await post(at, '/api/apps/all/reload');
    expect(answer.status).toBe(500);
    expect(answer.json.error).toMatchObject({ code: 'SUP_ACT_FAILED', message: 'api: exited with 1', ...failed });
  });

  it('passes a SupError on with its status, data and Retry-After', async () => {
    const at = await onSocket({
      act: async () => {
        throw new SupError('SUP_CONFLICT', 'a reload is under way', { app: 'web' });
      },
      apply: async () => {
        throw new SupError('SUP_CONFIG_INVALID', 'two problems', { problems: ['a', 'b'] });
      },
      scale: async () => {
        throw new SupError('SUP_SHUTTING_DOWN', 'the master is going');
      },
    });
    expect((await post(at, '/api/apps/web/stop')).status).toBe(409);
    expect((await post(at, '/api/apps', { file: '/x' })).json.error.problems).toEqual(['a', 'b']);
    const leaving = await post(at, '/api/apps/web/scale', { size: 1 });
    expect([leaving.status, leaving.headers['retry-after']]).toEqual([503, '5']);
  });

  it('tells the log, not the client, of unexpected errors', async () => {
    const secret = 'API_KEY=hunter2';
    const at = await onSocket({
      list: () => {
        throw new Error(`cannot spawn with ${secret}`);
      },
      act: async () => Promise.reject({ env: secret }),
    });
    for (const answer of [await get(at, '/api/apps'), await post(at, '/api/apps/web/stop')]) {
      expect(answer.status).toBe(500);
      expect(answer.json.error.code).toBe('SUP_INTERNAL');
      expect(answer.text).not.toMatch(/hunter2|stack|\.ts:/);
    }
    expect(errors).toHaveLength(2);
  });

  it('shows no value of its environment anywhere', async () => {
    vi.stubEnv('SUPERVISOR_TEST_SECRET', 'hunter2-in-the-environment');
    const at = await onSocket();
    const paths = [
      '/api/health/',
      '/api/apps',
      '/api/apps/web',
      '/api/process/status/',
      '/api/decisions',
      '/api/apps/web/logs',
    ];
    for (const path of paths) expect((await get(at, path)).text).not.toContain('hunter2');
    vi.unstubAllEnvs();
  });
});

describe('shutdown', () => {
  it('answers whole, though what it starts closes every connection at once', async () => {
    let closed: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const at = await onSocket({
      shutdown: async (reason) => {
        supervisor.calls.push(`shutdown ${reason}`);
        await Promise.all(servers.splice(0).map((server) => server.close()));
        closed();
      },
    });
    const answer = await post(at, '/api/shutdown');
    expect(answer.json).toEqual({ ok: true });
    expect(answer.headers.connection).toBe('close');
    await gone;
    expect(supervisor.calls).toEqual(['shutdown asked for over the control API']);
    await expect(get(at, '/api/health/')).rejects.toThrow(/ENOENT/);
  });

  it('hands a failing shutdown to the log', async () => {
    const failed = new Promise((resolve) => {
      void listenControlSocket({
        ...options({ shutdown: () => Promise.reject(new Error('stuck')) }),
        onError: resolve,
      }).then(async (server) => {
        servers.push(server);
        await post(server.address, '/api/shutdown');
      });
    });
    await expect(failed).resolves.toMatchObject({ message: 'stuck' });
  });
});
