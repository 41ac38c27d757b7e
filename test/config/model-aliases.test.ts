/** The option names of other model servers: one row each. */
import { describe, expect, it } from 'vitest';
import { ALIAS_NAMES } from '../../src/config/aliases.js';
import type { Config, ModelAppConfig, UnloadingConfig } from '../../src/config/types.js';
import { load, problemsOf } from './support.js';

const MINUTE = 60_000;
const FILE = `apps:
  lazy: { module: m.mjs, workers: { min: 0, max: 2 } }
  unset: { module: m.mjs }
  fixed: { module: m.mjs, workers: 3 }
  web: { script: s.mjs, port: 8080 }
  job: { command: [x] }
`;
const env = (text: string) => Object.fromEntries(text.split(' ').map((pair) => pair.split('=') as [string, string]));
const read = (text: string, file = FILE) => load(file, env(text));

describe('for the whole file', () => {
  it.each<[variables: string, models: Partial<Config['models']>]>([
    ['max_loaded_models=5', { maxLoaded: 5 }],
    ['MAX_LOADED_MODELS=auto', { maxLoaded: null }],
    ['model_ttl_seconds=1800.0', { ttlMs: 30 * MINUTE }],
    ['model_ttl_seconds=2h', { ttlMs: 120 * MINUTE }],
    ['concurrent_loads=4', { concurrentLoads: 4 }],
    ['popularity_threshold=25', { popularityThreshold: 25 }],
    ['preload_popular_models=False', { preloadPopular: false }],
    ['prefetch_popular_models=false', { preloadPopular: false }],
    ['prefetch_popular_models=false preload_popular_models=True', { preloadPopular: true }],
    ['cold_start_strategy=eager', { coldStart: 'eager' }],
    ['cold_start_strategy=LAZY', { coldStart: 'lazy' }],
    ['COLD_START_STRATEGY=ColdStartStrategy.LAZY', { coldStart: 'lazy' }],
    ['loading_strategy=ModelLoadingStrategy.EAGER', { coldStart: 'eager' }],
    ['loading_strategy=eager cold_start_strategy=lazy', { coldStart: 'lazy' }],
    ['cold_start_strategy=lazy enable_dynamic_loading=false', { coldStart: 'eager' }],
    ['cold_start_strategy=lazy enable_dynamic_loading=True', { coldStart: 'lazy' }],
    ['cold_start_timeout=45', { coldStartTimeoutMs: 45_000 }],
    ['enable_predictive_scaling=off', { predictive: predictive({ enabled: false }) }],
    ['learning_window_hours=48', { predictive: predictive({ windowMs: 2880 * MINUTE }) }],
    ['prediction_horizon_minutes=7.5', { predictive: predictive({ horizonMs: 450_000 }) }],
    ['failure_cooldown_seconds=60', { failureCooldownMs: MINUTE }],
  ])('%s', (variables, models) => {
    const { config, warnings } = read(variables, 'apps: {}');
    expect(config.models).toEqual({ ...load('apps: {}').config.models, ...models });
    expect(warnings).toEqual([]);
  });

  it.each([
    ['false', false],
    ['True', true],
  ])('enable_zero_scaling=%s', (value, enabled) => {
    const file = 'apps: {}\nunloading: { enabled: true, strategy: aggressive }';
    expect(read(`enable_zero_scaling=${value}`, file).config.unloading).toMatchObject({
      enabled,
      strategy: 'aggressive',
    });
  });
});

