/**
 * What the control plane, the inference server and embedders may ask of a running master. The shapes of rows and reports are
 * the contract that the CLI and outside tools rely on.
 */
import type { WorkerState } from '../worker/state.js';

export type AppState = 'starting' | 'online' | 'degraded' | 'idle' | 'stopping' | 'stopped' | 'failed';
export type AppMode = 'process' | 'thread' | 'cluster' | 'command';
export type AppKind = 'model' | 'http' | 'command';

export interface WorkerRow {
  /** `intents@v1/3`, for http and commands `web/3`. */
  id: string;
  pid: number | null;
  /** Number of the thread inside its host, null for processes. */
  thread: number | null;
  state: WorkerState;
  generation: number;
  age_seconds: number;
  requests: number;
  users: number;
  in_flight: number;
  memory_bytes: number | null;
  cpu_percent: number | null;
}

export interface AppRow {
  name: string;
  version: string | null;
  kind: AppKind;
  mode: AppMode;
  namespace: string;
  state: AppState;
  /** Why it is not online, where it is not; null otherwise. */
  reason: string | null;
  generation: number;
  ready: number;
  desired: number;
  min: number;
  max: number;
  restarts: number;
  recycles: number;
  cpu_percent: number | null;
  memory_bytes: number | null;
  uptime_seconds: number;
  port: number | null;
  queued: number;
  workers: WorkerRow[];
}

export interface Decision {
  /** ISO 8601. */
  time: string;
  policy: string;
  /** An app, `app@version` or worker. */
  subject: string;
  action: string;
  reason: string;
  numbers: Record<string, number | string | null>;
}

export type Verb = 'start' | 'stop' | 'restart' | 'reload' | 'recycle' | 'delete';

/** How one app came out of an act. */
export interface ActResult {
  app: string;
  ok: boolean;
  error: { code: string; message: string; log_tail: string[] } | null;
}

export interface ActReport {
  ok: boolean;
  results: ActResult[];
  /** Things a user should know that stopped nothing. */
  warnings: string[];
  apps: AppRow[];
}

export interface LogLine {
  /** ISO 8601. */
  time: string;
  app: string;
  worker: string;
  stream: 'stdout' | 'stderr' | 'supervisor';
  line: string;
}

export type SupervisorEvent =
  | { type: 'decision'; decision: Decision }
  | { type: 'worker'; worker: string; app: string; state: WorkerState; from: WorkerState; time: string }
  | { type: 'app'; app: string; state: AppState; time: string };

export interface PredictRequest {
  model: string | null;
  version: string | null;
  inputs: readonly unknown[];
  priority: number;
  /** Overrides the app's `timeout` downwards or upwards; null: the app's. */
  timeoutMs: number | null;
  user: string | null;
  /** Aborted when the client went away. */
  signal: AbortSignal | null;
}

export interface PredictReply {
  model: string;
  version: string;
  /** One entry for each input, in order. */
  results: PredictOutcome[];
  timing: { queue_ms: number; compute_ms: number; total_ms: number };
}

export type PredictOutcome =
  | { ok: true; output: unknown; worker: string }
  | { ok: false; error: import('../errors.js').SupError };

