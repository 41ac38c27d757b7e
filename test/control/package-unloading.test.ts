/** `/api/package-unloading` on both listeners of the control plane. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenControlSocket, listenControlTcp } from '../../src/control/server.js';
import { SupError } from '../../src/errors.js';
import type { ListeningServer } from '../../src/http/listen.js';
import type { PackageStatus, Supervisor } from '../../src/master/supervisor.js';
import { type Answer, call } from '../http/client.js';
import {
  type FakeSupervisor,
  fakeSupervisor,
  packageStatus,
  report,
  row,
  unloadingStatus,
} from '../http/fake-supervisor.js';

const TOKEN = 'right-token-right-token-right-token';
const RIGHT = { authorization: `Bearer ${TOKEN}` };
let home: string;
let supervisor: FakeSupervisor;
const servers: ListeningServer[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'unl-'));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  rmSync(home, { recursive: true });
});

const TORCH = packageStatus('torch');
const TWO = [packageStatus('intents@v1'), packageStatus('intents@v2', { loaded: false })];

/** Of which a change of the configuration is seen at once. @param own versions that have a word of their own, which stays when the app's changes */
function unloads(packages: readonly PackageStatus[], own: readonly string[]): Partial<Supervisor> {
  const rows = packages.map((each) => ({ ...each }));
  return {
    unloading: () =>
      unloadingStatus({ packages: rows.map((each) => ({ ...each })), strategies: ['aggressive', 'balanced', 'Mine'] }),
    patchConfig: async (changes) => {
      for (const { path, value } of changes) {
        supervisor.calls.push(`patch ${path.join('.')} ${JSON.stringify(value)}`);
        const [, model, , version] = path;
        const ofVersion = path.length > 4;
        for (const row of rows) {
          if (row.model !== model || (ofVersion ? row.version !== version : own.includes(row.key))) continue;
          if (path.at(-1) === 'strategy') row.ownStrategy = value as string | null;
          else row.preference = value === 'none' ? null : (value as 'keep' | 'evict');
        }
      }
      return { changed: [], warnings: [] };
    },
  };
}

async function listen(
  packages: readonly PackageStatus[] = [TORCH, ...TWO],
  parts: Partial<Supervisor> = {},
  own: readonly string[] = [],
): Promise<string> {
  supervisor = fakeSupervisor({ ...unloads(packages, own), ...parts });
  const server = await listenControlSocket({
    supervisor,
    socketPath: join(home, 's.sock'),
    tcp: null,
    token: () => TOKEN,
  });
  servers.push(server);
  return server.address;
}

const ROOT = '/api/package-unloading';
const send = (at: string, method: string, path: string, json?: unknown, headers = {}): Promise<Answer> =>
  call({ at, method, path: `${ROOT}/${path}`, json, headers });

describe('looking', () => {
  it.each(['status', 'metrics', 'performance-impact', 'packages'])('GET %s', async (path) => {
    const at = await listen();
    const { status, json } = await send(at, 'GET', path);
    expect([status, typeof json]).toEqual([200, 'object']);
    expect((await send(at, 'GET', `${path}/`)).json).toEqual(json);
    const head = await send(at, 'HEAD', path);
    expect([head.status, head.text]).toEqual([200, '']);
    expect((await send(at, 'GET', `${path}?x=1`)).status).toBe(400);
    const wrong = await send(at, 'POST', path);
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET, HEAD']);
    expect(supervisor.calls).toEqual([]);
  });

  it('knows no other path', async () => {
    const at = await listen();
    for (const path of ['', 'nosuch', 'packages/torch', 'packages/torch/nosuch'])
      expect((await send(at, 'GET', path)).status).toBe(404);
  });
});

it('GET /api/apps tells of the same', async () => {
  const torch = { ...row('torch'), kind: 'model' as const, version: 'v1' };
  const packages = [packageStatus('torch', { rank: 1, whyNot: 'its time is not over', goesInSeconds: 5 })];
  const at = await listen(packages, { list: () => [row('web'), torch] });
  const { json } = await call({ at, path: '/api/apps' });
  const next = { unload_rank: 1, unload_why_not: 'its time is not over', unload_in_seconds: 5 };
  expect(json.apps).toEqual([row('web'), { ...torch, idle_seconds: null, preference: null, ...next }]);
  expect((await call({ at, path: '/api/apps/web' })).json.versions[0].unloading).toBeNull();
});

