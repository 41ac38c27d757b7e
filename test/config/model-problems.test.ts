/** What is wrong with the keys of models, each with its exact place and a remedy. */
import { describe, expect, it } from 'vitest';
import { load, problemsOf } from './support.js';

const box = (keys: string) => `apps: {}\n${keys}\n`;
/** A model whose keys begin at 2:52. */
const app = (keys: string) => `apps:\n  a: { module: m.mjs, workers: { min: 0, max: 2 }, ${keys} }\n`;
/** A model with three versions; further keys begin on line 7. */
const versions = (weights: readonly [string, string, string], keys = '') => {
  const [v1, v2, v10] = weights.map((keys) => (/^$|^,/.test(keys) ? keys : `, weight: ${keys}`));
  return `apps:
  a:
    versions:
      v1: { module: m.mjs${v1} }
      v2: { module: m.mjs${v2} }
      v10: { module: m.mjs${v10} }
${keys && `    ${keys}\n`}`;
};
/** Two models and a program, with further keys of the first one from 5:5 on. */
const zoo = (keys: string) => `apps:
  web: { script: s.mjs, port: 80 }
  token: { versions: { v1: { module: m.mjs }, v2: { module: m.mjs } } }
  a:
    ${keys}
    module: m.mjs
`;
const plain = (keys: string) => versions(['', '', ''], keys);

const DURATION = 'write numbers with d, h, m, s or ms, such as 90s or 1h30m';

