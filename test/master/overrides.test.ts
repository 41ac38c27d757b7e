import { describe, expect, it } from 'vitest';
import { NO_DISK } from '../../src/config/files.js';
import { loadText } from '../../src/config/load.js';
import type { UnloadingConfig } from '../../src/config/types.js';
import { layered, type Override, Overrides } from '../../src/master/overrides.js';
import { refusal } from '../config/support.js';

const TIME = '2026-01-02T03:04:05.000Z';
const FILE = '/srv/shop/supervisor.yaml';

function override(key: string, value: unknown, written?: unknown): Override {
  return { path: key.split('.'), value, time: TIME, ...(written !== undefined && { written }) };
}

const readAs =
  (text: string, env: Record<string, string> = {}) =>
  (changes: readonly Override[]) =>
    loadText(text, FILE, { env, cores: 6, changes, disk: NO_DISK });

const whys = (dropped: ReturnType<typeof layered>['dropped']) =>
  dropped.map(({ override: { path }, why }) => `${path.join('.')}: ${why}`);

const BOX = 'unloading: { strategy: balanced, balanced: 20m }\n';
const APPS = 'apps: { m: { module: m.mjs, workers: { min: 0, max: 2 }, batching: { max_size: 8 } } }\n';

describe('a file under changes', () => {
  it('has the change above the file and the environment', () => {
    const env = { SUPERVISOR__UNLOADING__STRATEGY: 'conservative', lazy_loading_unloading_strategy: 'BALANCED' };
    const strategy = (changes: readonly Override[]) =>
      layered(readAs(BOX + APPS, env), changes).loaded.config.unloading;
    expect(strategy([])).toMatchObject<Partial<UnloadingConfig>>({ strategy: 'conservative' });
    expect(strategy([override('unloading.strategy', 'aggressive', 'balanced')])).toMatchObject<
      Partial<UnloadingConfig>
    >({
      strategy: 'aggressive',
    });
  });

  it.each<[what: string, override: Override, text: string]>([
    ['the value', override('unloading.strategy', 'aggressive', 'balanced'), `# note\n${APPS}${BOX}`],
    [
      'what stands beside it',
      override('unloading.strategy', 'aggressive', 'balanced'),
      BOX.replace('20m', '9m') + APPS,
    ],
    ['that nothing was said', override('unloading.max_per_cycle', 3), BOX + APPS],
    ['a short form', override('apps.m.workers.min', 0, 2), BOX + APPS.replace('{ min: 0, max: 2 }', '2')],
  ])('keeps a change while the file still says %s', (_, change, text) => {
    const { kept, dropped } = layered(readAs(text), [change]);
    expect([kept, dropped]).toEqual([[change], []]);
  });

  it.each<[override: Override, text: string, why: string]>([
    [
      override('unloading.strategy', 'aggressive', 'balanced'),
      BOX.replace('balanced,', 'conservative,') + APPS,
      'unloading.strategy: the file says conservative there now',
    ],
    [
      override('unloading.strategy', 'aggressive', 'balanced'),
      APPS,
      'unloading.strategy: the file says nothing there any more',
    ],
    [
      override('unloading.max_per_cycle', 3),
      `unloading: { max_per_cycle: 9 }\n${APPS}`,
      'unloading.max_per_cycle: the file says 9 there now',
    ],
    [
      override('apps.m.workers.min', 0, 2),
      APPS.replace('{ min: 0, max: 2 }', '3'),
      'apps.m.workers.min: the file says 3 there now',
    ],
    [override('apps.gone.timeout', '5s'), APPS, 'apps.gone.timeout: the file has no such app any more'],
  ])('drops %j under %j', (change, text, why) => {
    const { loaded, kept, dropped } = layered(readAs(text), [change]);
    expect([kept, whys(dropped)]).toEqual([[], [why]]);
    expect(loaded.config).toEqual(readAs(text)([]).config);
  });

  it('drops what no longer fits an edited file, and nothing else', () => {
    const changes = [
      override('apps.m.batching.preferred', [8]),
      override('unloading.strategy', 'nightly', 'balanced'),
      override('apps.m.timeout', '5s'),
    ];
    const plugin = `plugins: [p.mjs]\n${BOX}${APPS}`;
    expect(layered(readAs(plugin), changes).kept).toBe(changes);
    const { loaded, kept, dropped } = layered(readAs(BOX + APPS.replace('max_size: 8', 'max_size: 4')), changes);
    expect(kept).toEqual([changes[2]]);
    expect(loaded.config.apps[0]).toMatchObject({ timeoutMs: 5000, batching: { maxSize: 4, preferred: [] } });
    expect(whys(dropped)).toEqual([
      expect.stringMatching(
        /^apps\.m\.batching\.preferred: it no longer fits the file \(run-time change apps\.m\.batching\.preferred: has a size above/,
      ),
      expect.stringMatching(
        /^unloading\.strategy: it no longer fits the file \(run-time change unloading\.strategy: must be one of/,
      ),
    ]);
  });

  it('is refused for what is wrong with the file alone', () => {
    const changes = [override('unloading.strategy', 'nonsense', 'balanced')];
    expect(refusal(() => layered(readAs(`${BOX}apps: { m: {} }\n`), changes))).toEqual([
      expect.stringMatching(/apps\.m: does not say what to run/),
    ]);
  });
});

describe('Overrides', () => {
  it('gives the same list until it is another one', () => {
    const overrides = new Overrides({ [FILE]: [override('a', 1)] });
    expect(overrides.of(FILE)).toBe(overrides.of(FILE));
    expect(overrides.of('/other')).toBe(overrides.of('/none'));
    overrides.set(FILE, []);
    expect([overrides.of(FILE), overrides.toJSON()]).toEqual([[], {}]);
  });
});
