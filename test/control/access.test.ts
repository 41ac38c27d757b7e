import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenControlSocket, listenControlTcp } from '../../src/control/server.js';
import type { ListeningServer } from '../../src/http/listen.js';
import { type Answer, type Call, call } from '../http/client.js';
import { fakeSupervisor } from '../http/fake-supervisor.js';

const TOKEN = 'right-token-right-token-right-token';
let home: string;
const servers: ListeningServer[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ctl-'));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  rmSync(home, { recursive: true });
});

interface Tcp {
  auth?: 'token' | 'none';
  host?: string;
  port?: number;
}

function options(tcp: Tcp = {}) {
  return {
    supervisor: fakeSupervisor(),
    socketPath: join(home, 'supervisor.sock'),
    tcp: { host: '127.0.0.1', port: 0, auth: 'token' as const, allowedHosts: [], ...tcp },
    token: () => TOKEN,
    maxBodyBytes: 64 * 1024,
  };
}

async function onTcp(tcp: Tcp = {}): Promise<string> {
  servers.push(await listenControlTcp(options(tcp)));
  return servers.at(-1)?.address as string;
}

async function onSocket(): Promise<string> {
  servers.push(await listenControlSocket(options()));
  return servers.at(-1)?.address as string;
}

const get = (at: string, path: string, more: Partial<Call> = {}): Promise<Answer> => call({ at, path, ...more });
const post = (at: string, path: string, json?: unknown): Promise<Answer> => call({ at, path, method: 'POST', json });
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

describe('the unix socket', () => {
  it('needs no token, is 0600, and goes with the server', async () => {
    const umask = process.umask();
    const at = await onSocket();
    expect(process.umask()).toBe(umask);
    expect(statSync(at).mode & 0o777).toBe(0o600);
    expect((await get(at, '/api/apps')).json.apps).toHaveLength(1);
    await servers.pop()?.close();
    expect(() => statSync(at)).toThrow(/ENOENT/);
  });

  it('replaces a socket that nobody answers at, and leaves a living one alone', async () => {
    const path = join(home, 'supervisor.sock');
    writeFileSync(path, '');
    const at = await onSocket();
    expect((await get(at, '/api/health/')).status).toBe(200);
    await expect(listenControlSocket(options())).rejects.toMatchObject({ code: 'SUP_MASTER_RUNNING' });
    expect((await get(at, '/api/health/')).status).toBe(200);
  });

  it('refuses a path that the system would cut', async () => {
    const socketPath = join(home, 'x'.repeat(120));
    await expect(listenControlSocket({ ...options(), socketPath })).rejects.toThrow(/SUPERVISOR_HOME/);
  });

  it('answers predictions', async () => {
    const at = await onSocket();
    expect((await post(at, '/predict/intents/v2', { inputs: 'x' })).json).toMatchObject({
      version: 'v2',
      outputs: 'x',
    });
  });
});

describe('TCP', () => {
  it('wants the token on every path but health', async () => {
    const at = await onTcp();
    for (const path of ['/api/apps', '/nosuch', '/api/events', '/api/healthy', '/api/health/x', '/%zz']) {
      const answer = await get(at, path);
      expect([path, answer.status, answer.headers['www-authenticate']]).toEqual([
        path,
        401,
        'Bearer realm="supervisor"',
      ]);
    }
    expect((await get(at, '/api/apps', bearer(TOKEN))).status).toBe(200);
    expect((await get(at, '/api/apps', bearer(`${TOKEN}x`))).status).toBe(401);
    expect((await get(at, '/api/apps', { headers: { authorization: `Basic ${TOKEN}` } })).status).toBe(401);
    expect((await get(at, '/api/health/')).json).toMatchObject({ status: 'ok', version: '1.2.3', pid: process.pid });
    expect((await get(at, '/api/health', { method: 'HEAD' })).status).toBe(200);
    expect((await call({ at, path: '/predict', method: 'POST', json: { inputs: 1 }, ...bearer(TOKEN) })).status).toBe(
      404,
    );
  });

  it('throttles wrong tokens from the tenth on, never a missing nor the right one', async () => {
    const at = await onTcp();
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await get(at, '/api/apps', bearer('wrong'))).status);
    expect(statuses).toEqual([...Array(9).fill(401), 429, 429, 429]);
    const throttled = await get(at, '/api/apps', bearer('wrong'));
    expect(throttled.json.error.code).toBe('SUP_TOO_MANY_FAILURES');
    expect(Number(throttled.headers['retry-after'])).toBeGreaterThan(30);
    expect((await get(at, '/api/apps')).status).toBe(401);
    expect((await get(at, '/api/apps', bearer(TOKEN))).status).toBe(200);
  });

  it('checks Host and Origin before the token, and the token before the body', async () => {
    const at = await onTcp();
    const foreign = { host: 'evil.example', ...bearer(TOKEN).headers };
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH'])
      for (const path of ['/api/apps', '/api/health/', '/nosuch'])
        expect((await call({ at, method, path, headers: foreign })).status).toBe(403);
    const origin = { origin: 'http://evil.example', ...bearer(TOKEN).headers };
    expect((await get(at, '/api/apps', { headers: origin })).status).toBe(403);
    // Bad JSON, far over the limit: an unauthorised client learns nothing about either.
    const body = Buffer.alloc(3 * 1024 * 1024, '{');
    const headers = { 'content-type': 'application/json' };
    expect((await call({ at, method: 'POST', path: '/api/apps', body, headers })).status).toBe(401);
  });

  it('works without a token on loopback only', async () => {
    const at = await onTcp({ auth: 'none' });
    expect((await get(at, '/api/apps')).status).toBe(200);
    await expect(onTcp({ auth: 'none', host: '0.0.0.0' })).rejects.toMatchObject({ code: 'SUP_CONFIG_INVALID' });
  });

  it('names who has the port', async () => {
    const taken = createNetServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    try {
      await expect(onTcp({ port })).rejects.toMatchObject({
        code: 'SUP_PORT_IN_USE',
        message: expect.stringMatching(
          new RegExp(`control: port ${port} on 127.0.0.1 is in use by .*pid ${process.pid}`),
        ),
        data: { port, owner: { pid: process.pid } },
      });
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
    await expect(onTcp({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'SUP_CONFIG_INVALID' });
  });
});
