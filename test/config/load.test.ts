import { createHash } from 'node:crypto';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { load } from './support.js';

const MINUTE = 60_000;
const MIB = 1024 ** 2;
const SCALE = { headroom: 1.2, target: null, upWindowMs: 5000, upCooldownMs: 10_000, downWindowMs: 2 * MINUTE };
const MODELS = {
  maxLoaded: null,
  concurrentLoads: 2,
  coldStart: 'hybrid',
  coldStartTimeoutMs: null,
  preloadPopular: true,
  popularityThreshold: 10,
  ttlMs: null,
  failureCooldownMs: 5 * MINUTE,
  predictive: { enabled: true, windowMs: 24 * 60 * MINUTE, horizonMs: 30 * MINUTE, forecastOnly: false },
};

describe('defaults', () => {
  it('of the file', () => {
    const { config, warnings, dir } = load('apps: {}\n');
    expect(config).toEqual({
      file: path.join(dir, 'supervisor.yaml'),
      dir,
      project: 'shop',
      log: { level: 'info', format: 'json', rotate: { sizeBytes: 50 * MIB, keep: 5, maxAgeMs: 7 * 24 * 60 * MINUTE } },
      control: { host: '127.0.0.1', port: 9700, explicitPort: false, auth: 'token', allowedHosts: [] },
      inference: {
        host: '127.0.0.1',
        port: 8000,
        explicitPort: false,
        auth: 'none',
        maxBodyBytes: 8 * MIB,
        defaultModel: null,
        allowedHosts: [],
      },
      limits: { memoryBytes: null, cpuCores: null, gpuMemoryBytes: null },
      sensing: { intervalMs: 1000 },
      pressure: {
        medium: { share: 0.5 },
        high: { share: 0.7 },
        critical: { share: 0.85 },
        cleanup: { share: 0.8 },
        recycle: { share: 0.9 },
        emergency: { share: 0.95 },
        adaptive: false,
      },
      cpu: { moderate: 0.7, high: 0.85, critical: 0.95 },
      models: MODELS,
      unloading: {
        enabled: true,
        strategy: 'balanced',
        timeoutsMs: { aggressive: 5 * MINUTE, balanced: 15 * MINUTE, conservative: 30 * MINUTE },
        checkIntervalMs: MINUTE,
        pressureThreshold: 0.8,
        pressureTimeoutMs: MINUTE,
        maxPerCycle: 5,
        minSavingsBytes: MIB,
        minResidencyMs: MINUTE,
        order: 'keep_value',
        byPressure: true,
        byPattern: true,
        byPreference: true,
        adaptive: true,
        trackImpact: true,
      },
      plugins: [],
      apps: [],
      hash: createHash('sha256').update('apps: {}\n').digest('hex'),
    });
    expect(warnings).toEqual([]);
  });

  it('of a model', () => {
    const { config, dir } = load('apps:\n  intents: { module: m.mjs }\n');
    expect(config.apps).toEqual([
      {
        kind: 'model',
        name: 'intents',
        namespace: 'default',
        workers: { min: 1, max: 1 },
        env: {},
        cwd: dir,
        args: [],
        nodeArgs: [],
        ready: { timeoutMs: 5 * MINUTE, probe: null },
        stop: { signal: 'SIGTERM', graceMs: 30_000 },
        restart: {
          policy: 'always',
          backoffMs: 100,
          maxBackoffMs: 30_000,
          maxRestarts: 10,
          windowMs: MINUTE,
          retryAfterMs: 5 * MINUTE,
        },
        recycle: {
          maxUsers: null,
          userKey: null,
          maxRequests: null,
          jitter: 0.1,
          maxAgeMs: null,
          maxMemoryBytes: null,
          maxConcurrent: 1,
        },
        leak: { windowMs: 15 * MINUTE, minGrowthBytes: MIB, recycle: false },
        limits: { memoryBytes: null, heapBytes: null },
        health: {
          wedgeMs: 10_000,
          intervalMs: 30_000,
          checkTimeoutMs: 5000,
          failures: 3,
          cooldownMs: 5 * MINUTE,
          maxEjected: 0.5,
        },
        log: config.log,
        dependsOn: [],
        versions: [
          {
            version: 'v1',
            module: path.join(dir, 'm.mjs'),
            options: {},
            weight: null,
            unload: { strategy: null, preference: null },
          },
        ],
        defaultVersion: 'v1',
        versionPolicy: { kind: 'all' },
        routing: { strategy: 'least_connections', key: 'user' },
        unload: { requires: [], keepProcess: false },
        isolation: 'process',
        threadHost: null,
        concurrency: 1,
        timeoutMs: 30_000,
        batching: { maxSize: 32, maxDelayMs: 0, preferred: [] },
        queue: { max: 512, ageingMs: 1000, shedding: true },
        idempotent: true,
        scale: { ...SCALE, toZeroAfterMs: null },
      },
    ]);
  });

  it('of an http app and a command', () => {
    const { config, dir } = load('apps:\n  web: { script: s.mjs, port: 8080 }\n  job: { command: [node, s.mjs] }\n');
    const [web, job] = config.apps;
    expect(web).toMatchObject({
      kind: 'http',
      runs: { script: path.join(dir, 's.mjs') },
      host: '127.0.0.1',
      port: 8080,
      ready: { timeoutMs: 30_000, probe: null },
      health: { wedgeMs: 30_000 },
      leak: { windowMs: 15 * MINUTE, minGrowthBytes: MIB, recycle: false },
      limits: { memoryBytes: null, heapBytes: null },
      scale: SCALE,
    });
    expect(job).toMatchObject({
      kind: 'command',
      command: ['node', 's.mjs'],
      overlap: false,
      ready: { timeoutMs: 30_000, probe: null },
      health: { wedgeMs: 0 },
      leak: { windowMs: 15 * MINUTE, minGrowthBytes: MIB, recycle: false },
      limits: { memoryBytes: null, heapBytes: null },
      recycle: { maxUsers: null, userKey: null, maxRequests: null, jitter: 0.1, maxConcurrent: 1 },
    });
  });
});

