import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ALIAS_NAMES } from '../../src/config/aliases.js';
import { APP_SCHEMAS } from '../../src/config/app-schema.js';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { keyPaths } from '../../src/config/keys.js';
import { fileSchema } from '../../src/config/schema.js';
import { problemsOf } from './support.js';

// A dependency of fastify: the one validator that is installed anyway.
const { Ajv2020 } = createRequire(createRequire(import.meta.url).resolve('fastify'))('ajv/dist/2020.js');
const schema = configJsonSchema();
const validate = new Ajv2020({ strict: false }).compile(schema);

const GOOD = [
  'apps: {}',
  'apps: { a: { module: m.mjs } }',
  'apps: { a: { kind: model, versions: { v1: { module: m.mjs, options: { x: [1] } } }, workers: { min: 0, max: max } } }',
  'apps: { a: { script: s.mjs, port: 80, workers: max, ready: { probe: "tcp://127.0.0.1:80" } } }',
  'apps: { a: { command: [node, 1, true], env: { A: 1, B: x, C: false }, restart: { retry_after: 0 } } }',
  'apps: { a: { command: [x], stop: { grace: 1h30m }, recycle: { jitter: 12.5%, max_memory: 1.5 GiB, max_age: null } } }',
  'apps: { a: { command: [x] }, b: { command: [x], depends_on: [a] }, c: { command: [x], depends_on: { a: started } } }',
  'apps: {}\nlog: { level: silent, format: plain, rotate: { size: 1M, keep: 0 } }\ncontrol: { port: 0, auth: none }\n',
  'apps: {}\nlimits: { memory: auto, cpu: 0.5, gpu_memory: 8GiB }\nsensing: { interval: 250ms }\n',
  'apps: {}\npressure: { medium: 1000MiB, high: 3000MiB, critical: 3500.5 MB, cleanup: 12.5%, adaptive: true }\n',
  'apps: {}\ncpu: { moderate: 1%, high: 2%, critical: 100% }\nplugins: [m.mjs]\n',
  'apps: { a: { module: m.mjs, workers: { max: 3 }, scale: { headroom: 0, target: 0.5, up_cooldown: 0 } } }',
  'apps: { a: { module: m.mjs, leak: { window: 1m, min_growth: 10KiB, recycle: true }, limits: { heap: 16MiB, memory: null } } }',
  'apps: { a: { command: [x], leak: { recycle: true }, limits: { memory: 1GiB } } }',
  'apps: {}\nmodels: { max_loaded: auto, cold_start: lazy, ttl: null, failure_cooldown: 0, predictive: { window: 7d } }\n',
  'apps: {}\nunloading: { enabled: false, strategy: conservative, balanced: 1m, min_savings: 0B, order: lru }\n',
  'plugins: [s.mjs]\nunloading: { strategy: nightly }\napps: { a: { module: m.mjs, unload: { strategy: null, preference: keep, requires: [b] } }, b: { module: m.mjs } }',
  'apps: { a: { versions: { v1: { module: m.mjs, weight: 2.5 } }, default: v1, version_policy: [v1] } }',
  'apps: { a: { module: m.mjs, version_policy: { latest: 2 }, routing: { strategy: round_robin } } }',
  'apps: { a: { module: m.mjs, version_policy: all, routing: { strategy: consistent_hash, key: "header:x" } } }',
  'apps: { a: { module: m.mjs, workers: { min: 0 }, scale: { to_zero_after: 5m }, queue: { ageing: 0, shedding: false } } }',
  'apps: { a: { module: m.mjs, batching: { preferred: [1, 8] }, health: { interval: 1m, max_ejected: 10% } } }',
];