describe('one problem, with its exact place', () => {
  it.each<[yaml: string, problem: string]>([
    // Loading and unloading
    [
      box('models: { max_loaded: 0 }'),
      '2:23 models.max_loaded: must be a whole number from 1 to 100000, or auto, not `0`',
    ],
    [
      box('models: { max_loaded: many }'),
      '2:23 models.max_loaded: must be a whole number from 1 to 100000, or auto, not `many`',
    ],
    [box('models: { concurrent_loads: 0 }'), '2:29 models.concurrent_loads: must be at least 1, not `0`'],
    [
      box('models: { cold_start: laxy }'),
      '2:23 models.cold_start: must be one of `lazy`, `eager`, `hybrid`, not `laxy`, did you mean `lazy`?',
    ],
    [box('models: { cold_start_timeout: 30 }'), '2:31 models.cold_start_timeout: `30` has no unit: write 30s or 30ms'],
    [box('models: { cold_start_timeout: 0 }'), '2:31 models.cold_start_timeout: must be from 1ms to 24d, not `0`'],
    [box('models: { preload_popular: 10 }'), '2:28 models.preload_popular: must be true or false, not `10`'],
    [
      box('models: { popularity_threshold: 0.5 }'),
      '2:33 models.popularity_threshold: must be a whole number, not `0.5`',
    ],
    [box('models: { ttl: 30d }'), '2:16 models.ttl: must be from 100ms to 24d, not `30d`'],
    [
      box('models: { failure_cooldown: soon }'),
      `2:29 models.failure_cooldown: \`soon\` is not a duration: ${DURATION}`,
    ],
    [box('models: { max_load: 5 }'), '2:11 models.max_load: unknown key, did you mean `max_loaded`?'],
    [box('models: { predictive: false }'), '2:23 models.predictive: must be a map of keys, not `false`'],
    [
      box('models: { predictive: { window: 30s } }'),
      '2:33 models.predictive.window: must be from 1m to 365d, not `30s`',
    ],
    [
      box('models: { predictive: { horizon: 25h } }'),
      '2:34 models.predictive.horizon: must be from 0ms to 1d, not `25h`',
    ],
    [
      box('models: { predictive: { forecast_only: 1 } }'),
      '2:40 models.predictive.forecast_only: must be true or false, not `1`',
    ],
    [
      box('unloading: { strategy: agressive }'),
      '2:24 unloading.strategy: must be one of `aggressive`, `balanced`, `conservative`, not `agressive`, did you mean `aggressive`?; others are registered by `plugins`, and there are none',
    ],
    [box('unloading: { strategy: 3 }'), '2:24 unloading.strategy: must be text, not `3`'],
    [box('unloading: { strategy: "" }'), '2:24 unloading.strategy: must be the name of a strategy, not ``'],
    [box('unloading: { check_interval: 60 }'), '2:30 unloading.check_interval: `60` has no unit: write 60s or 60ms'],
    [
      box('unloading: { pressure_threshold: 0.8 }'),
      '2:34 unloading.pressure_threshold: `0.8` has no unit: write 0.8% or 80%',
    ],
    [box('unloading: { max_per_cycle: 0 }'), '2:29 unloading.max_per_cycle: must be at least 1, not `0`'],
    [box('unloading: { min_savings: 5 }'), '2:27 unloading.min_savings: `5` has no unit: write 5MiB or 5B'],
    [box('unloading: { min_residency: 2d }'), '2:29 unloading.min_residency: must be from 0ms to 1d, not `2d`'],
    [
      box('unloading: { order: lfu }'),
      '2:21 unloading.order: must be one of `keep_value`, `gdsf`, `lru`, not `lfu`, did you mean `lru`?',
    ],
    [box('unloading: { adaptive: 1 }'), '2:24 unloading.adaptive: must be true or false, not `1`'],
    [box('unloading: { balanced: 0 }'), '2:24 unloading.balanced: must be from 1s to 24d, not `0`'],
    [box('unloading: { enabled: never }'), '2:23 unloading.enabled: must be true or false, not `never`'],
    [
      app('models: { ttl: 1h }'),
      '2:52 apps.a.models: is no key of an app: `models` stands at the top of the file, for all apps together',
    ],
    [app('scale: { to_zero_after: 5 }'), '2:76 apps.a.scale.to_zero_after: `5` has no unit: write 5s or 5ms'],
    [app('scale: { to_zero_after: 50ms }'), '2:76 apps.a.scale.to_zero_after: must be from 100ms to 24d, not `50ms`'],
    [
      'apps:\n  a: { module: m.mjs, scale: { to_zero_after: 5m } }\n',
      '2:32 apps.a.scale.to_zero_after: needs a model that may have no worker: write `workers: { min: 0, max: 1 }`',
    ],
    [
      'apps:\n  a: { script: s.mjs, port: 80, workers: { max: 2 }, scale: { to_zero_after: 5m } }\n',
      '2:63 apps.a.scale.to_zero_after: belongs to kind `model`, and this app is of kind `http`',
    ],
    [
      app('unload: { strategy: eager }'),
      '2:72 apps.a.unload.strategy: must be one of `aggressive`, `balanced`, `conservative`, not `eager`; others are registered by `plugins`, and there are none',
    ],
    [
      app('unload: { preference: pin }'),
      '2:74 apps.a.unload.preference: must be one of `keep`, `evict`, `none`, not `pin`',
    ],
    [app('unload: { requires: b }'), '2:72 apps.a.unload.requires: must be a list, not `b`'],
    [app('unload: { requires: [a] }'), '2:73 apps.a.unload.requires[0]: a model cannot require itself'],
    [app('unload: { requires: [a@v1] }'), '2:73 apps.a.unload.requires[0]: a model cannot require itself'],
    [app('unload: { requires: [b] }'), '2:73 apps.a.unload.requires[0]: names no model'],
    [zoo('unload: { requires: [tokens] }'), '5:26 apps.a.unload.requires[0]: names no model, did you mean `token`?'],
    [
      zoo('unload: { requires: [token@v3] }'),
      '5:26 apps.a.unload.requires[0]: names no version, did you mean `token@v1`?; there are: token@v1, token@v2',
    ],
    [zoo('unload: { requires: [web] }'), '5:26 apps.a.unload.requires[0]: is not a model app, did you mean `token`?'],
    [zoo('unload: { requires: [token, token] }'), '5:33 apps.a.unload.requires[1]: is named twice'],
    [
      'apps:\n  a: { module: m.mjs, unload: { requires: [b] } }\n  b: { module: m.mjs, unload: { requires: [c@v1] } }\n  c: { module: m.mjs, unload: { requires: [a] } }\n',
      '2:43 apps.a.unload.requires: is a circle: a → b → c → a',
    ],
    [
      versions([', unload: { strategy: slow }', '', '']),
      '4:48 apps.a.versions.v1.unload.strategy: must be one of `aggressive`, `balanced`, `conservative`, not `slow`; others are registered by `plugins`, and there are none',
    ],
    [
      versions([', unload: { requires: [b] }', '', '']),
      '4:38 apps.a.versions.v1.unload.requires: unknown key, did you mean `unload.requires`?',
    ],
    // By the names that other programs have for them
    [
      app('scale_to_zero_delay: 300'),
      '2:52 apps.a.scale_to_zero_delay: unknown key, did you mean `scale.to_zero_after`?',
    ],
    [
      app('max_loaded_models: 5'),
      '2:52 apps.a.max_loaded_models: unknown key; write `models.max_loaded` at the top of the file',
    ],
    [box('model_ttl_seconds: 60'), '2:1 model_ttl_seconds: unknown key, did you mean `models.ttl`?'],
    [
      box('models: { model_ttl_seconds: 60 }'),
      '2:11 models.model_ttl_seconds: unknown key, did you mean `models.ttl`?',
    ],
    [box('warmup_timeout: 60'), '2:1 warmup_timeout: unknown key; write `ready.timeout` in `apps.NAME`'],
    // Versions
    [plain('default: v3'), '7:14 apps.a.default: names no version, did you mean `v1`?; there are: v1, v2, v10'],
    [plain('default: 2'), '7:14 apps.a.default: must be text, not `2`'],
    [
      'apps:\n  a: { module: m.mjs, default: v2 }\n',
      '2:32 apps.a.default: names no version, did you mean `v1`?; there are: v1',
    ],
    [
      plain('version_policy: [v1, v3]'),
      '7:26 apps.a.version_policy[1]: names no version, did you mean `v1`?; there are: v1, v2, v10',
    ],
    [plain('version_policy: []'), '7:21 apps.a.version_policy: must name at least one version'],
    [
      plain('version_policy: latest'),
      '7:21 apps.a.version_policy: must be `all` or a map of keys or a list, not `latest`',
    ],
    [plain('version_policy: { latest: 0 }'), '7:31 apps.a.version_policy.latest: must be at least 1, not `0`'],
    [
      plain('version_policy: { lastest: 1 }'),
      '7:23 apps.a.version_policy.lastest: unknown key, did you mean `latest`?',
    ],
    [
      plain('version_policy: { latest: 1 }\n    default: v2'),
      '8:14 apps.a.default: is not served: `version_policy` leaves it out',
    ],
    [versions(['-1', '', '']), '4:36 apps.a.versions.v1.weight: must be a number from 0 to 1000000, not `-1`'],
    [versions(['', '10%', '']), '5:36 apps.a.versions.v2.weight: must be a number from 0 to 1000000, not `10%`'],
    [
      versions(['0', '0', '0']),
      '4:7 apps.a.versions: no served version has a `weight` above 0: requests that name none would go nowhere',
    ],
    [
      versions(['5', '0', '0'], 'version_policy: { latest: 2 }'),
      '4:7 apps.a.versions: no served version has a `weight` above 0: requests that name none would go nowhere',
    ],
    // Routing, queue and batches
    [
      app('routing: { strategy: least_connection }'),
      '2:73 apps.a.routing.strategy: must be one of `least_connections`, `round_robin`, `least_response_time`, `weighted_round_robin`, `consistent_hash`, not `least_connection`, did you mean `least_connections`?',
    ],
    [
      app('routing: { strategy: consistent_hash, key: x-session }'),
      '2:95 apps.a.routing.key: write user, input or header:NAME, such as header:x-session, not `x-session`',
    ],
    [app('batching: { preferred: 8 }'), '2:75 apps.a.batching.preferred: must be a list, not `8`'],
    [app('batching: { preferred: [0] }'), '2:76 apps.a.batching.preferred[0]: must be at least 1, not `0`'],
    [
      app('batching: { max_size: 8, preferred: [4, 16] }'),
      '2:88 apps.a.batching.preferred: has a size above `batching.max_size`: raise that, or leave the size out',
    ],
    [app('queue: { ageing: 2h }'), '2:69 apps.a.queue.ageing: must be from 0ms to 1h, not `2h`'],
    [app('queue: { shedding: soft }'), '2:71 apps.a.queue.shedding: must be true or false, not `soft`'],
    // Health
    [app('health: { interval: 10ms }'), '2:72 apps.a.health.interval: must be from 100ms to 1h, not `10ms`'],
    [app('health: { check_timeout: 0 }'), '2:77 apps.a.health.check_timeout: must be from 1ms to 1h, not `0`'],
    [app('health: { failures: 0 }'), '2:72 apps.a.health.failures: must be at least 1, not `0`'],
    [app('health: { cooldown: 25h }'), '2:72 apps.a.health.cooldown: must be from 1ms to 1d, not `25h`'],
    [app('health: { max_ejected: 0.5 }'), '2:75 apps.a.health.max_ejected: `0.5` has no unit: write 0.5% or 50%'],
    [
      app('health: { max_ejected: 120% }'),
      '2:75 apps.a.health.max_ejected: `120%` is not a share: write a percentage from 0% to 100%, such as 80%',
    ],
    [
      'apps:\n  a: { script: s.mjs, port: 80, health: { interval: 10s } }\n',
      '2:43 apps.a.health.interval: belongs to kind `model`, and this app is of kind `http`',
    ],
  ])('%j', (yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([`supervisor.yaml:${problem}`]);
  });
});

