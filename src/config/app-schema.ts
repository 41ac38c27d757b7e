/**
 * The keys of one app, by kind. Nothing is required here: what an app cannot do without depends on other keys and is checked,
 * together with its files, in resolve.ts, so that one missing key hides no other error.
 */
import { z } from 'zod';
import { commandLimits, leak, modelScale, scale, servingLimits } from './app-resource-schema.js';
import * as field from './fields.js';
import { logOverrides } from './log-schema.js';
import * as model from './model-schema.js';
import type { Dependency, RestartConfig } from './types.js';

export type AppKind = 'model' | 'http' | 'command';
export const APP_KINDS = ['model', 'http', 'command'] as const satisfies readonly AppKind[];

const MOST_WORKERS = 1024;
const MILLION = 1_000_000;
const TEN_YEARS_MS = 3650 * 86_400_000;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGKILL'] as const;

export type WorkerCount = number | 'max';

const SIZE_ZERO = {
  fixed: 'must be at least 1; a model that starts on demand has { min: 0, max: 1 }',
  min: 'must be at least 1; only models can start on demand',
} as const;

function workers(lowest: 0 | 1) {
  const number = z
    .int()
    .min(lowest, { error: () => (lowest === 1 ? SIZE_ZERO.min : undefined) })
    .max(MOST_WORKERS);
  const cores = z.literal('max');
  return z
    .union([
      z
        .int()
        .min(1, { error: () => (lowest === 0 ? SIZE_ZERO.fixed : undefined) })
        .max(MOST_WORKERS),
      cores,
      z.strictObject({
        min: z
          .union([number, cores])
          .optional()
          .describe('Workers that always run; 0 (models only) starts them on demand. Default 1'),
        max: z
          .union([field.count(1, MOST_WORKERS), cores])
          .optional()
          .describe('Most workers. Default: the same as `min`'),
      }),
    ])
    .describe('How many workers: a number, `max` (one for each core), or a range')
    .prefault(1)
    .transform((given): { min: WorkerCount; max: WorkerCount } => {
      if (typeof given !== 'object') return { min: given, max: given };
      const min = given.min ?? 1;
      return { min, max: given.max ?? (min === 0 ? 1 : min) };
    });
}

const stop = z
  .strictObject({
    signal: z.enum(SIGNALS).describe('The signal that asks a worker to end').prefault('SIGTERM'),
    grace: field.duration().describe('How long draining and ending may take before SIGKILL').prefault('30s'),
  })
  .describe('How workers are stopped')
  .prefault({})
  .transform((given) => ({ signal: given.signal, graceMs: given.grace }));

const restart = z
  .strictObject({
    policy: z
      .enum(['always', 'on-failure', 'never'])
      .describe('Which deaths are answered by a new start')
      .prefault('always'),
    backoff: field.duration().describe('The first wait between deaths; it doubles').prefault('100ms'),
    max_backoff: field.duration().describe('The longest wait').prefault('30s'),
    max_restarts: field
      .count(0, MILLION)
      .describe('Deaths without a stable window between before the app is `failed`')
      .prefault(10),
    window: field.duration().describe('How long a worker must live to count as stable').prefault('60s'),
    retry_after: field.duration().describe('When a failed app is tried again; 0 is never').prefault('5m'),
  })
  .describe('What happens when a worker dies')
  .prefault({})
  .transform(
    (given): RestartConfig => ({
      policy: given.policy,
      backoffMs: given.backoff,
      maxBackoffMs: given.max_backoff,
      maxRestarts: given.max_restarts,
      windowMs: given.window,
      retryAfterMs: given.retry_after,
    }),
  );

const recycleByResources = {
  jitter: field
    .share()
    .describe('Each worker draws its own limits, this much around the configured ones')
    .prefault('10%'),
  max_age: field
    .duration({ minMs: 1, maxMs: TEN_YEARS_MS })
    .nullable()
    .describe('Replace a worker at this age')
    .prefault(null),
  max_memory: field
    .size({ minBytes: 1024 ** 2 })
    .nullable()
    .describe('Replace a worker above this memory')
    .prefault(null),
  max_concurrent: field.count(1, MOST_WORKERS).describe('Workers of one pool that are replaced at once').prefault(1),
};

const recycleByWork = {
  max_users: field
    .count(1, 1000 * MILLION)
    .nullable()
    .describe('Replace a worker after this many distinct users')
    .prefault(null),
  user_key: field.userKey().nullable().describe('Where a request names its user: header:NAME').prefault(null),
  max_requests: field
    .count(1, 1000 * MILLION)
    .nullable()
    .describe('Replace a worker after this many requests')
    .prefault(null),
};

const RECYCLE_TEXT = 'When a worker is replaced by a fresh one; every limit is off unless it is set';
const servingRecycle = z
  .strictObject({ ...recycleByWork, ...recycleByResources })
  .describe(RECYCLE_TEXT)
  .prefault({});
const commandRecycle = z
  .strictObject(recycleByResources)
  .describe(RECYCLE_TEXT)
  .prefault({})
  .transform((given) => ({ ...given, max_users: null, user_key: null, max_requests: null }));

const CONDITIONS = ['ready', 'started'] as const;
const dependsOn = z
  .union([z.array(z.string()), z.record(z.string(), z.enum(CONDITIONS))])
  .describe('Apps that must be ready (or started) first: a list, or a map of name to condition')
  .prefault([])
  .transform((given): Dependency[] =>
    Array.isArray(given)
      ? given.map((app) => ({ app, condition: 'ready' }))
      : Object.entries(given).map(([app, condition]) => ({ app, condition })),
  );

