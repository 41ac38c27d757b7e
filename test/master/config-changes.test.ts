import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { APP_SCHEMAS } from '../../src/config/app-schema.js';
import { diffApp, isInPlace } from '../../src/config/diff.js';
import { keyPaths } from '../../src/config/keys.js';
import { fileSchema } from '../../src/config/schema.js';
import { SupError } from '../../src/errors.js';
import { ConfigChanges } from '../../src/master/config-changes.js';
import { ConfigFiles } from '../../src/master/config-files.js';
import { Configs } from '../../src/master/configs.js';
import type { Override } from '../../src/master/overrides.js';
import type { Entry } from '../../src/master/registry.js';

const TIME = '2026-01-02T03:04:05.000Z';
const YAML = `project: shop
unloading: { strategy: balanced }
plugins: [p.mjs]
apps:
  m: { module: m.mjs, workers: { min: 0, max: 2 }, env_file: .env }
  two:
    versions: { v1: { module: m.mjs }, v1.5: { module: m.mjs, weight: 10 } }
    workers: { min: 0, max: 1 }
  web: { script: s.mjs, port: 8080, workers: 2 }
`;

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'changes-'));
  file = path.join(dir, 'supervisor.yaml');
  for (const name of ['m.mjs', 's.mjs', 'p.mjs']) writeFileSync(path.join(dir, name), '');
  writeFileSync(path.join(dir, '.env'), 'PASSWORD=hunter2\n');
  writeFileSync(file, YAML);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What a master does with files and changes, with apps that are their configurations and nothing else. */
