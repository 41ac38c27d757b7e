import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import type { HttpAppConfig, ModelAppConfig } from '../../src/config/schema.js';
import { deriveConfig, findSubject } from '../../src/sizing/derive.js';

const dir = mkdtempSync(join(tmpdir(), 'derive-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(join(dir, 'app'));
mkdirSync(join(dir, 'apart'));
for (const name of ['one.mjs', 'two.mjs', 'web.mjs', '.env', 'other.env', 'plugin.mjs'])
  writeFileSync(join(dir, name), name.endsWith('env') ? `${name.slice(-9).replace('.', '_')}=1\n` : '');
const file = join(dir, 'supervisor.yaml');
writeFileSync(
  file,
  `version: 1
project: shop
control: { port: 9701, auth: token }
inference: { port: 8001 }
limits: { memory: 900MiB }
pressure: { high: 60% }
plugins: [plugin.mjs]
apps:
  model:
    versions: { v1: { module: one.mjs }, v2: { module: two.mjs, options: { deep: true } } }
    env_file: [.env, other.env]
    env: { VERSION: 1.10, NAME: "yes" }
    workers: { min: 2, max: 6 }
    timeout: 3s
    recycle: { max_requests: 50 }
    depends_on: [web]
  single: { module: one.mjs, cwd: app, env_file: .env }
  web:
    script: web.mjs
    host: 0.0.0.0
    port: 8081
    ready: { probe: "http://localhost:8081/ready?deep=1", timeout: 7s }
  probed: { script: web.mjs, port: 8082, ready: { probe: "tcp://127.0.0.1:9999" } }
  job: { command: [sleep, "9"] }
`,
);

/** What a master in another folder would make of it. */
function derived(name: string, version: string | null = null, env: NodeJS.ProcessEnv = {}) {
  const text = deriveConfig(findSubject(file, name, version, env), env, 3, 4567);
  const path = join(dir, 'apart', 'supervisor.yaml');
  writeFileSync(path, text);
  return { text, ...loadConfig(path, { env: {} }) };
}

const appOf = (name: string, env: NodeJS.ProcessEnv = {}) =>
  loadConfig(file, { env }).config.apps.find((app) => app.name === name)!;

describe('deriveConfig', () => {
  it('holds one version of one app, as it was but for its size and what it depends on', () => {
    const { config, warnings } = derived('model', 'v1');
    const original = appOf('model') as ModelAppConfig;
    expect(config.apps).toEqual([
      {
        ...original,
        versions: [original.versions[0]],
        defaultVersion: 'v1',
        workers: { min: 3, max: 3 },
        dependsOn: [],
      },
    ]);
    expect(warnings).toEqual([]);
    const [latest] = derived('model').config.apps as ModelAppConfig[];
    expect(latest?.versions).toEqual([original.versions[1]]);
    expect(derived('single').config.apps).toEqual([{ ...appOf('single'), workers: { min: 3, max: 3 } }]);
  });

  it('keeps the limits of the box, takes free ports, and leaves listeners and plug-ins behind', () => {
    const { config } = derived('model');
    expect(config.limits.memoryBytes).toBe(900 * 1024 ** 2);
    expect(config.pressure.high).toEqual({ share: 0.6 });
    expect([config.control.port, config.inference.port, config.plugins]).toEqual([0, 0, []]);
  });

  it('moves an http app, and a probe of its port with it', () => {
    const [web] = derived('web').config.apps as HttpAppConfig[];
    expect(web).toEqual({
      ...appOf('web'),
      host: '127.0.0.1',
      port: 4567,
      workers: { min: 3, max: 3 },
      ready: { timeoutMs: 7000, probe: { kind: 'http', url: 'http://127.0.0.1:4567/ready?deep=1' } },
    });
    const [probed] = derived('probed').config.apps as HttpAppConfig[];
    expect(probed?.ready).toEqual(appOf('probed').ready);
  });

  it('has what the environment overrides in it, and needs that environment no more', () => {
    const env = {
      SUPERVISOR__APPS__MODEL__TIMEOUT: '9s',
      SUPERVISOR__APPS__MODEL__WORKERS__MAX: '7',
      SUPERVISOR__APPS__WEB__PORT: '8099',
      SUPERVISOR__CONTROL__PORT: '9800',
      MAX_USERS_PER_PROCESS: '17',
    };
    const { config } = derived('model', null, env);
    const [app] = config.apps as ModelAppConfig[];
    expect(app).toMatchObject({ timeoutMs: 9000, workers: { min: 3, max: 3 }, recycle: { maxUsers: 17 } });
    expect(config.control.port).toBe(0);
    const [web] = derived('web', null, env).config.apps as HttpAppConfig[];
    expect(web?.ready.probe).toEqual({ kind: 'http', url: 'http://localhost:8081/ready?deep=1' });
  });
});

describe('findSubject', () => {
  const find = (name: string, version: string | null = null) => findSubject(file, name, version, {});

  it('takes the latest version, and the name that a master gives to a second app of a name', () => {
    expect(find('model')).toMatchObject({ file, version: 'v2' });
    expect(find('shop.model', 'v1')).toMatchObject({ version: 'v1', app: { name: 'model' } });
    expect(find('web').version).toBeNull();
  });

  it.each([
    ['nosuch', null, 'SUP_NO_SUCH_TARGET', /there are: model, single, web/],
    ['model', 'v3', 'SUP_NO_SUCH_TARGET', /no version 'v3'; there are: v1, v2/],
    ['web', 'v1', 'SUP_NO_SUCH_TARGET', /no version 'v1'$/],
    ['job', null, 'SUP_USAGE', /answers nothing/],
  ])('%s@%s: %s', (name, version, code, message) =>
    expect(() => find(name, version)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    ),
  );
});
