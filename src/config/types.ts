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
}

export interface ModelAppConfig extends CommonAppConfig {
  kind: 'model';
  /** In the order of the file. */
  versions: ModelVersion[];
  isolation: 'process' | 'thread';
  concurrency: number;
  timeoutMs: number;
  batching: { maxSize: number; maxDelayMs: number };
  queue: { max: number };
  idempotent: boolean;
}

/** `script` and `handler` are absolute paths; a `command` is run in `cwd` as it is written. */
export type HttpProgram = { script: string } | { handler: string } | { command: string[] };

export interface HttpAppConfig extends CommonAppConfig {
  kind: 'http';
  runs: HttpProgram;
  host: string;
  port: number;
}

export interface CommandAppConfig extends CommonAppConfig {
  kind: 'command';
  command: string[];
  /** Start the new process before the old one has stopped. */
  overlap: boolean;
}