describe('of unloading', () => {
  const standard = load('apps: {}').config.unloading;

  it.each<[name: string, value: string, keys: Partial<UnloadingConfig>]>([
    ['enabled', 'false', { enabled: false }],
    ['strategy', 'AGGRESSIVE', { strategy: 'aggressive' }],
    ['strategy', 'UnloadingStrategy.CONSERVATIVE', { strategy: 'conservative' }],
    ['check_interval', '30', { checkIntervalMs: 30_000 }],
    ['check_interval', '2m', { checkIntervalMs: 2 * MINUTE }],
    ['aggressive_timeout', '60', { timeoutsMs: { ...standard.timeoutsMs, aggressive: MINUTE } }],
    ['balanced_timeout', '120', { timeoutsMs: { ...standard.timeoutsMs, balanced: 2 * MINUTE } }],
    ['conservative_timeout', '180', { timeoutsMs: { ...standard.timeoutsMs, conservative: 3 * MINUTE } }],
    ['memory_pressure_threshold', '0.65', { pressureThreshold: 0.65 }],
    ['memory_pressure_threshold', '70%', { pressureThreshold: 0.7 }],
    ['memory_pressure_timeout', '5', { pressureTimeoutMs: 5000 }],
    ['enable_memory_pressure_unloading', 'False', { byPressure: false }],
    ['enable_usage_pattern_unloading', '0', { byPattern: false }],
    ['enable_user_preference_unloading', 'no', { byPreference: false }],
    ['enable_adaptive_unloading', 'off', { adaptive: false }],
    ['performance_impact_tracking', 'false', { trackImpact: false }],
    ['max_unloads_per_cycle', '7', { maxPerCycle: 7 }],
    ['min_memory_savings_threshold', '5242880', { minSavingsBytes: 5 * 1024 ** 2 }],
    ['min_memory_savings_threshold', '5MiB', { minSavingsBytes: 5 * 1024 ** 2 }],
  ])('lazy_loading_unloading_%s=%s, in both spellings', (name, value, keys) => {
    for (const spelled of [`lazy_loading_unloading_${name}`, `lazy_loading_unloading_${name}`.toUpperCase()]) {
      const { config, warnings } = load('apps: {}', { [spelled]: value });
      expect(config.unloading).toEqual({ ...standard, ...keys });
      expect(warnings).toEqual([]);
    }
  });

  it('counts above the more general name, and below the key itself', () => {
    const env = { enable_zero_scaling: 'true', lazy_loading_unloading_enabled: 'false' };
    expect(load('apps: {}', env).config.unloading.enabled).toBe(false);
    expect(load('apps: {}', { ...env, SUPERVISOR__UNLOADING__ENABLED: 'true' }).config.unloading.enabled).toBe(true);
  });

  it('says what is wrong with a value without repeating it', () => {
    const problems = (name: string, value: string) => problemsOf('apps: {}', { [name]: value });
    expect(problems('LAZY_LOADING_UNLOADING_STRATEGY', 'SECRET')).toEqual([
      'LAZY_LOADING_UNLOADING_STRATEGY unloading.strategy: must be one of `aggressive`, `balanced`, `conservative`; others are registered by `plugins`, and there are none',
    ]);
    expect(problems('lazy_loading_unloading_enabled', 'maybe')).toEqual([
      'lazy_loading_unloading_enabled must be true or false',
    ]);
    expect(problems('lazy_loading_unloading_max_unloads_per_cycle', '0')).toEqual([
      'lazy_loading_unloading_max_unloads_per_cycle unloading.max_per_cycle: must be at least 1',
    ]);
  });
});

