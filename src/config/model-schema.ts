/** Models: which versions are served, how requests reach their workers, and when they are loaded and unloaded. */
import { z } from 'zod';
import * as field from './fields.js';
import type { ModelHealthConfig, ModelsConfig, RoutingConfig, UnloadingConfig, VersionPolicy } from './types.js';

const HOUR_MS = 3_600_000;
const MOST_MODELS = 100_000;
export const BALANCERS = [
  'least_connections',
  'round_robin',
  'least_response_time',
  'weighted_round_robin',
  'consistent_hash',
] as const;
export const COLD_STARTS = ['lazy', 'eager', 'hybrid'] as const;
export const UNLOAD_STRATEGIES = ['aggressive', 'balanced', 'conservative'] as const;
export const UNLOAD_ORDERS = ['keep_value', 'gdsf', 'lru'] as const;

export const weight = field
  .decimal(0, 1_000_000)
  .optional()
  .describe(
    'Share of the requests that name no version, relative to the other versions. Where the default version has none, it takes what is left of 100',
  );

export const defaultVersion = z
  .string()
  .optional()
  .describe('The version that answers requests naming none. Default: the last one without a weight, else the heaviest');

export const versionPolicy = z
  .union([
    z.literal('all'),
    z.strictObject({ latest: field.count(1, 1000).describe('So many of the highest version names').prefault(1) }),
    z.array(z.string()).min(1, { error: () => 'must name at least one version' }),
  ])
  .describe(
    'Which versions are served from the start: all, { latest: N }, or a list of names; others are loaded by hand',
  )
  .prefault('all')
  .transform((given): VersionPolicy => {
    if (given === 'all') return { kind: 'all' };
    return Array.isArray(given) ? { kind: 'listed', versions: given } : { kind: 'latest', count: given.latest };
  });

export const routing = z
  .strictObject({
    strategy: z.enum(BALANCERS).describe('How the worker for a prediction is chosen').prefault('least_connections'),
    key: field
      .routingKey()
      .describe('What consistent_hash keeps together: user, input or header:NAME')
      .prefault('user'),
  })
  .describe('How predictions are spread over the workers')
  .prefault({})
  .transform((given): RoutingConfig => given);

export const batching = z
  .strictObject({
    max_size: field.count(1, 65_536).describe('Most inputs in one call of predict').prefault(32),
    max_delay: field
      .duration()
      .describe('How long to wait for a batch to fill; 0 takes what is queued')
      .prefault('0ms'),
    preferred: z
      .array(field.count(1, 65_536))
      .describe('Batch sizes that the model runs best; a batch is cut to the largest that is filled')
      .prefault([]),
  })
  .describe('How queued inputs are put together')
  .prefault({})
  .transform((given) => ({
    maxSize: given.max_size,
    maxDelayMs: given.max_delay,
    preferred: [...new Set(given.preferred)].sort((a, b) => a - b),
  }));

export const queue = z
  .strictObject({
    max: field.count(1, 1_000_000).describe('Inputs that may wait; more are refused with 429').prefault(512),
    ageing: field
      .duration({ maxMs: HOUR_MS })
      .describe('Waiting this long raises a priority by one, so that low ones do not starve; 0 never does')
      .prefault('1s'),
    shedding: z
      .boolean()
      .describe('Refuse with 429 what would wait too long when more comes than the workers can do')
      .prefault(true),
  })
  .describe('The queue before the workers')
  .prefault({})
  .transform((given) => ({ max: given.max, ageingMs: given.ageing, shedding: given.shedding }));

export const toZeroAfter = field
  .duration({ minMs: 100 })
  .nullable()
  .describe('A model with `min: 0` is unloaded when it has been idle for so long; null leaves it to `unloading`')
  .prefault(null);