it('reads every key', () => {
  const { config, warnings, dir } = load(
    `
version: 1
project: store
log: { level: debug, format: plain, rotate: { size: 1MiB, keep: 2, max_age: 30d } }
control: { host: 0.0.0.0, port: 9800, auth: token, allowed_hosts: [Shop.example.com] }
inference: { host: 0.0.0.0, port: 8100, auth: token, max_body: 1MB, default_model: intents, allowed_hosts: [a, "::1"] }
limits: { memory: 6GiB, cpu: 1.5, gpu_memory: 8GB }
sensing: { interval: 500ms }
pressure: { medium: 40%, high: 3000MiB, critical: 80%, cleanup: 3GB, recycle: 5GiB, emergency: 97.5%, adaptive: true }
cpu: { moderate: 60%, high: 70%, critical: 80% }
models:
  max_loaded: 5
  concurrent_loads: 3
  cold_start: eager
  cold_start_timeout: 30s
  preload_popular: false
  popularity_threshold: 20
  ttl: 1h
  failure_cooldown: 0
  predictive: { enabled: false, window: 7d, horizon: 0, forecast_only: true }
unloading:
  enabled: false
  strategy: aggressive
  aggressive: 1m
  balanced: 2m
  conservative: 3m
  check_interval: 5s
  pressure_threshold: 70%
  pressure_timeout: 0
  max_per_cycle: 3
  min_savings: 0B
  min_residency: 2s
  order: gdsf
  by_pressure: false
  by_pattern: false
  by_preference: false
  adaptive: false
  track_impact: false
plugins: [./s.mjs, models/one.mjs]
apps:
  intents:
    kind: model
    namespace: nlp
    versions:
      v2: { module: m.mjs, options: { labels: [a, b] }, weight: 0.5, unload: { strategy: aggressive, preference: keep } }
      v1: { module: models/one.mjs }
    default: v2
    version_policy: { latest: 1 }
    routing: { strategy: consistent_hash, key: header:X-Session }
    unload: { strategy: conservative, preference: evict, requires: [tokens@v1], keep_process: true }
    options: { device: cpu, labels: [] }
    isolation: thread
    thread_host: tokenizers
    workers: { min: 0, max: max }
    concurrency: 4
    timeout: 5s
    batching: { max_size: 8, max_delay: 2ms, preferred: [8, 4, 8] }
    queue: { max: 10, ageing: 0, shedding: false }
    idempotent: false
    scale: { headroom: 2, target: 1.5, up_window: 10s, up_cooldown: 0, down_window: 5m, to_zero_after: 90s }
    leak: { window: 1h, min_growth: 512KiB, recycle: true }
    limits: { memory: 2GiB, heap: 256MiB }
    env: { VERSION: 1.10, DEBUG: true, EMPTY: '', FROM: here }
    env_file: [one.env, two.env]
    cwd: models
    args: [--port, 8080]
    node_args: [--trace-warnings]
    ready: { timeout: 10s }
    stop: { signal: SIGINT, grace: 1s }
    restart: { policy: on-failure, backoff: 50ms, max_backoff: 1s, max_restarts: 2, window: 5s, retry_after: 0 }
    recycle: { max_users: 50, user_key: header:X-User-Id, max_requests: 1000, jitter: 20%, max_age: 4h, max_memory: 1GiB, max_concurrent: 2 }
    health: { wedge: 20s, interval: 10s, check_timeout: 1s, failures: 5, cooldown: 1m, max_ejected: 25% }
    log: { level: error, rotate: { keep: 9 } }
    depends_on: [web]
  tokens: { module: m.mjs }
  web:
    handler: s.mjs
    port: 8080
    host: "::1"
    workers: max
    ready: { probe: "http://127.0.0.1:8080/health" }
    recycle: { max_users: 5, user_key: header:x-user }
    depends_on: { job: started }
  native:
    kind: http
    command: [python3, server.py, 1.10]
    port: 8081
    workers: { min: 1, max: 3 }
    scale: { target: 4 }
    limits: { memory: 1GiB }
    ready: { probe: "tcp://[::1]:5432" }
  job:
    command: [./bin/job, --verbose]
    overlap: true
    cwd: tools
    ready: { probe: "log:listening on \\\\d+" }
    recycle: { max_age: 1d, max_memory: 100MB }
    leak: { window: 24h }
    limits: { memory: 200MB }
`,
    {},
    {
      'models/one.mjs': '',
      'tools/bin/job': '',
      'one.env': 'A=1\nB=1\nFROM=file\n',
      'two.env': '# comment\nB="two"\n',
    },
    { executable: 'tools/bin/job' },
  );
  expect(warnings).toEqual([]);
  expect(config).toMatchObject({
    project: 'store',
    log: { level: 'debug', format: 'plain', rotate: { sizeBytes: MIB, keep: 2, maxAgeMs: 30 * 24 * 60 * MINUTE } },
    control: { host: '0.0.0.0', port: 9800, explicitPort: true, auth: 'token', allowedHosts: ['shop.example.com'] },
    inference: {
      host: '0.0.0.0',
      port: 8100,
      explicitPort: true,
      auth: 'token',
      maxBodyBytes: 1_000_000,
      defaultModel: 'intents',
      allowedHosts: ['a', '::1'],
    },
    limits: { memoryBytes: 6144 * MIB, cpuCores: 1.5, gpuMemoryBytes: 8_000_000_000 },
    sensing: { intervalMs: 500 },
    pressure: {
      medium: { share: 0.4 },
      high: { bytes: 3000 * MIB },
      critical: { share: 0.8 },
      cleanup: { bytes: 3_000_000_000 },
      recycle: { bytes: 5120 * MIB },
      emergency: { share: 0.975 },
      adaptive: true,
    },
    cpu: { moderate: 0.6, high: 0.7, critical: 0.8 },
    models: {
      maxLoaded: 5,
      concurrentLoads: 3,
      coldStart: 'eager',
      coldStartTimeoutMs: 30_000,
      preloadPopular: false,
      popularityThreshold: 20,
      ttlMs: 60 * MINUTE,
      failureCooldownMs: 0,
      predictive: { enabled: false, windowMs: 7 * 24 * 60 * MINUTE, horizonMs: 0, forecastOnly: true },
    },
    unloading: {
      enabled: false,
      strategy: 'aggressive',
      timeoutsMs: { aggressive: MINUTE, balanced: 2 * MINUTE, conservative: 3 * MINUTE },
      checkIntervalMs: 5000,
      pressureThreshold: 0.7,
      pressureTimeoutMs: 0,
      maxPerCycle: 3,
      minSavingsBytes: 0,
      minResidencyMs: 2000,
      order: 'gdsf',
      byPressure: false,
      byPattern: false,
      byPreference: false,
      adaptive: false,
      trackImpact: false,
    },
    plugins: [path.join(dir, 's.mjs'), path.join(dir, 'models/one.mjs')],
  });
  const [intents, , web, native, job] = config.apps;
  expect(intents).toEqual({
    kind: 'model',
    name: 'intents',
    namespace: 'nlp',
    versions: [
      {
        version: 'v2',
        module: path.join(dir, 'm.mjs'),
        options: { device: 'cpu', labels: ['a', 'b'] },
        weight: 0.5,
        unload: { strategy: 'aggressive', preference: 'keep' },
      },
      {
        version: 'v1',
        module: path.join(dir, 'models/one.mjs'),
        options: { device: 'cpu', labels: [] },
        weight: null,
        unload: { strategy: 'conservative', preference: 'evict' },
      },
    ],
    defaultVersion: 'v2',
    versionPolicy: { kind: 'latest', count: 1 },
    routing: { strategy: 'consistent_hash', key: { header: 'x-session' } },
    isolation: 'thread',
    threadHost: 'tokenizers',
    workers: { min: 0, max: 6 },
    concurrency: 4,
    timeoutMs: 5000,
    batching: { maxSize: 8, maxDelayMs: 2, preferred: [4, 8] },
    queue: { max: 10, ageingMs: 0, shedding: false },
    idempotent: false,
    env: { A: '1', B: 'two', VERSION: '1.10', DEBUG: 'true', EMPTY: '', FROM: 'here' },
    cwd: path.join(dir, 'models'),
    args: ['--port', '8080'],
    nodeArgs: ['--trace-warnings'],
    ready: { timeoutMs: 10_000, probe: null },
    stop: { signal: 'SIGINT', graceMs: 1000 },
    restart: {
      policy: 'on-failure',
      backoffMs: 50,
      maxBackoffMs: 1000,
      maxRestarts: 2,
      windowMs: 5000,
      retryAfterMs: 0,
    },
    recycle: {
      maxUsers: 50,
      userKey: { header: 'x-user-id' },
      maxRequests: 1000,
      jitter: 0.2,
      maxAgeMs: 240 * MINUTE,
      maxMemoryBytes: 1024 * MIB,
      maxConcurrent: 2,
    },
    scale: {
      headroom: 2,
      target: 1.5,
      upWindowMs: 10_000,
      upCooldownMs: 0,
      downWindowMs: 5 * MINUTE,
      toZeroAfterMs: 90_000,
    },
    leak: { windowMs: 60 * MINUTE, minGrowthBytes: 512 * 1024, recycle: true },
    limits: { memoryBytes: 2048 * MIB, heapBytes: 256 * MIB },
    health: {
      wedgeMs: 20_000,
      intervalMs: 10_000,
      checkTimeoutMs: 1000,
      failures: 5,
      cooldownMs: MINUTE,
      maxEjected: 0.25,
    },
    log: { level: 'error', format: 'plain', rotate: { sizeBytes: MIB, keep: 9, maxAgeMs: 30 * 24 * 60 * MINUTE } },
    dependsOn: [{ app: 'web', condition: 'ready' }],
    unload: { requires: ['tokens@v1'], keepProcess: true },
  });
  expect(web).toMatchObject({
    kind: 'http',
    runs: { handler: path.join(dir, 's.mjs') },
    host: '::1',
    workers: { min: 6, max: 6 },
    ready: { probe: { kind: 'http', url: 'http://127.0.0.1:8080/health' } },
    recycle: { maxUsers: 5, userKey: { header: 'x-user' } },
    dependsOn: [{ app: 'job', condition: 'started' }],
  });
  expect(native).toMatchObject({
    kind: 'http',
    runs: { command: ['python3', 'server.py', '1.10'] },
    workers: { min: 1, max: 3 },
    scale: { ...SCALE, target: 4 },
    limits: { memoryBytes: 1024 * MIB, heapBytes: null },
    ready: { probe: { kind: 'tcp', host: '::1', port: 5432 } },
  });
  expect(job).toMatchObject({
    kind: 'command',
    command: ['./bin/job', '--verbose'],
    overlap: true,
    cwd: path.join(dir, 'tools'),
    ready: { probe: { kind: 'log', pattern: 'listening on \\d+' } },
    recycle: { maxAgeMs: 1440 * MINUTE, maxMemoryBytes: 100_000_000 },
    leak: { windowMs: 1440 * MINUTE },
    limits: { memoryBytes: 200_000_000, heapBytes: null },
  });
  expect(job).not.toHaveProperty('scale');
});

