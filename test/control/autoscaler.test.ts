/** `/autoscaler` on all three listeners. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenControlSocket, listenControlTcp } from '../../src/control/server.js';
import type { ListeningServer } from '../../src/http/listen.js';
import { listenInference } from '../../src/inference/server.js';
import type { Supervisor } from '../../src/master/supervisor.js';
import { type Answer, call } from '../http/client.js';
import { type FakeSupervisor, fakeSupervisor, report } from '../http/fake-supervisor.js';
import { modelStatus } from '../support/model-reports.js';

const TOKEN = 'right-token-right-token-right-token';
const RIGHT = { authorization: `Bearer ${TOKEN}` };
let home: string;
let supervisor: FakeSupervisor;
const servers: ListeningServer[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'auto-'));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  rmSync(home, { recursive: true });
});

const TCP = { host: '127.0.0.1', port: 0, allowedHosts: [] };

async function onSocket(parts: Partial<Supervisor> = {}): Promise<string> {
  supervisor = fakeSupervisor(parts);
  return listening(
    listenControlSocket({ supervisor, socketPath: join(home, 's.sock'), tcp: null, token: () => TOKEN }),
  );
}

async function onControl(auth: 'token' | 'none'): Promise<string> {
  supervisor = fakeSupervisor();
  const socketPath = join(home, 's.sock');
  return listening(listenControlTcp({ supervisor, socketPath, tcp: { ...TCP, auth }, token: () => TOKEN }));
}

async function onInference(auth: 'token' | 'none'): Promise<string> {
  supervisor = fakeSupervisor();
  return listening(listenInference({ supervisor, ...TCP, auth, token: () => TOKEN, maxBodyBytes: 1024 * 1024 }));
}

async function listening(server: Promise<ListeningServer>): Promise<string> {
  servers.push(await server);
  return servers.at(-1)!.address;
}

const send = (at: string, method: string, path: string, json?: unknown, headers = {}): Promise<Answer> =>
  call({ at, method, path: `/autoscaler/${path}`, json, headers: { ...lengthOf(json), ...headers } });

/** Node's client leaves it out of a DELETE, and what follows is then no request. */
function lengthOf(json: unknown): Record<string, number> {
  return json === undefined ? {} : { 'content-length': Buffer.byteLength(JSON.stringify(json)) };
}

const CHANGES = [
  ['POST', 'scale?model_name=intents&target_instances=3', 'scale intents 3'],
  ['POST', 'load?model_name=intents&version=v1', 'act load intents@v1'],
  ['DELETE', 'unload?model_name=intents&version=v1', 'act unload intents@v1'],
] as const;

