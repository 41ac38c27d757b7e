/**
 * What the rest of the program gets from a configuration file: camelCase, base units in names, absolute paths, every default
 * filled in. The zod schemas are checked against these shapes, so neither can drift from the other.
 */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFormat = 'json' | 'plain';
export type Auth = 'token' | 'none';

export interface Config {
  /** Absolute path of the file this was read from. */
  file: string;
  /** Its folder: the base of relative paths and the default `cwd` of workers. */
  dir: string;
  project: string;
  log: LogConfig;
  control: ControlConfig;
  inference: InferenceConfig;
  limits: LimitsConfig;
  sensing: { intervalMs: number };
  pressure: PressureConfig;
  /** Shares of all cores (or of the quota), 0..1, ascending. */
  cpu: { moderate: number; high: number; critical: number };
  models: ModelsConfig;
  unloading: UnloadingConfig;
  /** Absolute paths of modules that the master imports. */
  plugins: string[];
  /** In the order of the file. */
  apps: AppConfig[];
  /** sha256 of the file's text, hexadecimal. */
  hash: string;
}

export interface LogConfig {
  level: LogLevel;
  format: LogFormat;
  rotate: { sizeBytes: number; keep: number; maxAgeMs: number };
}

export interface ControlConfig {
  host: string;
  /** 0 takes any free one. */
  port: number;
  /** Whether the user chose the port: a taken default one is a warning, a taken chosen one an error. */
  explicitPort: boolean;
  auth: Auth;
  allowedHosts: string[];
}

export interface InferenceConfig {
  host: string;
  /** 0 takes any free one. */
  port: number;
  explicitPort: boolean;
  auth: Auth;
  maxBodyBytes: number;
  defaultModel: string | null;
  allowedHosts: string[];
}

/** What all apps together may use; null: what the machine or the control group has. */
export interface LimitsConfig {
  memoryBytes: number | null;
  cpuCores: number | null;
  gpuMemoryBytes: number | null;
}

/** Of the memory limit: a share of it (0..1), or bytes. */
export type Threshold = { share: number } | { bytes: number };

export interface PressureConfig {
  medium: Threshold;
  high: Threshold;
  critical: Threshold;
  cleanup: Threshold;
  recycle: Threshold;
  emergency: Threshold;
  /** Levels follow what is usual on this box. */
  adaptive: boolean;
}

/** How a pool's size follows its demand, between workers.min and workers.max. */
export interface ScaleConfig {
  /** Workers in hand over the offered load a: a + headroom·√a. */
  headroom: number;
  /** Mean requests in flight and queued a worker; null: the offered load decides. */
  target: number | null;
  upWindowMs: number;
  upCooldownMs: number;
  downWindowMs: number;
}

/** When models that may be unloaded are loaded. */
export interface ModelsConfig {
  /** Null: what memory has room for. */
  maxLoaded: number | null;
  concurrentLoads: number;
  coldStart: 'lazy' | 'eager' | 'hybrid';
  /** Null: each model's `ready.timeout`. */
  coldStartTimeoutMs: number | null;
  preloadPopular: boolean;
  popularityThreshold: number;
  ttlMs: number | null;
  failureCooldownMs: number;
  predictive: { enabled: boolean; windowMs: number; horizonMs: number; forecastOnly: boolean };
}

export type UnloadStrategy = 'aggressive' | 'balanced' | 'conservative';

/** A word of a user on unloading a model: never, first of all, or none. */
export type UnloadPreference = 'keep' | 'evict' | null;

/** By what is lost with it, by greedy dual size and frequency, or by when it was used last. */
export type UnloadOrder = 'keep_value' | 'gdsf' | 'lru';

/** When models that may be unloaded are unloaded. */
export interface UnloadingConfig {
  enabled: boolean;
  /** One of the three, or what a plug-in has registered. */
  strategy: string;
  timeoutsMs: Record<UnloadStrategy, number>;
  checkIntervalMs: number;
  /** 0..1 of the memory limit: from there on nothing waits for the next cycle. */
  pressureThreshold: number;
  /** Idle time under high pressure. */
  pressureTimeoutMs: number;
  maxPerCycle: number;
  minSavingsBytes: number;
  minResidencyMs: number;
  order: UnloadOrder;
  byPressure: boolean;
  byPattern: boolean;
  byPreference: boolean;
  adaptive: boolean;
  trackImpact: boolean;
}

/** How one model is unloaded. */
export interface ModelUnloadConfig {
  /** Null: that of the box. */
  strategy: string | null;
  preference: UnloadPreference;
}

export type BalancerName =
  | 'least_connections'
  | 'round_robin'
  | 'least_response_time'
  | 'weighted_round_robin'
  | 'consistent_hash';