it('keeps the order of the file where names look like numbers', () => {
  const { config } = load(
    'apps:\n  b: { command: [x] }\n  2: { versions: { 9: { module: m.mjs }, 1: { module: m.mjs } } }\n  1: { command: [x] }\n',
  );
  expect(config.apps.map((app) => app.name)).toEqual(['b', '2', '1']);
  expect(config.apps[1]).toMatchObject({ versions: [{ version: '9' }, { version: '1' }] });
});

it('follows aliases and accepts a byte order mark and windows line ends', () => {
  const { config } = load('\uFEFFapps:\r\n  a: &a { command: [x], env: { A: 1 } }\r\n  b: *a\r\n');
  expect(config.apps.map((app) => [app.name, app.env])).toEqual([
    ['a', { A: '1' }],
    ['b', { A: '1' }],
  ]);
});

it.each([
  ['{ min: 2 }', { min: 2, max: 2 }],
  ['{ max: 4 }', { min: 1, max: 4 }],
  ['{ min: 0 }', { min: 0, max: 1 }],
  ['{ min: max }', { min: 6, max: 6 }],
  ['5', { min: 5, max: 5 }],
  ['max', { min: 6, max: 6 }],
])('workers: %s', (written, workers) => {
  expect(load(`apps: { a: { module: m.mjs, workers: ${written} } }`).config.apps[0]!.workers).toEqual(workers);
});