describe('unloading', () => {
  it('takes any name of a strategy where plug-ins may register it', () => {
    const { config, warnings } = load(
      `plugins: [m.mjs]\nunloading: { strategy: nightly }\n${app('unload: { strategy: by-hour }')}`,
    );
    expect(config.unloading.strategy).toBe('nightly');
    expect(config.apps[0]).toMatchObject({ versions: [{ unload: { strategy: 'by-hour' } }] });
    expect(warnings).toEqual([]);
  });

  it('lets a version say something else than its app', () => {
    const { config } = load(`apps:
  a:
    workers: { min: 0, max: 1 }
    unload: { strategy: aggressive, preference: keep, requires: [b@v1, c] }
    versions:
      v1: { module: m.mjs }
      v2: { module: m.mjs, unload: { preference: none } }
      v3: { module: m.mjs, unload: { strategy: conservative, preference: evict } }
  b: { module: m.mjs }
  c: { module: m.mjs, unload: { requires: [b] } }
`);
    expect(config.apps[0]).toMatchObject({
      versions: [
        { unload: { strategy: 'aggressive', preference: 'keep' } },
        { unload: { strategy: 'aggressive', preference: null } },
        { unload: { strategy: 'conservative', preference: 'evict' } },
      ],
      unload: { requires: ['b@v1', 'c'] },
    });
  });

  it('warns of what has no effect on a model that is always there', () => {
    const warned = (keys: string) =>
      load(`apps:\n  a: { module: m.mjs, workers: 1, ${keys} }\n`).warnings.map((line) => line.replace(/^\S+ /, ''));
    const why = 'has no effect: only a model with `workers.min: 0` is unloaded by itself';
    expect(warned('unload: { preference: keep }')).toEqual([`apps.a.unload.preference: ${why}`]);
    expect(warned('unload: { strategy: aggressive, preference: none }')).toEqual([`apps.a.unload.strategy: ${why}`]);
    expect(load(app('unload: { preference: keep, strategy: aggressive }')).warnings).toEqual([]);
  });

  it('never repeats what the environment says', () => {
    expect(
      problemsOf(app(''), {
        SUPERVISOR__UNLOADING__STRATEGY: 'SECRET',
        SUPERVISOR__APPS__A__UNLOAD__REQUIRES: '[SECRET]',
      }),
    ).toEqual([
      'SUPERVISOR__APPS__A__UNLOAD__REQUIRES apps.a.unload.requires[0]: names no model',
      'SUPERVISOR__UNLOADING__STRATEGY unloading.strategy: must be one of `aggressive`, `balanced`, `conservative`; others are registered by `plugins`, and there are none',
    ]);
  });
});