export type RoutingKey = 'user' | 'input' | { header: string };

export interface RoutingConfig {
  strategy: BalancerName;
  /** `header` is in lower case. */
  key: RoutingKey;
}

export type VersionPolicy =
  | { kind: 'all' }
  | { kind: 'latest'; count: number }
  | { kind: 'listed'; versions: readonly string[] };

export interface ModelHealthConfig {
  wedgeMs: number;
  intervalMs: number;
  checkTimeoutMs: number;
  /** In a row. */
  failures: number;
  /** The longest ejection. */
  cooldownMs: number;
  /** 0..1 of the workers of a pool. */
  maxEjected: number;
}

export interface LeakConfig {
  windowMs: number;
  /** Growth in bytes a minute below this is none. */
  minGrowthBytes: number;
  /** Replace a worker that is suspected. */
  recycle: boolean;
}

export type AppConfig = ModelAppConfig | HttpAppConfig | CommandAppConfig;

export interface CommonAppConfig {
  name: string;
  namespace: string;
  workers: { min: number; max: number };
  /** `env_file` merged under `env`. */
  env: Record<string, string>;
  cwd: string;
  args: string[];
  nodeArgs: string[];
  ready: { timeoutMs: number; probe: Probe | null };
  stop: { signal: NodeJS.Signals; graceMs: number };
  restart: RestartConfig;
  recycle: RecycleConfig;
  leak: LeakConfig;
  /** `memoryBytes`: what all workers of the app should share; `heapBytes`: V8's old space of one worker. */
  limits: { memoryBytes: number | null; heapBytes: number | null };
  /** `wedgeMs` is 0 for commands: they send no heartbeat. */
  health: { wedgeMs: number };
  /** The app's `log` over the file's. */
  log: LogConfig;
  dependsOn: Dependency[];
}

export interface RestartConfig {
  policy: 'always' | 'on-failure' | 'never';
  backoffMs: number;
  maxBackoffMs: number;
  maxRestarts: number;
  windowMs: number;
  /** 0: never tried again. */
  retryAfterMs: number;
}

/** Every limit is off while it is null. */
export interface RecycleConfig {
  maxUsers: number | null;
  /** `header` is in lower case. */
  userKey: { header: string } | null;
  maxRequests: number | null;
  /** 0 to 1. */
  jitter: number;
  maxAgeMs: number | null;
  maxMemoryBytes: number | null;
  maxConcurrent: number;
}

export interface Dependency {
  app: string;
  condition: 'ready' | 'started';
}

export type Probe =
  | { kind: 'http'; url: string }
  | { kind: 'tcp'; host: string; port: number }
  /** `pattern` is the source of a regular expression that compiles. */
  | { kind: 'log'; pattern: string };

export interface ModelVersion {
  version: string;
  /** Absolute path. */
  module: string;
  options: Record<string, unknown>;
  /** Relative to the other versions'; null where nothing is said. */
  weight: number | null;
  /** What it says itself, over what its app says. */
  unload: ModelUnloadConfig;
}

export interface ModelAppConfig extends CommonAppConfig {
  kind: 'model';
  /** In the order of the file. */
  versions: ModelVersion[];
  /** That answers requests naming no version, where weights don't say otherwise. */
  defaultVersion: string;
  versionPolicy: VersionPolicy;
  routing: RoutingConfig;
  isolation: 'process' | 'thread';
  /** Name of the host that its threads share with those of other models; null: they have one of their own. */
  threadHost: string | null;
  concurrency: number;
  timeoutMs: number;
  /** `preferred`: batch sizes, ascending. */
  batching: { maxSize: number; maxDelayMs: number; preferred: readonly number[] };
  queue: { max: number; ageingMs: number; shedding: boolean };
  idempotent: boolean;
  health: ModelHealthConfig;
  /** `toZeroAfterMs`: idle time after which a model with `min: 0` is unloaded; null: the unloading strategy decides. */
  scale: ScaleConfig & { toZeroAfterMs: number | null };
  /**
   * `requires`: models (`app` or `app@version`) that are loaded before this one, and unloaded after it. `keepProcess`: whether a process may stay
   * when its model is unloaded.
   */
  unload: { requires: readonly string[]; keepProcess: boolean };
}

/** `script` and `handler` are absolute paths; a `command` is run in `cwd` as it is written. */
export type HttpProgram = { script: string } | { handler: string } | { command: string[] };

export interface HttpAppConfig extends CommonAppConfig {
  kind: 'http';
  runs: HttpProgram;
  host: string;
  port: number;
  scale: ScaleConfig;
}

export interface CommandAppConfig extends CommonAppConfig {
  kind: 'command';
  command: string[];
  /** Start the new process before the old one has stopped. */
  overlap: boolean;
}
