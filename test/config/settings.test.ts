import { describe, expect, it } from 'vitest';
import { keyValues, splitKey, whyNoKey } from '../../src/config/settings.js';

const ROOT = {
  apps: {
    m: { versions: { v1: { module: 'm.mjs' }, 'v1.5': { module: 'm.mjs' } } },
    'm.x': { module: 'm.mjs' },
    job: { command: ['x'] },
  },
};

describe('splitKey', () => {
  it.each([
    ['unloading.strategy', ['unloading', 'strategy']],
    ['log', ['log']],
    ['apps.m.unload.strategy', ['apps', 'm', 'unload', 'strategy']],
    ['apps.m.x.timeout', ['apps', 'm.x', 'timeout']],
    ['apps.m.versions.v1.5.unload.strategy', ['apps', 'm', 'versions', 'v1.5', 'unload', 'strategy']],
    ['apps.m.versions.v1.unload.strategy', ['apps', 'm', 'versions', 'v1', 'unload', 'strategy']],
    ['apps.nope.timeout', ['apps', 'nope', 'timeout']],
    ['nope.a.b', ['nope', 'a', 'b']],
    ['unloading.', ['unloading', '']],
    ['a..b', ['a', '', 'b']],
    ['', ['']],
  ])('%j is %j', (dotted, steps) => {
    expect(splitKey(dotted, ROOT)).toEqual(steps);
  });
});

describe('keyValues', () => {
  it('takes maps apart as far as there are keys, and leaves lists and maps of names to their key', () => {
    const value = {
      unloading: { strategy: 'aggressive', balanced: '5m' },
      apps: {
        m: { workers: { min: 0, max: 2 }, unload: { requires: ['job'] }, depends_on: { job: 'started' } },
        nope: { timeout: '1s' },
      },
      zzz: { a: 1 },
    };
    expect(Object.entries(value).flatMap(([key, each]) => keyValues({ path: [key], value: each }, ROOT))).toEqual([
      { path: ['unloading', 'strategy'], value: 'aggressive' },
      { path: ['unloading', 'balanced'], value: '5m' },
      { path: ['apps', 'm', 'workers', 'min'], value: 0 },
      { path: ['apps', 'm', 'workers', 'max'], value: 2 },
      { path: ['apps', 'm', 'unload', 'requires'], value: ['job'] },
      { path: ['apps', 'm', 'depends_on'], value: { job: 'started' } },
      { path: ['apps', 'nope'], value: { timeout: '1s' } },
      { path: ['zzz'], value: { a: 1 } },
    ]);
  });

  it('leaves what is no map where a map should be to the one who reads it', () => {
    expect(keyValues({ path: ['unloading'], value: null }, ROOT)).toEqual([{ path: ['unloading'], value: null }]);
    expect(keyValues({ path: ['apps', 'm', 'workers'], value: 3 }, ROOT)).toEqual([
      { path: ['apps', 'm', 'workers'], value: 3 },
    ]);
  });
});

describe('whyNoKey', () => {
  it.each([
    [['unloading', 'strategy'], null],
    [['unloading'], null],
    [[], null],
    [['apps', 'm', 'versions', 'v1', 'unload', 'strategy'], null],
    [['unloading', 'stratgy'], 'unloading.stratgy: unknown key, did you mean `strategy`?'],
    [['apps', 'zoo'], 'apps.zoo: there is no such app'],
    [['apps', 'jobs'], 'apps.jobs: there is no such app, did you mean `job`?'],
    [['apps', 'job', 'queue', 'max'], 'apps.job.queue: unknown key'],
    [['unloading', 'strategy', 'x'], 'unloading.strategy.x: unknown key'],
    [['apps', '__proto__'], 'apps.__proto__: there is no such app'],
  ])('%j: %j', (steps, why) => {
    expect(whyNoKey(steps, ROOT)).toBe(why);
  });
});