describe('served versions', () => {
  const model = (yaml: string) => load(yaml).config.apps[0];

  it.each([
    ['', 'v10'],
    ['default: v1', 'v1'],
    ['version_policy: [v1, v2]', 'v2'],
    ['version_policy: [v2, v1]', 'v2'],
    ['version_policy: { latest: 1 }', 'v10'],
  ])('with %j the default is %s', (keys, expected) => {
    expect(model(plain(keys))).toMatchObject({ defaultVersion: expected });
  });

  it('warns where the weights of others leave nothing for the default version', () => {
    const { warnings } = load(versions(['60', '40', '']));
    expect(warnings).toEqual([
      expect.stringMatching(/:4:7 apps\.a\.versions: the weights of the other versions leave nothing of 100 for `v10`/),
    ]);
    expect(load(versions(['60', '30', ''])).warnings).toEqual([]);
    expect(load(versions(['60', '40', '0'])).warnings).toEqual([]);
  });

  it('warns of a routing key that nothing looks at', () => {
    expect(load(app('routing: { key: input }')).warnings).toEqual([
      expect.stringMatching(
        /:2:68 apps\.a\.routing\.key: has no effect: only `strategy: consistent_hash` looks at it$/,
      ),
    ]);
  });

  it('changes the policy by the environment, whatever the file says', () => {
    const policy = (keys: string, env: Record<string, string>) => load(plain(keys), env).config.apps[0];
    expect(policy('version_policy: [v1]', { SUPERVISOR__APPS__A__VERSION_POLICY: 'all' })).toMatchObject({
      versionPolicy: { kind: 'all' },
    });
    for (const keys of ['', 'version_policy: all', 'version_policy: [v1]', 'version_policy: { latest: 1 }'])
      expect(policy(keys, { SUPERVISOR__APPS__A__VERSION_POLICY__LATEST: '2' })).toMatchObject({
        versionPolicy: { kind: 'latest', count: 2 },
      });
    expect(problemsOf(plain(''), { SUPERVISOR__APPS__A__DEFAULT: 'SECRET' })).toEqual([
      'SUPERVISOR__APPS__A__DEFAULT apps.a.default: names no version; there are: v1, v2, v10',
    ]);
  });
});
