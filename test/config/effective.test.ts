import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { APP_KINDS, APP_SCHEMAS } from '../../src/config/app-schema.js';
import { appSettings, boxSettings, type Setting } from '../../src/config/effective.js';
import { NO_DISK } from '../../src/config/files.js';
import { keyPaths } from '../../src/config/keys.js';
import { type Loaded, loadText } from '../../src/config/load.js';
import { fileSchema } from '../../src/config/schema.js';
import { load } from './support.js';

function settingsOf(loaded: Loaded): Setting[] {
  return [...boxSettings(loaded), ...loaded.config.apps.flatMap((app) => appSettings(loaded, app.name) ?? [])];
}

function asFile(settings: readonly Setting[]): string {
  const root: Record<string, unknown> = { apps: {} };
  for (const { path: steps, value } of settings) {
    let at = root;
    for (const step of steps.slice(0, -1)) {
      at[step] ??= {};
      at = at[step] as Record<string, unknown>;
    }
    at[steps.at(-1)!] = value;
  }
  return stringify(root);
}

const APPS = `
  m:
    versions:
      v1: { module: m.mjs, weight: 5, unload: { preference: keep } }
      v2.1: { module: m.mjs, options: { beam: 3 } }
    workers: { min: 0, max: max }
    options: { device: cpu, nested: { a: [1, 2] } }
    unload: { strategy: aggressive, requires: [other] }
  other: { module: m.mjs, workers: max, version_policy: { latest: 1 } }
  web: { script: s.mjs, port: 8080, recycle: { max_users: 5, user_key: header:x-user }, depends_on: { job: started } }
  job: { command: [node, s.mjs], log: { rotate: { size: 1500B } } }
`;

describe('the whole configuration', () => {
  it.each([
    ['of defaults', 'apps: {}\n'],
    ['of all kinds', `apps:${APPS}`],
    [
      'with keys of the box',
      `log: { level: debug }\npressure: { high: 3000MiB }\nunloading: { strategy: aggressive, min_savings: 0B }\nmodels: { ttl: 1h }\napps:${APPS}`,
    ],
  ])('%s is the same when it is read back', (_, yaml) => {
    const loaded = load(yaml);
    const again = loadText(asFile(settingsOf(loaded)), loaded.config.file, { env: {}, cores: 6 });
    const explicit = <T extends { explicitPort: boolean }>(listener: T): T => ({ ...listener, explicitPort: true });
    expect({ ...again.config, hash: '' }).toEqual({
      ...loaded.config,
      control: explicit(loaded.config.control),
      inference: explicit(loaded.config.inference),
      hash: '',
    });
  });

  it('says something of every key that has a value', () => {
    const settings = settingsOf(load(`apps:${APPS}`));
    const said = new Set(settings.map(({ path: steps }) => steps.join('.')));
    const missing = (keys: readonly string[], prefix: string) =>
      keys.filter((key) => ![...said].some((one) => one === prefix + key || one.startsWith(`${prefix}${key}.`)));
    expect(missing(keyPaths(fileSchema), '')).toEqual([]);
    // What runs is one of several keys, and these have no value unless somebody writes one.
    const silent = ['env', 'options', 'module', 'versions', 'script', 'handler', 'command', 'version_policy.latest'];
    const names = { model: 'm', http: 'web', command: 'job' };
    for (const kind of APP_KINDS)
      expect(
        missing(keyPaths(APP_SCHEMAS[kind]), `apps.${names[kind]}.`).filter((key) => !silent.includes(key)),
      ).toEqual([]);
  });
});

describe('where values come from', () => {
  const TIME = '2026-01-02T03:04:05.000Z';
  const yaml = `unloading:
  strategy: aggressive
  balanced: 20m
log: { level: warn }
apps:
  m: { module: m.mjs, workers: 3, env: { A: secret }, options: { api_key: k, plain: 1, deep: { password: p } } }
`;
  const env = { SUPERVISOR__UNLOADING__BALANCED: '21m', lazy_loading_unloading_max_unloads_per_cycle: '7' };
  const changes = [
    { path: ['unloading', 'min_residency'], value: '5s', time: TIME },
    { path: ['apps', 'm', 'workers', 'min'], value: 1, time: TIME },
    { path: ['apps', 'm', 'unload', 'preference'], value: 'keep', time: TIME },
  ];
  const loaded = loadText(yaml, '/srv/shop/supervisor.yaml', { env, cores: 6, changes, disk: NO_DISK });
  const found = new Map(settingsOf(loaded).map(({ path: steps, ...rest }) => [steps.join('.'), rest]));

  it.each([
    ['unloading.strategy', 'aggressive', '/srv/shop/supervisor.yaml:2:13'],
    ['unloading.balanced', '21m', 'environment SUPERVISOR__UNLOADING__BALANCED'],
    ['unloading.max_per_cycle', 7, 'environment lazy_loading_unloading_max_unloads_per_cycle'],
    ['unloading.min_residency', '5s', `run time ${TIME}`],
    ['unloading.conservative', '30m', 'default'],
    ['log.level', 'warn', '/srv/shop/supervisor.yaml:4:15'],
    ['log.format', 'json', 'default'],
    ['project', 'shop', 'default'],
    ['control.port', 9700, 'default'],
    ['apps.m.workers.min', 1, `run time ${TIME}`],
    ['apps.m.workers.max', 3, '/srv/shop/supervisor.yaml:6:32'],
    ['apps.m.log.level', 'warn', '/srv/shop/supervisor.yaml:4:15'],
    ['apps.m.unload.preference', 'keep', `run time ${TIME}`],
    ['apps.m.unload.strategy', null, 'default'],
    ['apps.m.default', 'v1', 'default'],
    ['apps.m.kind', 'model', 'default'],
    ['apps.m.env.A', null, '/srv/shop/supervisor.yaml:6:45'],
    ['apps.m.options.api_key', '…', '/srv/shop/supervisor.yaml:6:75'],
    ['apps.m.options.plain', 1, '/srv/shop/supervisor.yaml:6:85'],
    ['apps.m.options.deep', { password: '…' }, '/srv/shop/supervisor.yaml:6:94'],
  ])('%s is %j by %s', (key, value, origin) => {
    expect(found.get(key)).toEqual({ value, origin });
  });

  it('a variable of a .env file is named, and comes from where the file is named', () => {
    const ofFile = load('apps:\n  m: { module: m.mjs, env_file: .env }\n', {}, { '.env': 'B=secret\n' });
    expect(appSettings(ofFile, 'm')?.find(({ path: steps }) => steps.at(-1) === 'B')).toEqual({
      path: ['apps', 'm', 'env', 'B'],
      value: null,
      origin: `${ofFile.config.file}:2:33`,
    });
  });
});
