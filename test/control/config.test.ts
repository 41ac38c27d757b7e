import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenControlSocket, listenControlTcp } from '../../src/control/server.js';
import { SupError } from '../../src/errors.js';
import type { ListeningServer } from '../../src/http/listen.js';
import type { Supervisor } from '../../src/master/supervisor.js';
import { type Answer, type Call, call } from '../http/client.js';
import { type FakeSupervisor, fakeSupervisor } from '../http/fake-supervisor.js';

const TOKEN = 'right-token-right-token-right-token';
let home: string;
let supervisor: FakeSupervisor;
const servers: ListeningServer[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ctl-'));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  rmSync(home, { recursive: true });
});

async function listen(parts: Partial<Supervisor> = {}): Promise<{ socket: string; tcp: string }> {
  supervisor = fakeSupervisor(parts);
  const options = {
    supervisor,
    socketPath: join(home, 'supervisor.sock'),
    tcp: { host: '127.0.0.1', port: 0, auth: 'token' as const, allowedHosts: [] },
    token: () => TOKEN,
    onError: () => undefined,
  };
  servers.push(await listenControlSocket(options), await listenControlTcp(options));
  return { socket: servers[0]?.address as string, tcp: servers[1]?.address as string };
}

const ask = (at: string, method: string, more: Partial<Call> & { query?: string } = {}): Promise<Answer> =>
  call({ at, method, path: `/api/config${more.query ?? ''}`, ...more });

describe('GET /api/config', () => {
  it('answers with the values as a file would say them, or with origins', async () => {
    const { socket } = await listen();
    expect((await ask(socket, 'GET')).json).toEqual({ unloading: { strategy: 'balanced' } });
    expect((await call({ at: socket, path: '/api/config/?origin=false' })).json).toEqual({
      unloading: { strategy: 'balanced' },
    });
    expect((await ask(socket, 'GET', { query: '?origin=true' })).json).toEqual({
      'unloading.strategy': { value: 'balanced', origin: 'default' },
    });
    for (const query of ['?origin=yes', '?origins=true', '?origin=true&origin=true'])
      expect([query, (await ask(socket, 'GET', { query })).status]).toEqual([query, 400]);
  });
});

describe('PATCH /api/config', () => {
  it('hands over what is nested or dotted, and answers with what changed', async () => {
    const { socket } = await listen();
    const answer = await ask(socket, 'PATCH', { json: { unloading: { strategy: 'lru' }, 'apps.m.timeout': '5s' } });
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        changed: [
          { key: 'unloading', before: null, after: { strategy: 'lru' } },
          { key: 'apps.m.timeout', before: null, after: '5s' },
        ],
        warnings: [],
      },
    ]);
    expect(supervisor.calls).toEqual(['patch unloading {"strategy":"lru"}', 'patch apps.m.timeout "5s"']);
  });

  it('refuses what is no map of keys before anybody is asked', async () => {
    const { socket } = await listen();
    for (const json of [[], 'x', 3, null, undefined])
      expect((await ask(socket, 'PATCH', { json })).json.error.code).toBe('SUP_BAD_REQUEST');
    expect((await ask(socket, 'PATCH', { json: { a: 1 }, query: '?x=1' })).status).toBe(400);
    expect(supervisor.calls).toEqual([]);
  });

  it.each([
    ['SUP_CONFIG_INVALID', 400],
    ['SUP_CONFLICT', 409],
  ] as const)('answers %s with its problems', async (code, status) => {
    const problems = ['run-time change a: unknown key', 'run-time change b: unknown key'];
    const { socket } = await listen({
      patchConfig: async () => {
        throw new SupError(code, 'two problems', { problems });
      },
    });
    const answer = await ask(socket, 'PATCH', { json: { a: 1, b: 1 } });
    expect([answer.status, answer.json.error]).toEqual([status, { code, message: 'two problems', problems }]);
  });
});

describe('DELETE /api/config', () => {
  it('takes back one key, or everything', async () => {
    const { socket } = await listen();
    for (const query of ['?key=unloading.strategy', ''])
      expect((await ask(socket, 'DELETE', { query })).status).toBe(200);
    expect(supervisor.calls).toEqual(['reset unloading.strategy', 'reset all']);
    for (const query of ['?key=', '?keys=a', '?key=a&key=b'])
      expect([query, (await ask(socket, 'DELETE', { query })).status]).toEqual([query, 400]);
  });
});

it('needs the token over TCP, on every method', async () => {
  const { tcp } = await listen();
  for (const method of ['GET', 'PATCH', 'DELETE']) {
    expect([method, (await ask(tcp, method)).status]).toEqual([method, 401]);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const json = method === 'PATCH' ? { a: 1 } : undefined;
    expect([method, (await ask(tcp, method, { headers, ...(json && { json }) })).status]).toEqual([method, 200]);
  }
  expect(supervisor.calls).toEqual(['patch a 1', 'reset all']);
  expect((await ask(tcp, 'PUT', { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(405);
});
