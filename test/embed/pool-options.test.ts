import path from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { type ModelPoolOptions, readPoolOptions } from '../../src/embed/pool-options.js';
import { isAsk, readAsk } from '../../src/embed/pool-request.js';
import { folderWith, refusal } from '../config/support.js';

const read = (options: unknown) => readPoolOptions(options as ModelPoolOptions).config;
const problems = (options: unknown) => refusal(() => read(options));

describe('options of a pool', () => {
  it('mean what the same keys mean in a file', () => {
    const model = {
      module: 'm.mjs',
      workers: { min: 0, max: 3 },
      isolation: 'thread',
      timeout: '2s',
      batching: { max_size: 8, preferred: [4, 2] },
      routing: { strategy: 'consistent_hash', key: 'header:X-Shop' },
      env: { LEVEL: 'high' },
      options: { threshold: 0.5 },
    };
    const other = { versions: { v2: { module: 'm.mjs', weight: 3 }, v1: { module: 'm.mjs' } }, default: 'v1' };
    const box = { limits: { memory: '1GiB' }, models: { max_loaded: 2 }, unloading: { strategy: 'aggressive' } };
    const yaml = stringify({ ...box, inference: { default_model: 'a' }, apps: { a: model, b: other } });
    const dir = folderWith({ 'm.mjs': '', 'supervisor.yaml': yaml });
    const file = loadConfig(path.join(dir, 'supervisor.yaml'), { env: {} }).config;
    const pool = read({ dir, box, default_model: 'a', models: { a: model, b: other } });
    const { apps, limits, models, unloading, inference } = file;
    expect(pool).toMatchObject({ apps, limits, models, unloading, inference, dir });
  });

  it('of one model stand at the top', () => {
    const dir = folderWith({ 'm.mjs': '' });
    expect(read({ dir, module: 'm.mjs' }).apps).toMatchObject([{ name: 'model', kind: 'model' }]);
    const named = { dir, name: 'intents', module: 'm.mjs', workers: undefined, log: null };
    expect(read(named).apps).toMatchObject([{ name: 'intents', workers: { min: 1, max: 1 } }]);
  });

  it('take file URLs for modules', () => {
    const file = path.join(folderWith({ 'm.mjs': '' }), 'm.mjs');
    const url = pathToFileURL(file);
    for (const options of [
      { module: url },
      { module: url.href },
      { versions: { v1: { module: url } } },
      { models: { a: { module: url } } },
    ])
      expect(read(options).apps).toMatchObject([{ versions: [{ version: 'v1', module: file }] }]);
    expect(problems({ module: new URL('https://example.org/m.mjs') })[0]).toBe(
      'createModelPool: module: The URL must be of scheme file',
    );
  });

  it('hand on what a model is given as it is, but for functions', () => {
    const dir = folderWith({ 'm.mjs': '' });
    const options = { weights: new Float32Array([1]), since: new Date(0), deep: { list: [1, { a: null }] } };
    expect(read({ dir, module: 'm.mjs', options }).apps).toMatchObject([{ versions: [{ options }] }]);
    expect(problems({ dir, module: 'm.mjs', options: { a: [() => {}], b: 1n } })).toEqual([
      "createModelPool: options.a[0]: a function can't be part of a configuration",
      "createModelPool: options.b: a bigint can't be part of a configuration",
    ]);
    const round: Record<string, unknown> = {};
    round.round = round;
    expect(problems({ dir, module: 'm.mjs', options: round })[0]).toContain('is nested more than 64 levels deep');
  });

  it('are refused by the names that they have there', () => {
    const dir = folderWith({ 'm.mjs': '' });
    const of = (options: object) => problems({ dir, ...options }).map((line) => line.replace('createModelPool: ', ''));
    expect(of({ module: 'm.mjs', concurency: 2 })).toEqual(['concurency: unknown key, did you mean `concurrency`?']);
    expect(of({ module: 'm.mjs', script: 's.mjs' })).toEqual(['script: is no key of a model in a pool']);
    expect(of({ module: 'm.mjs', name: 7 })).toEqual(['name: must be text']);
    expect(of({ module: 'm.mjs', box: { cache: 1 } })).toEqual([expect.stringMatching(/^box\.cache: unknown key/)]);
    expect(of({})).toEqual([expect.stringMatching(/^module: is missing/)]);
    expect(of({ models: [] })).toEqual([expect.stringMatching(/^models: must be a map/)]);
    expect(of({ models: { a: { module: 'm.mjs', timeout: '1x' } } })).toEqual([
      expect.stringMatching(/^models\.a\.timeout: /),
    ]);
    expect(of({ models: { a: { module: 'm.mjs' } }, name: 'a' })).toEqual([expect.stringMatching(/^name: /)]);
  });

  it('of any form are read or refused, and never anything else', () => {
    const keys = fc.constantFrom(
      'module',
      'models',
      'name',
      'workers',
      'box',
      'versions',
      'log',
      'default_model',
      'dir',
      'x',
    );
    fc.assert(
      fc.property(fc.dictionary(keys, fc.anything({ maxDepth: 3 })), (options) => void problems(options)),
      {
        numRuns: 500,
      },
    );
  });
});

describe('what is said with a prediction', () => {
  it('is read with its units', () => {
    expect(readAsk({})).toMatchObject({ model: null, version: null, priority: 0, timeoutMs: null, user: null });
    expect(readAsk({ timeout: 1.5 }).timeoutMs).toBe(1500);
    expect(readAsk({ timeout: '250ms' }).timeoutMs).toBe(250);
    const { signal } = new AbortController();
    expect(readAsk({ model: 'a', version: 'v2', priority: -1, user: 'ann', sticky: 'x', signal })).toEqual({
      model: 'a',
      version: 'v2',
      priority: -1,
      timeoutMs: null,
      user: 'ann',
      sticky: 'x',
      signal,
    });
  });

  it.each([
    { timeout: 0 },
    { timeout: -1 },
    { timeout: Number.NaN },
    { timeout: '5' },
    { timeout: true },
    { priority: '5' },
    { model: '' },
    { user: 7 },
    { signal: {} },
    { prority: 5 },
  ])('is refused where it makes no sense: %o', (options) => {
    const [key] = Object.keys(options);
    expect(() => readAsk(options as never)).toThrow(new RegExp(`'${key}'`));
  });

  it('is told from an input by its keys', () => {
    expect([{ inputs: 1 }, { inputs: undefined, timeout: 5 }].map(isAsk)).toEqual([true, true]);
    expect([{ inputs: 1, text: 2 }, { input: 1 }, [], null, 'inputs'].map(isAsk)).toEqual(Array(5).fill(false));
  });
});