it.each([
  ['{ module: m.mjs }', 'model'],
  ['{ versions: { v1: { module: m.mjs } } }', 'model'],
  ['{ handler: s.mjs, port: 1 }', 'http'],
  ['{ script: s.mjs, port: 1 }', 'http'],
  ['{ command: [x] }', 'command'],
  ['{ kind: http, command: [x], port: 1 }', 'http'],
])('the kind of %s', (written, kind) => {
  expect(load(`apps: { a: ${written} }`).config.apps[0]!.kind).toBe(kind);
});

it('accepts names that are dangerous only to careless code', () => {
  const { config } = load(
    'apps:\n  toString: { command: [x] }\n  hasOwnProperty: { command: [x], env: { valueOf: 1 } }\n',
  );
  expect(config.apps.map((app) => app.name)).toEqual(['toString', 'hasOwnProperty']);
  expect(config.apps[1]!.env).toEqual({ valueOf: '1' });
});

it('lets one port be free for all: 0 clashes with nothing', () => {
  const { config } = load('control: { port: 0 }\ninference: { port: 0 }\napps: { a: { module: m.mjs } }\n');
  expect([config.control.port, config.inference.port]).toEqual([0, 0]);
});

it('lets an app have the default inference port where there is no model', () => {
  expect(load('apps: { web: { script: s.mjs, port: 8000 } }').config.apps).toHaveLength(1);
});

