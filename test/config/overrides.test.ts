import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { load, problemsOf } from './support.js';

const FILE = `apps:
  intents: { module: m.mjs, workers: 2, recycle: { max_users: 5 } }
  my-app.v2: { command: [x] }
  web: { script: s.mjs, port: 8080, recycle: { user_key: "header:u" } }
`;

describe('SUPERVISOR__ names', () => {
  it('set keys of every type, over those of the file', () => {
    const { config } = load(FILE, {
      SUPERVISOR__PROJECT: 'other',
      SUPERVISOR__CONTROL__PORT: '9999',
      SUPERVISOR__CONTROL__ALLOWED_HOSTS: '[a.example, b.example]',
      SUPERVISOR__LOG__ROTATE__MAX_AGE: '1d',
      SUPERVISOR__APPS__INTENTS__WORKERS__MAX: '4',
      SUPERVISOR__APPS__INTENTS__RECYCLE__MAX_USERS: 'null',
      SUPERVISOR__APPS__INTENTS__RECYCLE__MAX_MEMORY: '1GiB',
      SUPERVISOR__APPS__INTENTS__RECYCLE__JITTER: '20%',
      SUPERVISOR__APPS__INTENTS__OPTIONS__DEVICE: 'gpu',
      SUPERVISOR__APPS__INTENTS__IDEMPOTENT: 'false',
      SUPERVISOR__APPS__MY_APP_V2__ENV__LEVEL: '1.10',
      SUPERVISOR__APPS__MY_APP_V2__ENV__Mixed_Case: 'a: b',
      SUPERVISOR__APPS__MY_APP_V2__ARGS: '[--port, 8080, 1.10]',
      SUPERVISOR__APPS__MY_APP_V2__READY__PROBE: 'log:on: \\d+',
      SUPERVISOR__APPS__WEB__WORKERS: '3',
      SUPERVISOR__APPS__WEB__DEPENDS_ON: '{ intents: started }',
    });
    expect(config).toMatchObject({
      project: 'other',
      control: { port: 9999, explicitPort: true, allowedHosts: ['a.example', 'b.example'] },
      log: { rotate: { maxAgeMs: 86_400_000 } },
      apps: [
        {
          workers: { min: 2, max: 4 },
          idempotent: false,
          versions: [{ options: { device: 'gpu' } }],
          recycle: { maxUsers: null, maxMemoryBytes: 1024 ** 3, jitter: 0.2 },
        },
        {
          env: { LEVEL: '1.10', Mixed_Case: 'a: b' },
          args: ['--port', '8080', '1.10'],
          ready: { probe: { kind: 'log', pattern: 'on: \\d+' } },
        },
        { workers: { min: 3, max: 3 }, dependsOn: [{ app: 'intents', condition: 'started' }] },
      ],
    });
  });

  it('set what the box and an app may use', () => {
    const { config, dir } = load(FILE, {
      SUPERVISOR__LIMITS__MEMORY: '2GiB',
      SUPERVISOR__LIMITS__CPU: '0.5',
      SUPERVISOR__LIMITS__GPU_MEMORY: 'auto',
      SUPERVISOR__SENSING__INTERVAL: '250ms',
      SUPERVISOR__PRESSURE__HIGH: '1500MiB',
      SUPERVISOR__PRESSURE__CLEANUP: '70%',
      SUPERVISOR__PRESSURE__ADAPTIVE: 'true',
      SUPERVISOR__CPU__MODERATE: '60%',
      SUPERVISOR__PLUGINS: '[./m.mjs, s.mjs]',
      SUPERVISOR__APPS__INTENTS__WORKERS__MAX: '4',
      SUPERVISOR__APPS__INTENTS__SCALE__HEADROOM: '0.75',
      SUPERVISOR__APPS__INTENTS__SCALE__TARGET: '2',
      SUPERVISOR__APPS__INTENTS__SCALE__DOWN_WINDOW: '30s',
      SUPERVISOR__APPS__INTENTS__LIMITS__HEAP: '128MiB',
      SUPERVISOR__APPS__MY_APP_V2__LIMITS__MEMORY: '1GB',
      SUPERVISOR__APPS__MY_APP_V2__LEAK__WINDOW: '5m',
      SUPERVISOR__APPS__WEB__LEAK__MIN_GROWTH: '3MiB',
      SUPERVISOR__APPS__WEB__LEAK__RECYCLE: 'true',
    });
    expect(config).toMatchObject({
      limits: { memoryBytes: 2 * 1024 ** 3, cpuCores: 0.5, gpuMemoryBytes: null },
      sensing: { intervalMs: 250 },
      pressure: { high: { bytes: 1500 * 1024 ** 2 }, cleanup: { share: 0.7 }, adaptive: true },
      cpu: { moderate: 0.6, high: 0.85 },
      plugins: [path.join(dir, 'm.mjs'), path.join(dir, 's.mjs')],
      apps: [
        {
          scale: { headroom: 0.75, target: 2, upWindowMs: 5000, downWindowMs: 30_000 },
          limits: { memoryBytes: null, heapBytes: 128 * 1024 ** 2 },
        },
        { limits: { memoryBytes: 1_000_000_000 }, leak: { windowMs: 300_000 } },
        { leak: { windowMs: 900_000, minGrowthBytes: 3 * 1024 ** 2, recycle: true } },
      ],
    });
  });

  it('reach the keys of a version, and names that hold the separator', () => {
    const { config } = load('apps:\n  a: { command: [x] }\n  a__b: { versions: { v1.5: { module: m.mjs } } }\n', {
      SUPERVISOR__APPS__A__B__VERSIONS__V1_5__OPTIONS__DEVICE: 'gpu',
    });
    expect(config.apps[1]).toMatchObject({ versions: [{ version: 'v1.5', options: { device: 'gpu' } }] });
  });

  it('can mend what is wrong in the file', () => {
    expect(problemsOf('apps: { web: { script: s.mjs } }', { SUPERVISOR__APPS__WEB__PORT: '80' })).toEqual([]);
    expect(problemsOf('apps: { web: { script: s.mjs, port: x } }', { SUPERVISOR__APPS__WEB__PORT: '80' })).toEqual([]);
  });

  it('leave other variables alone', () => {
    const env = { SUPERVISOR_HOME: '/x', SUPERVISOR_APP: 'a', supervisor__apps: '1', PATH: '/bin' };
    expect(load(FILE, env).config).toMatchObject({ apps: load(FILE).config.apps.map(({ name }) => ({ name })) });
  });

  it.each<[name: string, value: string, problem: string]>([
    ['SUPERVISOR__APPS__INTENT__WORKERS', '1', 'names no key, did you mean `SUPERVISOR__APPS__INTENTS`?'],
    [
      'SUPERVISOR__APPS__INTENTS__WORKERS__MX',
      '1',
      'names no key, did you mean `SUPERVISOR__APPS__INTENTS__WORKERS__MAX`?',
    ],
    ['SUPERVISOR__CONTROLL__PORT', '1', 'names no key, did you mean `SUPERVISOR__CONTROL`?'],
    ['SUPERVISOR__', '1', 'names a group of keys: set one of them, such as SUPERVISOR__VERSION'],
    ['SUPERVISOR__APPS__WEB__TIMEOUT', '1s', 'names no key'],
    ['SUPERVISOR__CONTROL', '1', 'names a group of keys: set one of them, such as SUPERVISOR__CONTROL__HOST'],
    ['SUPERVISOR__APPS__WEB', '1', 'names a group of keys: set one of them, such as SUPERVISOR__APPS__WEB__KIND'],
    ['SUPERVISOR__CONTROL__PORT__X', '1', 'names no key'],
    ['SUPERVISOR__APPS__WEB____PROTO__', '1', 'names no key'],
    ['SUPERVISOR__CONTROL__PORT', 'SECRET', 'control.port: must be a whole number'],
    ['SUPERVISOR__APPS__INTENTS__WORKERS__MAX', '0', 'apps.intents.workers.max: must be at least 1'],
    [
      'SUPERVISOR__APPS__INTENTS__MODULE',
      'SECRET.mjs',
      "apps.intents.module: there is no file; paths are relative to the file's folder",
    ],
    [
      'SUPERVISOR__APPS__WEB__STOP__GRACE',
      '77',
      'apps.web.stop.grace: write numbers with d, h, m, s or ms, such as 90s or 1h30m',
    ],
    ['SUPERVISOR__APPS__WEB__DEPENDS_ON', '[SECRET]', 'apps.web.depends_on[0]: there is no app'],
    ['SUPERVISOR__APPS__WEB__KIND', 'SECRET', 'apps.web.kind: must be one of `model`, `http`, `command`'],
    [
      'SUPERVISOR__LIMITS__MEMORY',
      'SECRET',
      'limits.memory: write a number with B, KiB, MiB, GiB or KB, MB, GB, such as 512MiB, or auto',
    ],
    ['SUPERVISOR__LIMITS__CPU', '77000', 'limits.cpu: must be a number from 0.1 to 4096, or auto'],
    [
      'SUPERVISOR__PRESSURE__HIGH',
      '77',
      'pressure.high: write a share of the memory limit, such as 70%, or a size, such as 3000MiB',
    ],
    [
      'SUPERVISOR__PRESSURE__HIGH',
      '7%',
      'pressure.high: must be above `pressure.medium` (50% by default): raise it, or lower that',
    ],
    ['SUPERVISOR__PLUGINS', '[SECRET.mjs]', "plugins[0]: there is no file; paths are relative to the file's folder"],
    ['SUPERVISOR__APPS__MY_APP_V2__SCALE__HEADROOM', '1', 'names no key'],
    ['SUPERVISOR__APPS__INTENTS__WORKERS__MIN', '77', 'apps.intents.workers.min: `min` must not be above `max`'],
    [
      'SUPERVISOR__APPS__WEB__PORT',
      '9700',
      'apps.web.port: is the port of `control` (by default) too: each needs its own',
    ],
  ])('%s=%s', (name, value, problem) => {
    const problems = problemsOf(FILE, { [name]: value });
    expect(problems).toEqual([`${name} ${problem}`]);
    expect(problems.join()).not.toMatch(/SECRET\b|77/);
  });

  it('that could be two apps are refused', () => {
    expect(
      problemsOf('apps: { a-b: { command: [x] }, a.b: { command: [x] } }', { SUPERVISOR__APPS__A_B__WORKERS: '2' }),
    ).toEqual(['SUPERVISOR__APPS__A_B__WORKERS could be `apps.a-b` or `apps.a.b`']);
  });

  it('say nothing more where the file is at fault', () => {
    expect(problemsOf('apps: 5', { SUPERVISOR__APPS__A__WORKERS: '2' })).toEqual([
      'supervisor.yaml:1:7 apps: must be a map of keys, not `5`',
    ]);
    expect(problemsOf('apps: { a: 5 }', { SUPERVISOR__APPS__A__WORKERS: '2' })).toHaveLength(1);
    expect(
      problemsOf('apps: { a: { command: [x], stop: 5 } }', { SUPERVISOR__APPS__A__STOP__GRACE: '2s' }),
    ).toHaveLength(1);
  });

  it('stand after the problems of the file', () => {
    const problems = problemsOf('apps: {}\nzz: 1\n', { SUPERVISOR__B: '1', SUPERVISOR__A: '1' });
    expect(problems.map((line) => line.split(' ')[0])).toEqual([
      'supervisor.yaml:2:1',
      'SUPERVISOR__A',
      'SUPERVISOR__B',
    ]);
  });
});