export const modelHealth = z
  .strictObject({
    wedge: field
      .duration({ minMs: 1 })
      .describe('A worker whose event loop is silent for this long is killed and replaced')
      .prefault('10s'),
    interval: field
      .duration({ minMs: 100, maxMs: HOUR_MS })
      .describe("How often a worker is asked for its health, by the model's own `health` or a warm-up input")
      .prefault('30s'),
    check_timeout: field
      .duration({ minMs: 1, maxMs: HOUR_MS })
      .describe('A check that takes longer has failed')
      .prefault('5s'),
    failures: field.count(1, 1000).describe('Failures in a row that take a worker out of the rotation').prefault(3),
    cooldown: field
      .duration({ minMs: 1, maxMs: 24 * HOUR_MS })
      .describe(
        'The longest that a worker stays out before it is tried again; the first time is a tenth, and it doubles',
      )
      .prefault('300s'),
    max_ejected: field.share().describe('Share of the workers that may be out of the rotation at once').prefault('50%'),
  })
  .describe('How a stuck or failing worker is found')
  .prefault({})
  .transform(
    (given): ModelHealthConfig => ({
      wedgeMs: given.wedge,
      intervalMs: given.interval,
      checkTimeoutMs: given.check_timeout,
      failures: given.failures,
      cooldownMs: given.cooldown,
      maxEjected: given.max_ejected,
    }),
  );

const predictive = z
  .strictObject({
    enabled: z
      .boolean()
      .describe('Learn from each model’s history how long to keep it, and when to load it')
      .prefault(true),
    window: field
      .duration({ minMs: 60_000, maxMs: 365 * 24 * HOUR_MS })
      .describe('How far back the learning looks')
      .prefault('24h'),
    horizon: field
      .duration({ maxMs: 24 * HOUR_MS })
      .describe('How far ahead a model may be loaded')
      .prefault('30m'),
    forecast_only: z.boolean().describe('Only log what the forecast would have done').prefault(false),
  })
  .describe('Prediction of demand')
  .prefault({})
  .transform((given) => ({
    enabled: given.enabled,
    windowMs: given.window,
    horizonMs: given.horizon,
    forecastOnly: given.forecast_only,
  }));

export const models = z
  .strictObject({
    max_loaded: field
      .countOrAuto(1, MOST_MODELS)
      .describe('Most models that are loaded on demand at once; auto is what memory has room for')
      .prefault('auto'),
    concurrent_loads: field.count(1, 1000).describe('Models that load at the same time').prefault(2),
    cold_start: z
      .enum(COLD_STARTS)
      .describe('lazy: at the first request; eager: at the start; hybrid: popular ones at the start')
      .prefault('hybrid'),
    cold_start_timeout: field
      .duration({ minMs: 1 })
      .nullable()
      .describe('How long a request waits for its model to load; null is the model’s `ready.timeout`')
      .prefault(null),
    preload_popular: z.boolean().describe('Whether hybrid loads popular models at the start').prefault(true),
    popularity_threshold: field
      .count(1, 1_000_000_000)
      .describe('Requests within the learning window that make a model popular')
      .prefault(10),
    ttl: field
      .duration({ minMs: 100 })
      .nullable()
      .describe('No idle model is kept longer than this, whatever was learned; null is no such limit')
      .prefault(null),
    failure_cooldown: field
      .duration()
      .describe('How long a model whose load failed is not tried again by requests')
      .prefault('300s'),
    predictive,
  })
  .describe('When models with `min: 0` are loaded')
  .prefault({})
  .transform(
    (given): ModelsConfig => ({
      maxLoaded: given.max_loaded,
      concurrentLoads: given.concurrent_loads,
      coldStart: given.cold_start,
      coldStartTimeoutMs: given.cold_start_timeout,
      preloadPopular: given.preload_popular,
      popularityThreshold: given.popularity_threshold,
      ttlMs: given.ttl,
      failureCooldownMs: given.failure_cooldown,
      predictive: given.predictive,
    }),
  );

const preference = z
  .enum(['keep', 'evict', 'none'])
  .nullable()
  .describe('keep: never unloaded by itself; evict: the first to go, soon; none, or null: like any other');
const strategyName = z
  .string()
  .regex(/^[A-Za-z][\w.-]*$/, { error: () => 'must be the name of a strategy' })
  .meta({ examples: [...UNLOAD_STRATEGIES] });