describe('who may', () => {
  it.each(CHANGES)('%s %s over the unix socket without a token', async (method, path, asked) => {
    const at = await onSocket();
    expect((await send(at, method, path)).status).toBe(200);
    expect(supervisor.calls).toEqual([asked]);
  });

  it.each(CHANGES)('%s %s on the inference port only with the token', async (method, path, asked) => {
    const at = await onInference('none');
    const without = await send(at, method, path);
    expect([without.status, without.json.error.code]).toEqual([401, 'SUP_UNAUTHORIZED']);
    expect(without.headers['www-authenticate']).toMatch(/^Bearer/);
    expect((await send(at, method, path, undefined, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect(supervisor.calls).toEqual([]);
    expect((await send(at, method, path, undefined, RIGHT)).status).toBe(200);
    expect(supervisor.calls).toEqual([asked]);
  });

  it('guess no token there', async () => {
    const at = await onInference('none');
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++)
      statuses.push((await send(at, 'POST', CHANGES[1][1], undefined, { authorization: `Bearer wrong${i}` })).status);
    expect(statuses.at(-1)).toBe(429);
  });

  it.each(['stats', 'health', 'metrics'])('read %s on the inference port', async (path) => {
    expect((await send(await onInference('none'), 'GET', path)).status).toBe(200);
    const guarded = await onInference('token');
    expect((await send(guarded, 'GET', path)).status).toBe(401);
    expect((await send(guarded, 'GET', path, undefined, RIGHT)).status).toBe(200);
  });

  it('do anything on the control port: those with the token, or all where it has none', async () => {
    const guarded = await onControl('token');
    const open = await onControl('none');
    for (const [method, path] of [['GET', 'stats'], ...CHANGES] as const) {
      expect((await send(guarded, method, path)).status).toBe(401);
      expect((await send(guarded, method, path, undefined, RIGHT)).status).toBe(200);
      expect((await send(open, method, path)).status).toBe(200);
    }
  });
});

describe('what is asked', () => {
  it('may stand in the body, which wins over the query', async () => {
    const at = await onSocket();
    await send(at, 'POST', 'scale', { model_name: 'intents', version: 'v2', target_instances: 0 });
    await send(at, 'POST', 'scale?target_instances=5&model_name=intents', { target_instances: 2 });
    await send(at, 'POST', 'load', { model_name: 'intents' });
    await send(at, 'DELETE', 'unload/', { model_name: 'intents', version: 'v2' });
    expect(supervisor.calls).toEqual([
      'scale intents@v2 0',
      'scale intents 2',
      'act load intents',
      'act unload intents@v2',
    ]);
  });

  it.each<[method: string, path: string, status: number, message: string]>([
    ['POST', 'scale?target_instances=2', 400, "'model_name' must be the name of a model"],
    ['POST', 'scale?model_name=&target_instances=2', 400, "'model_name' must be the name of a model"],
    ['POST', 'scale?model_name=intents', 400, "'target_instances' must be a whole number from 0 to 512"],
    [
      'POST',
      'scale?model_name=intents&target_instances=-1',
      400,
      "'target_instances' must be a whole number from 0 to 512",
    ],
    [
      'POST',
      'scale?model_name=intents&target_instances=1.5',
      400,
      "'target_instances' must be a whole number from 0 to 512",
    ],
    [
      'POST',
      'scale?model_name=intents&target_instances=513',
      400,
      "'target_instances' must be a whole number from 0 to 512",
    ],
    [
      'POST',
      'scale?model_name=intents&target=2',
      400,
      "unknown key 'target' in the query; known are: model_name, version, target_instances",
    ],
    ['POST', 'load?model_name=intents&versoin=v1', 400, "unknown key 'versoin' in the query; did you mean 'version'?"],
    ['POST', 'load?model_name=intents&version=', 400, "'version' must be the name of a version"],
    ['POST', 'load?model_name=a&model_name=b', 400, "'model_name' is given more than once in the query"],
    ['POST', 'load?model_name=nosuch', 404, "no model 'nosuch'; there are: intents"],
    // What is a target elsewhere is no model here.
    ['POST', 'load?model_name=all', 404, "no model 'all'; there are: intents"],
    ['POST', 'load?model_name=intents@v1', 404, "no model 'intents@v1'; there are: intents"],
    [
      'DELETE',
      'unload?model_name=intents&version=v9',
      404,
      "intents has no version 'v9'; there are: v1, v2. Versions come from the configuration",
    ],
    ['GET', 'metrics?window_seconds=0', 400, "'window_seconds' must be a whole number from 1 to 3600"],
    ['GET', 'metrics?window_seconds=3601', 400, "'window_seconds' must be a whole number from 1 to 3600"],
    ['GET', 'metrics?window=60', 400, "unknown key 'window' in the query; known are: window_seconds"],
    ['GET', 'stats?x=1', 400, "unknown key 'x' in the query; known are: none"],
    ['GET', 'load?model_name=intents', 405, 'GET is not for this path; it takes POST'],
    ['POST', 'unload?model_name=intents', 405, 'POST is not for this path; it takes DELETE'],
  ])('%s %s is %i', async (method, path, status, message) => {
    const answer = await send(await onSocket(), method, path);
    expect([answer.status, answer.json.error.message]).toEqual([status, message]);
    expect(supervisor.calls).toEqual([]);
  });

  it('is refused in a body too', async () => {
    const at = await onSocket();
    for (const body of [
      { model_name: 5 },
      { model_name: 'intents', version: 1 },
      { model_name: 'intents', force: true },
      [],
    ])
      expect([body, (await send(at, 'POST', 'load', body)).status]).toEqual([body, 400]);
    for (const size of [true, null, '', '+1', 'auto', 2.5])
      expect([
        size,
        (await send(at, 'POST', 'scale', { model_name: 'intents', target_instances: size })).status,
      ]).toEqual([size, 400]);
    expect(supervisor.calls).toEqual([]);
  });
});

describe('what is answered', () => {
  it('by a change: the model as it is then', async () => {
    const at = await onSocket({ scale: async () => report({ warnings: ['more than max'] }) });
    const scaled = await send(at, 'POST', 'scale?model_name=intents&version=v2&target_instances=4');
    expect(scaled.json).toEqual({
      ok: true,
      model_name: 'intents',
      version: 'v2',
      target_instances: 4,
      models: [modelStatus('v2')],
      warnings: ['more than max'],
    });
    const loaded = await send(at, 'POST', 'load?model_name=intents');
    expect(loaded.json).toMatchObject({ ok: true, model_name: 'intents', version: null, warnings: [] });
    expect(loaded.json.models).toHaveLength(2);
  });

  it.each([
    ['SUP_CONFLICT', 409, undefined],
    ['SUP_LOAD_FAILED', 503, '5'],
    ['SUP_NO_ROOM', 507, undefined],
    ['SUP_WHO_KNOWS', 500, undefined],
  ])('by a change that failed with %s: %i', async (code, status, retryAfter) => {
    const failed = { app: 'intents', ok: false, error: { code, message: 'it says why', log_tail: ['a line'] } };
    const at = await onSocket({ act: async () => report({ ok: false, results: [failed] }) });
    const { json, headers, ...answer } = await send(at, 'POST', 'load?model_name=intents&version=v1');
    expect(answer.status).toBe(status);
    expect(json.error.message).toContain('it says why');
    expect(headers['retry-after']).toBe(retryAfter);
  });

  it('by stats, health and metrics', async () => {
    const at = await onSocket();
    expect((await send(at, 'GET', 'stats')).json).toMatchObject({
      models: [{ name: 'intents', version: 'v1' }, { version: 'v2' }],
      totals: { models: 2 },
    });
    expect((await send(at, 'GET', 'health')).json).toMatchObject({ status: 'healthy', pressure: 'medium' });
    expect((await send(at, 'GET', 'metrics?window_seconds=3600')).json).toMatchObject({
      window_seconds: 3600,
      total_instances: 2,
    });
    await send(at, 'GET', 'metrics');
    expect(supervisor.calls).toEqual(['window 3600', 'window 60']);
  });

  it('by health with 200 also where nothing works', async () => {
    const at = await onSocket({ models: () => [modelStatus('v1', { state: 'failed', reason: 'gone' })] });
    const { status, json } = await send(at, 'GET', 'health');
    expect([status, json.status, json.reasons]).toEqual([200, 'unhealthy', ['intents@v1: gone']]);
  });
});