describe('who may', () => {
  it.each([
    ['GET', 'status', undefined],
    ['PUT', 'packages/intents/strategy', { strategy: 'balanced' }],
    ['PUT', 'packages/intents/user-preference', { allow_unload: false }],
    ['POST', 'packages/intents/unload', undefined],
    ['POST', 'force-garbage-collection', undefined],
  ])('%s %s over TCP: those with the token', async (method, path, json) => {
    supervisor = fakeSupervisor();
    const tcp = { host: '127.0.0.1', port: 0, auth: 'token' as const, allowedHosts: [] };
    const server = await listenControlTcp({ supervisor, socketPath: join(home, 's.sock'), tcp, token: () => TOKEN });
    servers.push(server);
    expect((await send(server.address, method, path, json)).status).toBe(401);
    expect((await send(server.address, method, path, json, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect(supervisor.calls).toEqual([]);
    expect((await send(server.address, method, path, json, RIGHT)).status).toBe(200);
  });
});

describe('PUT strategy', () => {
  it('sets it for a model, and says so', async () => {
    const at = await listen();
    const answer = await send(at, 'PUT', 'packages/torch/strategy', { strategy: 'aggressive' });
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        success: true,
        message: "Successfully set unloading strategy for package 'torch' to aggressive",
        data: { package_name: 'torch', strategy: 'aggressive' },
      },
    ]);
    expect(supervisor.calls).toEqual(['patch apps.torch.unload.strategy "aggressive"']);
  });

  it.each([
    ['AGGRESSIVE', 'aggressive'],
    ['mine', 'Mine'],
    ['Mine', 'Mine'],
  ])('takes %s for %s', async (given, strategy) => {
    const { json } = await send(await listen(), 'PUT', 'packages/torch/strategy', { strategy: given });
    expect(json.data.strategy).toBe(strategy);
  });

  it('takes null for that of the box', async () => {
    const { json } = await send(await listen(), 'PUT', 'packages/torch/strategy/', { strategy: null });
    expect(json.data).toEqual({ package_name: 'torch', strategy: null });
    expect(supervisor.calls).toEqual(['patch apps.torch.unload.strategy null']);
  });

  it('sets it for one version, or for all of a model', async () => {
    const at = await listen();
    await send(at, 'PUT', 'packages/intents%40v2/strategy', { strategy: 'balanced' });
    await send(at, 'PUT', 'packages/intents/strategy', { strategy: 'balanced' });
    expect(supervisor.calls).toEqual([
      'patch apps.intents.versions.v2.unload.strategy "balanced"',
      'patch apps.intents.unload.strategy "balanced"',
    ]);
  });

  it('overrules what a version says for itself', async () => {
    const own = packageStatus('intents@v2', { ownStrategy: 'aggressive' });
    await send(await listen([TWO[0]!, own], {}, ['intents@v2']), 'PUT', 'packages/intents/strategy', {
      strategy: 'balanced',
    });
    expect(supervisor.calls).toEqual([
      'patch apps.intents.unload.strategy "balanced"',
      'patch apps.intents.versions.v2.unload.strategy "balanced"',
    ]);
  });

  it('refuses one that is not known, with those that are', async () => {
    const at = await listen();
    const { status, json } = await send(at, 'PUT', 'packages/torch/strategy', { strategy: 'agressive' });
    expect(status).toBe(400);
    expect(json.error).toMatchObject({ code: 'SUP_BAD_REQUEST', strategies: ['aggressive', 'balanced', 'Mine'] });
    expect(json.error.message).toMatch(/no strategy 'agressive'; it must be one of: aggressive, balanced, Mine$/);
    expect(supervisor.calls).toEqual([]);
  });

  it.each([[undefined], [{}], [[]], ['x'], [{ strategy: 3 }], [{ strategy: 'balanced', x: 1 }]])(
    'refuses the body %j',
    async (json) => {
      const answer = await send(await listen(), 'PUT', 'packages/torch/strategy', json);
      expect([answer.status, answer.json.error.code]).toEqual([400, 'SUP_BAD_REQUEST']);
      expect(supervisor.calls).toEqual([]);
    },
  );
});