const unloadKeys = {
  strategy: strategyName
    .nullable()
    .describe('aggressive, balanced, conservative, or one that a plug-in registers; null is that of `unloading`')
    .optional(),
  preference: preference.optional(),
};

/** What one version says; what it leaves out is said by its app. */
export const versionUnload = z.strictObject(unloadKeys).describe('How this version is unloaded').optional();

export const unload = z
  .strictObject({
    ...unloadKeys,
    requires: z
      .array(z.string())
      .describe('Models (app or app@version) that are loaded before this one, and unloaded after it')
      .prefault([]),
    keep_process: z
      .boolean()
      .describe('Whether a process stays for the next load when its model is unloaded and its memory came back')
      .prefault(false),
  })
  .describe('How this model is unloaded')
  .prefault({});

export const unloading = z
  .strictObject({
    enabled: z.boolean().describe('Whether idle models with `min: 0` are unloaded').prefault(true),
    strategy: strategyName
      .describe(
        'How dear memory is: aggressive gives it back soon, balanced, conservative late; or one that a plug-in registers',
      )
      .prefault('balanced'),
    aggressive: field
      .duration({ minMs: 1000 })
      .describe('Idle time of the strategy, while nothing is learned')
      .prefault('5m'),
    balanced: field
      .duration({ minMs: 1000 })
      .describe('Idle time of the strategy, while nothing is learned')
      .prefault('15m'),
    conservative: field
      .duration({ minMs: 1000 })
      .describe('Idle time of the strategy, while nothing is learned')
      .prefault('30m'),
    check_interval: field
      .duration({ minMs: 100, maxMs: 24 * HOUR_MS })
      .describe('The least time from one cycle of unloading to the next')
      .prefault('60s'),
    pressure_threshold: field
      .share()
      .describe('From so much of the memory limit on, a cycle runs at once')
      .prefault('80%'),
    pressure_timeout: field
      .duration({ maxMs: 24 * HOUR_MS })
      .describe('Under high pressure a model is unloaded when it has been idle for so long')
      .prefault('60s'),
    max_per_cycle: field.count(1, MOST_MODELS).describe('Most models that one cycle unloads').prefault(5),
    min_savings: field
      .size({ minBytes: 0 })
      .describe('A model that takes less is not worth unloading')
      .prefault('1MiB'),
    min_residency: field
      .duration({ maxMs: 24 * HOUR_MS })
      .describe('A model stays at least so long after it was loaded')
      .prefault('60s'),
    order: z
      .enum(UNLOAD_ORDERS)
      .describe('Who goes first: keep_value, by what is lost with it; gdsf; lru, by when it was used last')
      .prefault('keep_value'),
    by_pressure: z.boolean().describe('Unload because memory is short').prefault(true),
    by_pattern: z.boolean().describe('Unload what has been idle for long').prefault(true),
    by_preference: z.boolean().describe('Unload what users prefer to be unloaded').prefault(true),
    adaptive: z
      .boolean()
      .describe('Let strategies follow the pressure, and keep what had to be loaded again soon for longer')
      .prefault(true),
    track_impact: z.boolean().describe('Measure what each unloading brings').prefault(true),
  })
  .describe('When idle models are unloaded')
  .prefault({})
  .transform(
    (given): UnloadingConfig => ({
      enabled: given.enabled,
      strategy: given.strategy,
      timeoutsMs: { aggressive: given.aggressive, balanced: given.balanced, conservative: given.conservative },
      checkIntervalMs: given.check_interval,
      pressureThreshold: given.pressure_threshold,
      pressureTimeoutMs: given.pressure_timeout,
      maxPerCycle: given.max_per_cycle,
      minSavingsBytes: given.min_savings,
      minResidencyMs: given.min_residency,
      order: given.order,
      byPressure: given.by_pressure,
      byPattern: given.by_pattern,
      byPreference: given.by_preference,
      adaptive: given.adaptive,
      trackImpact: given.track_impact,
    }),
  );