it.each([
  ['my shop', 'my-shop'],
  ['.hidden', 'hidden'],
  ['läden', 'l-den'],
  ['all', 'default'],
  ['...', 'default'],
])('the project of the folder %j is %s', (folder, project) => {
  expect(load('apps: {}', {}, {}, { folder }).config.project).toBe(project);
});

describe('warns of what may surprise', () => {
  it.each<[app: string, warning: string]>([
    ['module: m.mjs, health: { wedge: 1s }', '40 apps.a.health.wedge: below 3s'],
    ['command: [x], node_args: [--inspect]', '33 apps.a.node_args: has no effect on a command'],
    ['module: m.mjs, scale: { headroom: 2 }', '30 apps.a.scale: has no effect: the size is fixed'],
    ['script: s.mjs, port: 80, workers: 3, scale: {}', '52 apps.a.scale: has no effect: the size is fixed'],
    ['module: m.mjs, workers: { min: 2, max: 2 }, scale: {}', '59 apps.a.scale: has no effect: the size is fixed'],
    ['command: [x], workers: { min: 2, max: 4 }', '31 apps.a.workers: a command stays at `min` (2) until it is scaled'],
    ['kind: http, command: [x], port: 80, limits: { heap: 1GiB }', '60 apps.a.limits.heap: has no effect on a command'],
  ])('%s', (app, warning) => {
    const { warnings } = load(`apps:\n  a: { ${app} }\n`);
    expect(warnings).toEqual([expect.stringContaining(`supervisor.yaml:2:${warning}`)]);
  });

  it.each([
    'module: m.mjs, workers: { min: 0 }, scale: { headroom: 2 }',
    'script: s.mjs, port: 80, workers: { min: 1, max: 2 }, scale: {}',
    'script: s.mjs, port: 80, limits: { heap: 1GiB }',
    'command: [x], workers: { min: 2, max: 2 }',
  ])('and not of %s', (app) => {
    expect(load(`apps:\n  a: { ${app} }\n`).warnings).toEqual([]);
  });
});