export interface Supervisor {
  readonly version: string;
  readonly startedAt: string;
  readonly home: string;
  /** `ok` while every app with `min >= 1` has a ready worker. */
  health(): {
    ok: boolean;
    apps: { name: string; version: string | null; state: AppState; ready: number; desired: number }[];
  };
  list(): AppRow[];
  /** Reads a configuration file and adds or updates its apps; resolves when all are ready or idle, or have given up.
   * @throws SupError SUP_CONFIG_INVALID, with `data.problems: string[]` */
  apply(file: string, options?: { only?: readonly string[] }): Promise<ActReport>;
  /** Target: an app, `app@version`, a worker, a namespace, `/regex/` or `all`; for `reload` also the absolute path of a configuration.
   * @throws SupError SUP_NO_SUCH_TARGET, SUP_CONFLICT */
  act(verb: Verb, target: string): Promise<ActReport>;
  /** Size: `3`, `+1`, `-1` or `auto`. @throws SupError SUP_NO_SUCH_TARGET, SUP_BAD_REQUEST */
  scale(target: string, size: string): Promise<ActReport>;
  /** Rows of the target's apps. @throws SupError SUP_NO_SUCH_TARGET */
  describe(target: string): AppDetail[];
  decisions(filter: { policy?: string; subject?: string; limit?: number }): Decision[];
  /** Last lines, oldest first. @throws SupError SUP_NO_SUCH_TARGET */
  logs(target: string, options: { lines: number; since: Date | null }): Promise<LogLine[]>;
  /** Calls back with each new line; returns the function that ends it. @throws SupError SUP_NO_SUCH_TARGET */
  followLogs(target: string, onLine: (line: LogLine) => void): () => void;
  onEvent(listener: (event: SupervisorEvent) => void): () => void;
  predict(request: PredictRequest): Promise<PredictReply>;
  /** The name of the model that answers a request naming none. @throws SupError SUP_MODEL_NOT_FOUND */
  defaultModel(): string;
  /** The header that carries the user of a request to this model (lower case), or null. */
  userHeader(model: string): string | null;
  /** What the box and every worker use, how it develops, and what to do about it. */
  resources(): ResourceReport;
  memory(): MemoryReport;
  /** Runs the cleanup rung of the memory ladder now, in every worker; resolves when it is measured, within 5 s. */
  cleanup(): Promise<CleanupReport>;
  /** Drains and stops everything, then ends the master. */
  shutdown(reason: string): Promise<void>;
}

/** A row with what only `describe` shows. */
export interface AppDetail extends AppRow {
  config_file: string;
  /** What runs: module, script or command. Never with environment values. */
  runs: string;
  cwd: string;
  env_names: string[];
  recycle: Record<string, unknown>;
  restart: Record<string, unknown>;
  stop: Record<string, unknown>;
  /** Null where the size is fixed. */
  sizing: Sizing | null;
  resources: WorkerResources[];
  decisions: Decision[];
}

/** How the size of a pool follows its demand. */
export interface Sizing {
  desired: number;
  min: number;
  max: number;
  /** Pinned with `scale`. */
  pinned: number | null;
  /** What demand alone asks for. */
  target: number | null;
  /** What keeps it from the target: memory, cpu, cooldown, learning, window, pressure, busy, min, max, or nothing. */
  held_by: string | null;
  reason: string | null;
  /** Requests a second, as measured at each size. */
  learned: { workers: number; per_second: number }[];
}

/** What one worker uses. Null: not measured (yet), or not to be had. */
export interface WorkerResources {
  id: string;
  pid: number | null;
  thread: number | null;
  /** Its part of the process tree's memory: what recycling looks at. */
  memory_bytes: number | null;
  rss_bytes: number | null;
  vms_bytes: number | null;
  pss_bytes: number | null;
  uss_bytes: number | null;
  cpu_percent: number | null;
  /** Of its process tree. */
  threads: number | null;
  open_files: number | null;
  heap_used_bytes: number | null;
  heap_limit_bytes: number | null;
  external_bytes: number | null;
  array_buffer_bytes: number | null;
  /** 0..1 of its event loop. */
  event_loop_utilisation: number | null;
  event_loop_lag_ms: number | null;
  gc_count: number | null;
  gc_ms: number | null;
  in_flight: number;
  limit_bytes: number | null;
  growth_mb_per_minute: number | null;
}