function common<K extends AppKind>(kind: K) {
  return {
    kind: z.literal(kind).optional().describe('model, http or command; may be left out where other keys show it'),
    namespace: field.nameText().describe('A name for a group of apps, to act on together').prefault('default'),
    env: field.environment().describe('Environment of the workers, over `env_file`').prefault({}),
    env_file: z
      .union([field.filePath(), z.array(field.filePath())])
      .describe('A .env file, or a list; later ones win')
      .prefault([]),
    cwd: field.filePath().describe("The workers' working directory").prefault('.'),
    args: field.words().describe('Arguments for the program').prefault([]),
    node_args: field.words().describe('Flags for Node itself, such as --max-old-space-size=512').prefault([]),
    stop,
    restart,
    leak,
    log: logOverrides.describe('Logging of this app, over the `log` of the file').prefault({}),
    depends_on: dependsOn,
  };
}

const READY_TIMEOUT_TEXT = 'A worker that is not ready by then has failed';

function readyWithProbe(timeout: string) {
  return z
    .strictObject({
      timeout: field.duration({ minMs: 1 }).describe(READY_TIMEOUT_TEXT).prefault(timeout),
      probe: field
        .probe()
        .nullable()
        .describe('What shows that it is ready: http://…, tcp://HOST:PORT or log:PATTERN')
        .prefault(null),
    })
    .describe('When a worker counts as ready')
    .prefault({})
    .transform((given) => ({ timeoutMs: given.timeout, probe: given.probe }));
}

const health = z
  .strictObject({
    wedge: field
      .duration({ minMs: 1 })
      .describe('A worker whose event loop is silent for this long is killed and replaced')
      .prefault('30s'),
  })
  .describe('How a stuck worker is found')
  .prefault({})
  .transform((given) => ({ wedgeMs: given.wedge }));

const options = z.record(z.string(), z.unknown());

export const modelApp = z
  .strictObject({
    ...common('model'),
    module: field.filePath().optional().describe('The module of a model with a single version, `v1`'),
    options: options.describe('Given to the model as ctx.options; the base of each version’s own').prefault({}),
    versions: z
      .record(
        field.nameText(),
        z.strictObject({
          module: field.filePath().optional().describe('The module of this version'),
          options: options.describe('Options of this version, over the app’s').prefault({}),
          weight: model.weight,
          unload: model.versionUnload,
        }),
      )
      .optional()
      .describe('Versions of the model by name'),
    default: model.defaultVersion,
    version_policy: model.versionPolicy,
    workers: workers(0),
    scale: modelScale,
    limits: servingLimits,
    isolation: z
      .enum(['process', 'thread'])
      .describe('A process for each worker, or threads in one process')
      .prefault('process'),
    thread_host: z
      .string()
      .regex(/^[A-Za-z0-9][\w.-]*$/, { error: () => 'must be a name of letters, digits, `.`, `_` and `-`' })
      .nullable()
      .describe('With `isolation: thread`: models that give the same name share one host process')
      .prefault(null),
    concurrency: field.count(1, 4096).describe('Requests (or batches) in flight in one worker').prefault(1),
    timeout: field
      .duration({ minMs: 1 })
      .describe("A prediction's deadline, queueing included, load time excluded")
      .prefault('30s'),
    batching: model.batching,
    queue: model.queue,
    routing: model.routing,
    unload: model.unload,
    idempotent: z.boolean().describe('Whether an input may be tried again after its worker died').prefault(true),
    ready: z
      .strictObject({ timeout: field.duration({ minMs: 1 }).describe(READY_TIMEOUT_TEXT).prefault('300s') })
      .describe('How long load and warm-up may take')
      .prefault({})
      .transform((given) => ({ timeoutMs: given.timeout, probe: null })),
    recycle: servingRecycle,
    health: model.modelHealth,
  })
  .describe('A model: a module that exports defineModel({ load, predict, … })')
  .meta({ oneOf: [{ required: ['module'] }, { required: ['versions'] }] });

export const httpApp = z
  .strictObject({
    ...common('http'),
    script: field.filePath().optional().describe('A program that calls listen(), unmodified'),
    handler: field.filePath().optional().describe('A module that exports a request handler or an app'),
    command: field.argv().optional().describe('A program in another language that takes the socket by LISTEN_FDS'),
    host: field.listenHost().describe('The address to listen on').prefault('127.0.0.1'),
    port: field.count(1, 65_535).optional().describe('The port that all workers share'),
    workers: workers(1),
    scale,
    limits: servingLimits,
    ready: readyWithProbe('30s'),
    recycle: servingRecycle,
    health,
  })
  .describe('A web app: workers that share one port')
  .meta({
    required: ['port'],
    oneOf: [{ required: ['script'] }, { required: ['handler'] }, { required: ['command'] }],
  });

export const commandApp = z
  .strictObject({
    ...common('command'),
    command: field.argv().optional().describe('The program and its arguments, never through a shell'),
    overlap: z.boolean().describe('Start the new process before the old one has stopped').prefault(false),
    workers: workers(1),
    limits: commandLimits,
    ready: readyWithProbe('30s'),
    recycle: commandRecycle,
  })
  .describe('Any other program')
  .meta({ required: ['command'] });

export const APP_SCHEMAS = { model: modelApp, http: httpApp, command: commandApp } as const;

export type ParsedModel = z.output<typeof modelApp>;
export type ParsedHttp = z.output<typeof httpApp>;
export type ParsedCommand = z.output<typeof commandApp>;