describe('PUT user-preference', () => {
  it.each([
    [false, 'keep'],
    [true, 'evict'],
    [null, 'none'],
  ])('%s means %s', async (allow, word) => {
    const at = await listen();
    const answer = await send(at, 'PUT', 'packages/torch/user-preference', { allow_unload: allow });
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        success: true,
        message: `Successfully set user preference for package 'torch' unloading to ${allow}`,
        data: { package_name: 'torch', allow_unload: allow },
      },
    ]);
    expect(supervisor.calls).toEqual([`patch apps.torch.unload.preference "${word}"`]);
  });

  it('overrules what a version says for itself', async () => {
    const own = packageStatus('intents@v2', { preference: 'keep' });
    await send(await listen([TWO[0]!, own], {}, ['intents@v2']), 'PUT', 'packages/intents/user-preference', {
      allow_unload: null,
    });
    expect(supervisor.calls).toEqual([
      'patch apps.intents.unload.preference "none"',
      'patch apps.intents.versions.v2.unload.preference "none"',
    ]);
  });

  it.each([[undefined], [{}], [{ allow_unload: 'no' }], [{ allow_unload: 0 }], [{ allow: true }]])(
    'refuses the body %j',
    async (json) => {
      const answer = await send(await listen(), 'PUT', 'packages/torch/user-preference', json);
      expect([answer.status, answer.json.error.code]).toEqual([400, 'SUP_BAD_REQUEST']);
      expect(supervisor.calls).toEqual([]);
    },
  );

  it('hands on why the configuration does not change, and warnings where it does', async () => {
    const conflict = async () => {
      throw new SupError('SUP_CONFLICT', 'the environment sets it');
    };
    const refused = await send(await listen([TORCH], { patchConfig: conflict }), 'PUT', 'packages/torch/strategy', {
      strategy: 'balanced',
    });
    expect(refused.status).toBe(409);
    await servers.pop()?.close();
    const patchConfig = async () => ({ changed: [], warnings: ['too late'] });
    const packages = [packageStatus('torch', { ownStrategy: 'balanced' })];
    const warned = await send(await listen(packages, { patchConfig }), 'PUT', 'packages/torch/strategy', {
      strategy: 'balanced',
    });
    expect(warned.json).toMatchObject({ success: true, warnings: ['too late'] });
  });
});

describe('POST unload', () => {
  it.each([
    ['torch', 'torch', true],
    ['intents', 'intents', true],
    ['intents%40v2', 'intents@v2', false],
  ])('%s', async (path, name, wasLoaded) => {
    const at = await listen();
    const { status, json } = await send(at, 'POST', `packages/${path}/unload`);
    const message = wasLoaded ? `Successfully unloaded package '${name}'` : `Package '${name}' was not loaded`;
    expect([status, json]).toEqual([
      200,
      { success: true, message, data: { package_name: name, was_loaded: wasLoaded } },
    ]);
    expect(supervisor.calls).toEqual([`act unload ${name}`]);
  });

  it('is a conflict while it loads', async () => {
    const error = { code: 'SUP_CONFLICT', message: 'torch is loading', log_tail: [] };
    const act = async () => report({ ok: false, results: [{ app: 'torch', ok: false, error }] });
    const { status, json } = await send(await listen([TORCH], { act }), 'POST', 'packages/torch/unload', {});
    expect([status, json.error.message]).toEqual([409, 'torch is loading']);
  });

  it('takes no body but an empty one', async () => {
    const at = await listen();
    for (const json of [{ force: true }, [], 'x'])
      expect((await send(at, 'POST', 'packages/torch/unload', json)).status).toBe(400);
    expect((await send(at, 'POST', 'packages/torch/unload?force=1')).status).toBe(400);
    expect((await send(at, 'GET', 'packages/torch/unload')).status).toBe(405);
    expect(supervisor.calls).toEqual([]);
  });
});

describe('a package that is not there', () => {
  it.each([
    ['PUT', 'strategy', { strategy: 'balanced' }],
    ['PUT', 'user-preference', { allow_unload: true }],
    ['POST', 'unload', {}],
  ])('%s %s is 404', async (method, path, json) => {
    const at = await listen();
    const near = await send(at, method, `packages/troch/${path}`, json);
    expect([near.status, near.json.error]).toMatchObject([
      404,
      { code: 'SUP_MODEL_NOT_FOUND', message: "there is no package 'troch'; did you mean 'torch'?" },
    ]);
    const far = await send(at, method, `packages/pandas/${path}`, json);
    expect(far.json.error.message).toBe("there is no package 'pandas'; there are: torch, intents@v1, intents@v2");
    expect((await send(at, method, `packages/torch%40v9/${path}`, json)).status).toBe(404);
    expect(supervisor.calls).toEqual([]);
  });

  it('nor is any where there are no models', async () => {
    const { status, json } = await send(await listen([]), 'POST', 'packages/torch/unload');
    expect([status, json.error.message]).toEqual([404, "there is no package 'torch'; no model is configured"]);
  });
});

describe('POST force-garbage-collection', () => {
  it('answers with what it brought', async () => {
    const at = await listen();
    for (const json of [undefined, {}])
      expect((await send(at, 'POST', 'force-garbage-collection', json)).json).toMatchObject({
        memory_before: 1_073_741_824,
        memory_after: 1_048_576_000,
        memory_freed: 25_165_824,
        objects_collected: null,
        garbage_collection_time: 1_640_995_200.0,
      });
    expect((await send(at, 'POST', 'force-garbage-collection/')).status).toBe(200);
    expect(supervisor.calls).toEqual(Array(3).fill('collect garbage'));
    expect((await send(at, 'POST', 'force-garbage-collection', { all: 1 })).status).toBe(400);
    expect((await send(at, 'GET', 'force-garbage-collection')).status).toBe(405);
  });
});