export interface MemoryStatus {
  pressure: 'low' | 'medium' | 'high' | 'critical';
  /** What we use: the master, its workers and what they started. */
  used_bytes: number | null;
  limit_bytes: number | null;
  /** used / limit, 0..1. */
  used_share: number | null;
  /** Where the limit comes from. */
  limit_from: 'limits.memory' | 'cgroup' | 'machine' | null;
  /** What the machine (or the control group) still has. */
  available_bytes: number | null;
  total_bytes: number | null;
  /** Shares of the limit, as they are in force (adaptive ones move). */
  thresholds: Record<'medium' | 'high' | 'critical' | 'cleanup' | 'recycle' | 'emergency', number> | null;
}

/** GET /api/memory/ */
export interface MemoryReport extends MemoryStatus {
  time: string;
  master_bytes: number | null;
  apps: { name: string; version: string | null; memory_bytes: number | null; fair_bytes: number | null; workers: number }[];
  workers: { id: string; memory_bytes: number | null; pss_bytes: number | null; limit_bytes: number | null }[];
  /** The latest steps of the memory ladder, newest last. */
  steps: LadderRow[];
  growth_mb_per_minute: number | null;
}

export interface LadderRow {
  time: string;
  rung: string;
  targets: string[];
  before_bytes: number;
  /** Null while it runs. */
  after_bytes: number | null;
  freed_bytes: number | null;
  took_ms: number | null;
}

/** POST /api/cleanup/ */
export interface CleanupReport {
  before_bytes: number | null;
  after_bytes: number | null;
  freed_bytes: number | null;
  took_ms: number;
  workers: {
    id: string;
    /** Why it was not cleaned up: not a Node worker, busy, no answer in time; null: it was. */
    skipped: string | null;
    passes: number;
    before_bytes: number | null;
    after_bytes: number | null;
    freed_bytes: number | null;
    errors: string[];
  }[];
}

export interface Recommendation {
  /** `leak`, `limit`, `size`, `pressure`, `cpu`, `disk`, `event_loop`, `gc` */
  type: string;
  /** App, worker or `box`. */
  subject: string;
  message: string;
  suggestion: string;
  priority: 'low' | 'medium' | 'high';
  numbers: Record<string, number | string | null>;
}

/** Over the last minutes: least, greatest, median, 95th percentile and change a minute. */
export interface Trend {
  window_seconds: number;
  samples: number;
  min: number;
  max: number;
  p50: number;
  p95: number;
  per_minute: number;
}

/** GET /api/resources */
export interface ResourceReport {
  time: string;
  status: {
    memory: MemoryStatus;
    cpu: {
      level: 'low' | 'moderate' | 'high' | 'critical' | null;
      /** 0..1 of all cores. */
      share: number | null;
      per_core: number[] | null;
      load: [number, number, number] | null;
      cores: number | null;
      quota_cores: number | null;
      quota_share: number | null;
    };
    /** PSI, 0..1 of the last 10 s. */
    stall: {
      memory_some: number | null;
      memory_full: number | null;
      cpu_some: number | null;
      io_some: number | null;
    } | null;
    swap: { total_bytes: number; free_bytes: number } | null;
    disk: { path: string; total_bytes: number; free_bytes: number } | null;
    network: {
      received_bytes: number;
      sent_bytes: number;
      received_per_second: number;
      sent_per_second: number;
    } | null;
    gpus: { name: string; total_bytes: number; used_bytes: number; share: number | null }[] | null;
    master: { memory_bytes: number | null; cpu_percent: number | null; threads: number | null; open_files: number | null };
  };
  apps: (Sizing & { name: string; version: string | null; memory_bytes: number | null; cpu_percent: number | null })[];
  workers: WorkerResources[];
  trends: { memory_bytes: Trend | null; memory_share: Trend | null; cpu_share: Trend | null };
  /** Workers whose memory grows significantly. */
  growth: {
    worker: string;
    mb_per_minute: number;
    at_least_mb_per_minute: number;
    seconds_to_limit: number | null;
    suspected: boolean;
  }[];
  recommendations: Recommendation[];
}