const BAD = [
  'apps: 5',
  'version: 1',
  'apps: {}\nversion: 2',
  'apps: {}\nzz: 1',
  'apps: { "../x": { command: [x] } }',
  'apps: { a: { kind: modle, module: m.mjs } }',
  'apps: { a: { command: [] } }',
  'apps: { a: { script: s.mjs } }',
  'apps: { a: { kind: model } }',
  'apps: { a: { module: m.mjs, script: s.mjs } }',
  'apps: { a: { module: m.mjs, concurrency: 1.5 } }',
  'apps: { a: { command: [x], concurrency: 1 } }',
  'apps: { a: { command: [x], stop: { grace: 30 } } }',
  'apps: { a: { command: [x], stop: { grace: 30x } } }',
  'apps: { a: { command: [x], recycle: { max_memory: 300 } } }',
  'apps: { a: { command: [x], recycle: { max_requests: 3 } } }',
  'apps: { a: { script: s.mjs, port: 99999 } }',
  'apps: { a: { command: [x], workers: { min: 0 } } }',
  'apps: {}\nlimits: { memory: 300 }',
  'apps: {}\nlimits: { cpu: 0 }',
  'apps: {}\nlimits: { cpu: two }',
  'apps: {}\nlimits: { nofile: 3 }',
  'apps: {}\nsensing: { interval: 1 }',
  'apps: {}\npressure: { high: 70 }',
  'apps: {}\npressure: { high: 0.7 }',
  'apps: {}\npressure: { adaptive: 1 }',
  'apps: {}\ncpu: { high: 0.8 }',
  'apps: {}\nplugins: m.mjs',
  'apps: { a: { module: m.mjs, scale: { headroom: -1 } } }',
  'apps: { a: { module: m.mjs, scale: { target: 0 } } }',
  'apps: { a: { module: m.mjs, leak: { min_growth: 1 } } }',
  'apps: { a: { module: m.mjs, limits: { memory: auto } } }',
  'apps: { a: { command: [x], scale: { headroom: 1 } } }',
  'apps: { a: { command: [x], limits: { heap: 64MiB } } }',
  'apps: {}\nmodels: { max_loaded: 0 }',
  'apps: {}\nmodels: { ttl: 30 }',
  'apps: {}\nunloading: { strategy: 3 }',
  'apps: { a: { versions: { v1: { module: m.mjs, weight: -1 } } } }',
  'apps: { a: { module: m.mjs, version_policy: latest } }',
  'apps: { a: { module: m.mjs, routing: { key: x-user } } }',
  'apps: { a: { module: m.mjs, batching: { preferred: 8 } } }',
  'apps: { a: { script: s.mjs, port: 80, health: { interval: 1m } } }',
  'apps: { a: { script: s.mjs, port: 80, routing: { strategy: round_robin } } }',
];

describe('the published schema', () => {
  it.each(GOOD)('and the loader accept %s', (yaml) => {
    expect(problemsOf(yaml)).toEqual([]);
    expect([validate(parse(yaml)), validate.errors]).toEqual([true, null]);
  });

  it.each(BAD)('and the loader refuse %s', (yaml) => {
    expect(problemsOf(yaml)).not.toEqual([]);
    expect(validate(parse(yaml))).toBe(false);
  });

  it('describes every key and allows no other', () => {
    const open: [path: string, node: Record<string, unknown>][] = [['', schema]];
    let keys = 0;
    for (const [path, node] of open) {
      const properties = (node.properties ?? {}) as Record<string, Record<string, unknown>>;
      if (node.properties) expect(node.additionalProperties, path).toBe(false);
      for (const [key, child] of Object.entries(properties)) {
        keys++;
        expect(child.description, `${path}.${key}`).toMatch(/\w/);
        open.push([`${path}.${key}`, child]);
      }
      for (const branch of [...((node.anyOf ?? []) as Record<string, unknown>[]), node.additionalProperties]) {
        if (typeof branch === 'object' && branch !== null) open.push([path, branch as Record<string, unknown>]);
      }
    }
    expect(keys).toBeGreaterThan(100);
  });
});

it('shows the defaults of resources as they are written', () => {
  const { limits, sensing, pressure, cpu } = schema.properties as Record<string, { properties: object }>;
  const defaults = ({ properties }: { properties: object }) =>
    Object.fromEntries(Object.entries(properties).map(([key, node]) => [key, node.default]));
  expect([limits, sensing, pressure, cpu].map((node) => defaults(node!))).toEqual([
    { memory: 'auto', cpu: 'auto', gpu_memory: 'auto' },
    { interval: '1s' },
    {
      medium: '50%',
      high: '70%',
      critical: '85%',
      cleanup: '80%',
      recycle: '90%',
      emergency: '95%',
      adaptive: false,
    },
    { moderate: '70%', high: '85%', critical: '95%' },
  ]);
});

describe('docs/configuration.md', () => {
  const text = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

  it.each(
    [...new Set([fileSchema, ...Object.values(APP_SCHEMAS)].flatMap((part) => keyPaths(part)))].map(
      (path) => `\`${path}\``,
    ),
  )('has a row for %s', (row) => {
    expect(text).toContain(`| ${row} |`);
  });

  it.each(ALIAS_NAMES)('names the alias %s', (name) => expect(text).toContain(`\`${name}\``));
});