describe('for each model', () => {
  const models = (variables: string) =>
    Object.fromEntries(
      read(variables).config.apps.flatMap((app) => (app.kind === 'model' ? [[app.name, app]] : [])),
    ) as Record<string, ModelAppConfig>;
  const sizes = (variables: string) =>
    Object.values(models(variables)).map(({ workers: { min, max } }) => `${min}..${max}`);

  it('scale_to_zero_delay is for those that may have no worker, and says so of the others', () => {
    const { warnings } = read('scale_to_zero_delay=300.0');
    const delays = (variables: string) => Object.values(models(variables)).map(({ scale }) => scale.toZeroAfterMs);
    expect(delays('scale_to_zero_delay=300.0')).toEqual([5 * MINUTE, null, null]);
    expect(warnings.sort()).toEqual([
      'scale_to_zero_delay does not apply to apps.fixed: its `workers.min` is not 0',
      'scale_to_zero_delay does not apply to apps.unset: its `workers.min` is not 0',
    ]);
    expect(delays('scale_to_zero_delay=60 min_instances_per_model=0')).toEqual([MINUTE, MINUTE, null]);
    expect(delays('scale_to_zero_delay=60 min_instances_per_model=1')).toEqual([null, null, null]);
  });

  it('bounds and sizes', () => {
    expect(sizes('min_instances_per_model=1')).toEqual(['1..2', '1..1', '3..3']);
    expect(sizes('MAX_INSTANCES_PER_MODEL=5')).toEqual(['0..5', '1..5', '3..3']);
    expect(sizes('default_instances_per_model=2')).toEqual(['0..2', '2..2', '3..3']);
    expect(sizes('max_instances_per_model=3 min_instances_per_model=1 default_instances_per_model=2')).toEqual([
      '1..3',
      '1..3',
      '3..3',
    ]);
    expect(read('max_instances_per_model=3 default_instances_per_model=2').warnings).toEqual([
      'max_instances_per_model does not apply to apps.fixed: its `workers` is a fixed size',
    ]);
  });

  it.each<[variables: string, keys: Partial<ModelAppConfig>]>([
    ['load_balancing_strategy=LoadBalancingStrategy.LEAST_CONNECTIONS', routing('least_connections')],
    ['load_balancing_strategy=LEAST_RESPONSE_TIME', routing('least_response_time')],
    ['LOAD_BALANCING_STRATEGY=consistent_hash', routing('consistent_hash')],
    ['load_balancing_strategy=round_robin', routing('round_robin')],
    ['load_balancing_strategy=LoadBalancingStrategy.WEIGHTED_ROUND_ROBIN', routing('weighted_round_robin')],
    ['load_timeout_seconds=120', ready(2 * MINUTE)],
    ['warmup_timeout=60', ready(5 * MINUTE)],
    ['warmup_timeout=600', ready(10 * MINUTE)],
    ['warmup_timeout_seconds=10m', ready(10 * MINUTE)],
    ['load_timeout_seconds=30 warmup_timeout_seconds=60', ready(MINUTE)],
    ['load_timeout_seconds=90 warmup_timeout=60 warmup_timeout_seconds=30', ready(1.5 * MINUTE)],
    ['health_check_interval_seconds=10', health({ intervalMs: 10_000 })],
    ['max_consecutive_failures=5', health({ failures: 5 })],
    ['failure_cooldown_seconds=60', health({ cooldownMs: MINUTE })],
  ])('%s', (variables, keys) => {
    for (const model of Object.values(models(variables))) expect(model).toMatchObject(keys);
    const { config, warnings } = read(variables);
    const { config: untouched } = load(FILE);
    expect(warnings).toEqual([]);
    for (const app of config.apps) {
      if (app.kind === 'model') continue;
      const before = untouched.apps.find(({ name }) => name === app.name);
      expect([app.ready, app.health]).toEqual([before?.ready, before?.health]);
    }
  });

  it('warmup_timeout is compared with what the file says', () => {
    const timeout = (ready: string) =>
      load(`apps: { a: { module: m.mjs, ready: { timeout: ${ready} } } }`, { warmup_timeout: '60' }).config.apps[0]!
        .ready.timeoutMs;
    expect([timeout('30s'), timeout('2m')]).toEqual([MINUTE, 2 * MINUTE]);
  });
});

const STRATEGIES =
  '`least_connections`, `round_robin`, `least_response_time`, `weighted_round_robin`, `consistent_hash`';
it.each([
  ['max_loaded_models=SECRET', 'models.max_loaded: must be a whole number from 1 to 100000, or auto'],
  ['cold_start_strategy=SECRET', 'models.cold_start: must be one of `lazy`, `eager`, `hybrid`'],
  ['cold_start_timeout=0', 'models.cold_start_timeout: must be from 1ms to 24d'],
  ['enable_zero_scaling=SECRET', 'must be true or false'],
  ['enable_dynamic_loading=SECRET', 'must be true or false'],
  ['load_balancing_strategy=SECRET', `apps.a.routing.strategy: must be one of ${STRATEGIES}`],
  ['warmup_timeout=SECRET', 'apps.a.ready.timeout: write numbers with d, h, m, s or ms, such as 90s or 1h30m'],
  ['max_consecutive_failures=0', 'apps.a.health.failures: must be at least 1'],
  ['min_instances_per_model=4', 'apps.a.workers.min: `min` must not be above `max`'],
])('%s is refused without its value', (variable, problem) => {
  const [name] = variable.split('=');
  expect(problemsOf('apps: { a: { module: m.mjs, workers: { min: 0, max: 2 } } }', env(variable))).toEqual([
    `${name} ${problem}`,
  ]);
});

it('has no name twice in two spellings', () => {
  const upper = ALIAS_NAMES.map((name) => name.toUpperCase());
  expect(new Set(upper).size).toBe(upper.length);
});

function predictive(keys: Partial<Config['models']['predictive']>): Config['models']['predictive'] {
  return { enabled: true, windowMs: 1440 * MINUTE, horizonMs: 30 * MINUTE, forecastOnly: false, ...keys };
}

function routing(strategy: ModelAppConfig['routing']['strategy']): Partial<ModelAppConfig> {
  return { routing: { strategy, key: 'user' } };
}

function ready(timeoutMs: number): Partial<ModelAppConfig> {
  return { ready: { timeoutMs, probe: null } };
}

function health(keys: Partial<ModelAppConfig['health']>) {
  return { health: keys as ModelAppConfig['health'] };
}