class Box {
  readonly decisions: string[] = [];
  readonly adjusted: string[] = [];
  /** State written so far. */
  kept: Record<string, readonly Override[]>;
  strategies: string[] = [];
  readonly changes: ConfigChanges;
  readonly #entries: Entry[] = [];
  readonly files: ConfigFiles;
  readonly configs = new Configs(() => new Set(this.#entries.map((entry) => entry.file)));

  constructor(kept: Record<string, readonly Override[]> = {}, env: NodeJS.ProcessEnv = {}) {
    this.kept = kept;
    this.files = new ConfigFiles({
      env,
      configs: this.configs,
      overrides: kept,
      apps: () => this.#entries,
      dropped: ({ override, why }) => this.decisions.push(`drop ${override.path.join('.')}: ${why}`),
    });
    this.changes = new ConfigChanges({
      registry: {
        entries: this.#entries,
        get: (name) => this.#entries.find(({ app }) => app.name === name),
        toAdjust: (before, after) =>
          after.apps.flatMap((own) => {
            const former = before.apps.find(({ name }) => name === own.name)!;
            const entry = this.#entries.find((one) => one.file === after.file && one.configName === own.name)!;
            expect(isInPlace(former, own)).toBe(true);
            return diffApp(former, own) === 'same' ? [] : [{ entry, next: own }];
          }),
        adjust: async (entry, next) => {
          this.adjusted.push(entry.app.name);
          Object.assign(entry.app, { config: next });
        },
      },
      configs: this.configs,
      files: this.files,
      now: () => TIME,
      strategies: () => this.strategies,
      decided: (subject, policy, { action, numbers }) =>
        this.decisions.push(`${policy} ${subject} ${action} ${numbers.key}: ${numbers.before} → ${numbers.after}`),
      adopted: () => this.#settle(),
    });
  }

  apply(from = file): string[] {
    const read = this.files.read(from);
    for (const config of read.config.apps) {
      const old = this.#entries.find((one) => one.file === from && one.configName === config.name);
      const taken = !old && this.#entries.some(({ app }) => app.name === config.name);
      const name = taken ? `${read.config.project}.${config.name}` : (old?.app.name ?? config.name);
      if (old) Object.assign(old.app, { config });
      else this.#entries.push({ app: { name, config }, file: from, configName: config.name } as Entry);
    }
    this.files.applied(read);
    this.#settle();
    return read.warnings;
  }

  remove(name: string): void {
    this.#entries.splice(
      this.#entries.findIndex(({ app }) => app.name === name),
      1,
    );
    this.#settle();
  }

  patch(values: Record<string, unknown>) {
    return this.changes.patch(Object.entries(values).map(([key, value]) => ({ path: [key], value })));
  }

  /** @returns the error's code and its problems, or its message */
  async refusal(values: Record<string, unknown>): Promise<unknown[]> {
    const error: unknown = await this.patch(values).catch((thrown: unknown) => thrown);
    if (!(error instanceof SupError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
    return [error.code, ...((error.data.problems as string[] | undefined) ?? [error.message])];
  }

  origin(key: string): unknown {
    const found = this.changes.report().origins[key];
    return found && [found.value, found.origin.replace(`${dir}/`, '')];
  }

  configOf(name: string): unknown {
    return this.#entries.find(({ app }) => app.name === name)?.app.config;
  }

  #settle(): void {
    this.files.forgetGone();
    // As it comes back from the disk.
    this.kept = JSON.parse(JSON.stringify(this.files.kept));
  }
}

function started(): Box {
  const box = new Box();
  box.apply();
  return box;
}

describe('a change', () => {
  it('is in force at once, is told with both values, and is decided upon once', async () => {
    const box = started();
    expect(
      await box.patch({ 'unloading.strategy': 'aggressive', apps: { m: { unload: { preference: 'keep' } } } }),
    ).toEqual({
      changed: [
        { key: 'unloading.strategy', before: 'balanced', after: 'aggressive' },
        { key: 'apps.m.unload.preference', before: null, after: 'keep' },
      ],
      warnings: [],
    });
    expect(box.origin('unloading.strategy')).toEqual(['aggressive', `run time ${TIME}`]);
    expect(box.configs.ruling().ruling?.unloading.strategy).toBe('aggressive');
    expect(box.configOf('m')).toMatchObject({
      versions: [{ unload: { preference: 'keep' } }],
      env: { PASSWORD: 'hunter2' },
    });
    expect(box.adjusted).toEqual(['m']);
    expect(box.decisions).toEqual([
      'config supervisor set unloading.strategy: balanced → aggressive',
      'config m set apps.m.unload.preference: null → keep',
    ]);
  });

  it('is of one version where it names one, whose name may hold a dot', async () => {
    const box = started();
    await box.changes.patch([{ path: ['apps', 'two', 'versions', 'v1.5', 'unload', 'preference'], value: 'evict' }]);
    await box.patch({ 'apps.two.versions.v1.5.weight': 20 });
    expect(box.configOf('two')).toMatchObject({
      versions: [
        { version: 'v1', unload: { preference: null } },
        { version: 'v1.5', weight: 20, unload: { preference: 'evict' } },
      ],
    });
    expect(box.origin('apps.two.versions.v1.5.weight')).toEqual([20, `run time ${TIME}`]);
  });

  it('of a shorter form takes the place of what was changed in it', async () => {
    const box = started();
    await box.patch({ 'apps.m.workers.max': 4 });
    expect(await box.patch({ 'apps.m.workers': 3 })).toEqual({
      changed: [{ key: 'apps.m.workers', before: { min: 0, max: 4 }, after: { min: 3, max: 3 } }],
      warnings: [],
    });
    await box.patch({ 'apps.m.workers.min': 1 });
    expect(box.configOf('m')).toMatchObject({ workers: { min: 1, max: 3 } });
  });

  it('warns of what the file was not warned of before', async () => {
    const box = started();
    await box.patch({ 'apps.m.workers.min': 1 });
    expect((await box.patch({ 'apps.m.unload.preference': 'keep' })).warnings).toEqual([
      expect.stringMatching(/^run-time change apps\.m\.unload\.preference: has no effect/),
    ]);
    expect((await box.patch({ 'apps.m.timeout': '5s' })).warnings).toEqual([]);
  });

  it('takes a strategy that a plug-in has registered, and no other', async () => {
    const box = started();
    const known = '`aggressive`, `balanced`, `conservative`';
    expect(await box.refusal({ 'unloading.strategy': 'nightly' })).toEqual([
      'SUP_CONFIG_INVALID',
      `run-time change unloading.strategy: must be one of ${known}, not \`nightly\`; no plug-in has registered another`,
    ]);
    box.strategies = ['nightly'];
    await box.patch({ 'unloading.strategy': 'nightly', 'apps.m.unload.strategy': 'nightly' });
    // Before its plug-in is there, its name is taken as it is.
    const next = new Box(box.kept);
    expect(next.apply()).toEqual([]);
    expect(next.origin('apps.m.unload.strategy')).toEqual(['nightly', `run time ${TIME}`]);
  });

  it('needs a configuration', async () => {
    expect(await new Box().refusal({ 'unloading.strategy': 'aggressive' })).toEqual([
      'SUP_CONFLICT',
      'no configuration is in force: start one first',
    ]);
  });
});

describe('a refused change', () => {
  it.each<[values: Record<string, unknown>, code: string, problems: string[]]>([
    [
      { 'unloading.stratgy': 'x', 'unloading.max_per_cycle': 0, 'unloading.strategy': 'aggressive' },
      'SUP_CONFIG_INVALID',
      [
        'run-time change unloading.max_per_cycle: must be at least 1, not `0`',
        'run-time change unloading.stratgy: unknown key, did you mean `strategy`?',
      ],
    ],
    [
      { 'unloading.check_interval': 60 },
      'SUP_CONFIG_INVALID',
      ['run-time change unloading.check_interval: `60` has no unit: write 60s or 60ms'],
    ],
    [
      { lazy_loading_unloading_strategy: 'BALANCED' },
      'SUP_CONFIG_INVALID',
      ['run-time change lazy_loading_unloading_strategy: unknown key, did you mean `unloading.strategy`?'],
    ],
    [{ unloading: 3 }, 'SUP_CONFIG_INVALID', ['run-time change unloading: must be a map of keys, not `3`']],
    [{ '': 3 }, 'SUP_CONFIG_INVALID', ['run-time change [""]: unknown key']],
    [
      { unloading: { strategy: 'aggressive' }, 'unloading.strategy': 'conservative' },
      'SUP_CONFIG_INVALID',
      ['run-time change unloading.strategy: is there twice'],
    ],
    [
      { 'apps.n.timeout': '5s' },
      'SUP_CONFIG_INVALID',
      ['run-time change apps.n: there is no such app, did you mean `m`?'],
    ],
    [{ 'apps.m': 3 }, 'SUP_CONFIG_INVALID', ['run-time change apps.m: must be a map of keys']],
    [{ apps: 3 }, 'SUP_CONFIG_INVALID', ['run-time change apps: must be a map of keys']],
    [
      { 'apps.web.unload.preference': 'keep' },
      'SUP_CONFIG_INVALID',
      ['run-time change apps.web.unload: belongs to kind `model`, and this app is of kind `http`'],
    ],
    [
      { 'apps.m.unload.requires': ['web', 'm'] },
      'SUP_CONFIG_INVALID',
      [
        'run-time change apps.m.unload.requires[0]: is not a model app, did you mean `two`?',
        'run-time change apps.m.unload.requires[1]: a model cannot require itself',
      ],
    ],
    [
      { 'apps.m.unload.requires': ['two'], 'apps.two.unload.requires': ['m'] },
      'SUP_CONFIG_INVALID',
      ['run-time change apps.m.unload.requires: is a circle: m → two → m'],
    ],
    [
      { 'apps.m.isolation': 'thread', 'apps.m.timeout': '5s' },
      'SUP_CONFLICT',
      ['apps.m.isolation: it needs new workers; edit the file and reload'],
    ],
    [
      { 'apps.two.versions.v9.module': 'm.mjs' },
      'SUP_CONFLICT',
      ['apps.two.versions.v9.module: it needs new workers; edit the file and reload'],
    ],
    [
      { 'control.port': 9800 },
      'SUP_CONFLICT',
      ['control.port: a listener would have to be opened anew; edit the file and reload'],
    ],
    [{ project: 'other' }, 'SUP_CONFLICT', ['project: the names of apps are made of it; edit the file and reload']],
    [{ plugins: [] }, 'SUP_CONFLICT', ['plugins: plug-ins are loaded with their file; edit the file and reload']],
    [
      { 'apps.m.env.PASSWORD': 'hunter3' },
      'SUP_CONFLICT',
      ['apps.m.env.PASSWORD: it needs new workers; edit the file and reload'],
    ],
    [{ 'apps.m.env_file': [] }, 'SUP_CONFLICT', ['apps.m.env_file: it needs new workers; edit the file and reload']],
    [{ unloading: {} }, 'SUP_BAD_REQUEST', ['there is nothing to change: name a key and its value']],
  ])('%j', async (values, code, problems) => {
    const box = started();
    const before = [box.changes.report(), box.kept];
    expect(await box.refusal(values)).toEqual([code, ...problems]);
    expect([box.changes.report(), box.kept]).toEqual(before);
    expect([box.adjusted, box.decisions]).toEqual([[], []]);
  });

  it.each([['__proto__'], ['constructor']])('%s as a key', async (key) => {
    const box = started();
    for (const steps of [
      [key, 'polluted'],
      ['unloading', key, 'polluted'],
      ['apps', key, 'timeout'],
    ])
      await expect(box.changes.patch([{ path: steps, value: true }])).rejects.toMatchObject({
        code: 'SUP_CONFIG_INVALID',
      });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('resetting', () => {
  it('takes back one key, all below a key, or everything', async () => {
    const box = started();
    const set = () =>
      box.patch({
        'unloading.strategy': 'aggressive',
        'unloading.balanced': '5m',
        'apps.m.timeout': '5s',
        'apps.web.namespace': 'x',
      });
    await set();
    expect(await box.changes.reset(['unloading.strategy'])).toEqual({
      changed: [{ key: 'unloading.strategy', before: 'aggressive', after: 'balanced' }],
      warnings: [],
    });
    expect(box.origin('unloading.balanced')).toEqual(['5m', `run time ${TIME}`]);
    expect((await box.changes.reset(['apps'])).changed.map(({ key }) => key)).toEqual([
      'apps.m.timeout',
      'apps.web.namespace',
    ]);
    expect(box.configOf('m')).toMatchObject({ timeoutMs: 30_000 });
    await set();
    expect((await box.changes.reset(null)).changed).toHaveLength(4);
    expect(box.kept).toEqual({});
    expect(await box.changes.reset(null)).toEqual({ changed: [], warnings: [] });
  });

  it('knows which keys there are', async () => {
    const box = started();
    expect((await box.changes.reset(['apps.m.timeout'])).changed).toEqual([]);
    await expect(box.changes.reset(['apps.m.timeot'])).rejects.toMatchObject({
      code: 'SUP_BAD_REQUEST',
      message: 'apps.m.timeot: unknown key, did you mean `timeout`?',
    });
  });

  it('is refused where what remains does not go together', async () => {
    const box = started();
    await box.patch({ 'apps.m.batching': { max_size: 64, preferred: [64] } });
    await expect(box.changes.reset(['apps.m.batching.max_size'])).rejects.toMatchObject({ code: 'SUP_CONFIG_INVALID' });
    expect((await box.changes.reset(['apps.m.batching'])).changed).toHaveLength(2);
  });
});

describe('what is kept', () => {
  it('is in force again when another master applies the same file, whatever the environment says', async () => {
    const box = started();
    await box.patch({ 'unloading.strategy': 'aggressive', 'apps.m.timeout': '5s' });
    const next = new Box(box.kept, { SUPERVISOR__UNLOADING__STRATEGY: 'conservative' });
    expect(next.apply()).toEqual([]);
    expect(next.origin('unloading.strategy')).toEqual(['aggressive', `run time ${TIME}`]);
    expect(next.configOf('m')).toMatchObject({ timeoutMs: 5000, env: { PASSWORD: 'hunter2' } });
    await next.changes.reset(null);
    expect(next.origin('unloading.strategy')).toEqual(['conservative', 'environment SUPERVISOR__UNLOADING__STRATEGY']);
    expect(JSON.stringify(box.kept)).not.toContain('hunter2');
  });

  it('ends when the file says something else there, with a notice', async () => {
    const box = started();
    await box.patch({ 'unloading.strategy': 'aggressive', 'apps.m.timeout': '5s' });
    writeFileSync(file, YAML.replace('balanced', 'conservative'));
    // Not before it is read again.
    await box.patch({ 'unloading.balanced': '5m' });
    expect(box.origin('unloading.strategy')).toEqual(['aggressive', `run time ${TIME}`]);
    expect(box.apply()).toEqual([
      `unloading.strategy: the file says conservative there now, so the change to aggressive at run time (${TIME}) is over`,
    ]);
    expect(box.origin('unloading.strategy')).toEqual(['conservative', 'supervisor.yaml:2:24']);
    expect(box.origin('apps.m.timeout')).toEqual(['5s', `run time ${TIME}`]);
    expect(box.decisions.at(-1)).toBe('drop unloading.strategy: the file says conservative there now');
    expect(box.apply()).toEqual([]);
  });

  it('goes with its app, and with the last app of its file', async () => {
    const box = started();
    await box.patch({ 'apps.m.timeout': '5s', 'unloading.strategy': 'aggressive' });
    box.remove('m');
    expect(box.kept[file]?.map((override) => override.path.join('.'))).toEqual(['unloading.strategy']);
    expect(box.origin('apps.m.timeout')).toBeUndefined();
    for (const name of ['two', 'web']) box.remove(name);
    expect(box.kept).toEqual({});
  });

  it('waits for files that are not applied yet', async () => {
    const box = started();
    await box.patch({ 'apps.m.timeout': '5s' });
    const other = path.join(dir, 'other.yaml');
    writeFileSync(other, 'project: other\napps: { job: { command: [x] } }\n');
    const next = new Box(box.kept);
    next.apply(other);
    expect(next.kept).toEqual(box.kept);
    next.apply();
    expect(next.origin('apps.m.timeout')).toEqual(['5s', `run time ${TIME}`]);
  });
});

it('knows apps of several files by the names that they go by, and the box by the file that rules', async () => {
  const box = started();
  const other = path.join(dir, 'other.yaml');
  writeFileSync(other, 'project: other\nunloading: { strategy: conservative }\napps: { m: { module: m.mjs } }\n');
  box.apply(other);
  await box.patch({ 'apps.other.m.timeout': '7s', 'unloading.strategy': 'aggressive', 'apps.m.timeout': '5s' });
  expect(box.origin('apps.m.timeout')).toEqual(['5s', `run time ${TIME}`]);
  expect(box.origin('apps.other.m.timeout')).toEqual(['7s', `run time ${TIME}`]);
  const kept = (from: string) => box.kept[from]?.map((override) => override.path.join('.'));
  // The first file says of the box what is standard anyway.
  expect([kept(file), kept(other)]).toEqual([['apps.m.timeout'], ['apps.m.timeout', 'unloading.strategy']]);
  expect(box.origin('unloading.strategy')).toEqual(['aggressive', `run time ${TIME}`]);
  expect((await box.changes.reset(['apps.other.m'])).changed).toEqual([
    { key: 'apps.other.m.timeout', before: '7s', after: '30s' },
  ]);
  expect(box.origin('apps.m.timeout')).toEqual(['5s', `run time ${TIME}`]);
});

it('keeps the file that rules the box, also where a change makes it say what is standard', async () => {
  const box = new Box();
  const [first, second] = ['first', 'second'].map((name) => path.join(dir, `${name}.yaml`)) as [string, string];
  writeFileSync(first, 'project: one\nunloading: { strategy: conservative }\napps: { a: { module: m.mjs } }\n');
  writeFileSync(second, 'project: two\nunloading: { strategy: aggressive }\napps: { b: { module: m.mjs } }\n');
  for (const each of [first, second]) box.apply(each);
  await box.patch({ 'unloading.strategy': 'balanced' });
  expect(box.origin('unloading.strategy')).toEqual(['balanced', `run time ${TIME}`]);
  expect(box.configs.ruling().ruling?.file).toBe(first);
});

it('applies a file that was read before a change with that change', async () => {
  const box = started();
  await box.patch({ 'apps.m.timeout': '5s' });
  const read = box.files.read(file);
  writeFileSync(file, YAML.replace('balanced', 'conservative'));
  expect(box.files.current(read)).toBe(read);
  await box.patch({ 'apps.web.namespace': 'shop' });
  const current = box.files.current(read);
  expect(current.kept.map((override) => override.path.join('.'))).toEqual(['apps.m.timeout', 'apps.web.namespace']);
  expect(current.config.apps.map(({ namespace }) => namespace)).toEqual(['default', 'default', 'shop']);
  expect(current.config.unloading.strategy).toBe('balanced');
});

it('whatever is asked for, it is in force and comes back, or nothing has changed', async () => {
  const keys = fc.oneof(
    fc.constantFrom(...keyPaths(fileSchema).filter((key) => key !== 'apps'), 'zzz', '', 'unloading.zzz'),
    fc
      .tuple(
        fc.constantFrom('m', 'two', 'web', 'none'),
        fc.constantFrom(...keyPaths(APP_SCHEMAS.model), 'zzz', 'env.A'),
      )
      .map(([app, key]) => `apps.${app}.${key}`),
    fc.constantFrom(
      'apps.two.versions.v1.unload.strategy',
      'apps.two.versions.v1.5.weight',
      'apps.m.versions.v1.module',
    ),
  );
  const values = fc.oneof(
    fc.constantFrom(
      '5s',
      '10m',
      '80%',
      '3GiB',
      'aggressive',
      'keep',
      'lru',
      'auto',
      true,
      false,
      null,
      0,
      1,
      3,
      70_000,
    ),
    fc.constantFrom<unknown>(['two'], ['m'], [8], {}, { min: 1, max: 3 }, { latest: 1 }, { strategy: 'lru' }),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const acts = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ set: fc.dictionary(keys, values, { minKeys: 1, maxKeys: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ reset: fc.option(keys, { nil: null }) }) },
    ),
    { maxLength: 6 },
  );
  let done = 0;
  await fc.assert(
    fc.asyncProperty(acts, async (all) => {
      const box = started();
      for (const act of all) {
        const before = JSON.stringify([box.changes.report(), box.kept]);
        try {
          if ('set' in act) await box.patch(act.set);
          else await box.changes.reset(act.reset === null ? null : [act.reset]);
          done++;
        } catch (error) {
          if (!(error instanceof SupError)) throw error;
          expect(['SUP_CONFIG_INVALID', 'SUP_CONFLICT', 'SUP_BAD_REQUEST']).toContain(error.code);
          expect(JSON.stringify([box.changes.report(), box.kept])).toBe(before);
        }
        const next = new Box(box.kept);
        expect(next.apply().filter((text) => text.includes('is over'))).toEqual([]);
        expect(next.changes.report()).toEqual(box.changes.report());
        for (const name of ['m', 'two', 'web']) expect(next.configOf(name)).toEqual(box.configOf(name));
      }
      await box.changes.reset(null);
      expect(box.changes.report()).toEqual(started().changes.report());
    }),
    { numRuns: 40 },
  );
  // A property of refusals alone would say nothing.
  expect(done).toBeGreaterThan(0);
});
