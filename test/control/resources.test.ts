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
import { cleanupReport, memoryReport, resourceReport } from '../support/reports.js';

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

/** The same supervisor on its two listeners. */
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

const get = (at: string, path: string, more: Partial<Call> = {}): Promise<Answer> => call({ at, path, ...more });
const post = (at: string, path: string, more: Partial<Call> = {}): Promise<Answer> =>
  call({ at, path, method: 'POST', ...more });
const bearer = { headers: { authorization: `Bearer ${TOKEN}` } };

describe('looking', () => {
  it.each([
    ['/api/memory/', memoryReport()],
    ['/api/memory', memoryReport()],
    ['/api/resources', resourceReport()],
    ['/api/resources/', resourceReport()],
  ])('%s answers with the report as it is', async (path, report) => {
    const { socket } = await listen();
    const answer = await get(socket, path);
    expect([answer.status, answer.json]).toEqual([200, report]);
    expect((await get(socket, `${path}?x=1`)).json.error.code).toBe('SUP_BAD_REQUEST');
    expect((await post(socket, path)).status).toBe(405);
  });

  it('needs the token over TCP', async () => {
    const { tcp } = await listen();
    for (const path of ['/api/memory/', '/api/resources']) {
      expect((await get(tcp, path)).status).toBe(401);
      expect((await get(tcp, path, bearer)).status).toBe(200);
    }
  });
});

describe('POST /api/cleanup/', () => {
  it('takes no body or an empty one, and answers with what was freed', async () => {
    const { socket } = await listen();
    for (const more of [{}, { json: {} }, { body: Buffer.from(''), headers: { 'content-type': 'application/json' } }])
      expect((await post(socket, '/api/cleanup/', more)).json).toEqual(cleanupReport());
    expect((await post(socket, '/api/cleanup')).status).toBe(200);
    expect(supervisor.calls).toEqual(Array(4).fill('cleanup'));
    for (const json of [{ force: true }, [], 'x', 3])
      expect((await post(socket, '/api/cleanup/', { json })).status).toBe(400);
    expect((await post(socket, '/api/cleanup/?force=1')).status).toBe(400);
    expect((await get(socket, '/api/cleanup/')).status).toBe(405);
    expect(supervisor.calls).toHaveLength(4);
  });

  it('needs the token over TCP', async () => {
    const { tcp } = await listen();
    expect((await post(tcp, '/api/cleanup/')).status).toBe(401);
    expect((await post(tcp, '/api/cleanup/', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    expect(supervisor.calls).toEqual([]);
    expect((await post(tcp, '/api/cleanup/', bearer)).status).toBe(200);
  });

  it('hands a failure on', async () => {
    const cleanup = async () => {
      throw new SupError('SUP_SHUTTING_DOWN', 'the master is going');
    };
    const { socket } = await listen({ cleanup });
    expect((await post(socket, '/api/cleanup/')).status).toBe(503);
  });
});
