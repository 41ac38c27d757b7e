/**
 * What the control plane, the inference server and embedders may ask of a running master. The shapes of rows and reports are
 * the contract that the CLI and outside tools rely on.
 */

import type { ModelWindow } from '../metrics/model-history.js';
import type { CancelSignal } from '../pool/job.js';
import type { WorkerState } from '../worker/state.js';
import type { ConfigChange, ConfigReport, ConfigSetting } from './config-report.js';
import type { ModelMetadata, ModelStatus } from './model-status.js';
import type { CleanupReport, MemoryReport, ResourceReport, Sizing, WorkerResources } from './resource-reports.js';
import type { GarbageReport, UnloadingStatus } from './unloading-status.js';

export type * from './config-report.js';
export type * from './model-status.js';
export type * from './resource-reports.js';
export type * from './unloading-status.js';

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

export type Verb = 'start' | 'stop' | 'restart' | 'reload' | 'recycle' | 'delete' | 'load' | 'unload';

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
  /** Value of the header that `routing.key` names, if it names one; requests of the same value go to the same worker. */
  sticky: string | null;
  /** Aborted when the client went away. */
  signal: CancelSignal | null;
}

export interface PredictReply {
  model: string;
  version: string;
  /** One entry for each input, in order. */
  results: PredictOutcome[];
  timing: { queue_ms: number; compute_ms: number; total_ms: number };
}

export interface StreamRequest extends Omit<PredictRequest, 'inputs'> {
  input: unknown;
}

/**
 * The chunks of one answer as they come; of a model that doesn't stream, its whole answer as one. The iterator's last value tells how it was
 * made. `next` rejects with the SupError that ended it; `return`, as by leaving a loop, cancels the prediction.
 */
export interface PredictStream extends AsyncIterableIterator<unknown, StreamEnd | undefined> {
  readonly model: string;
  readonly version: string;
  return(): Promise<IteratorResult<unknown, StreamEnd | undefined>>;
  [Symbol.asyncIterator](): PredictStream;
}

export interface StreamEnd {
  worker: string;
  timing: PredictReply['timing'];
}

export type PredictOutcome =
  | { ok: true; output: unknown; worker: string }
  | { ok: false; error: import('../errors.js').SupError };

export interface Supervisor {
  readonly version: string;
  readonly startedAt: string;
  readonly home: string;
  /** `ok` while every app with `min >= 1` has a ready worker and a queue that moves. */
  health(): {
    ok: boolean;
    apps: {
      name: string;
      version: string | null;
      state: AppState;
      /** Why its queue does not move, where it does not. */
      stalled: string | null;
      ready: number;
      desired: number;
    }[];
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
  /** Every version of every model. */
  models(): ModelStatus[];
  /** What unloading brought so far, and what would go next. */
  unloading(): UnloadingStatus;
  /** What all of them together did in the last so many seconds, at most an hour. */
  modelWindow(seconds: number): ModelWindow;
  /** The configuration that is in force, of all files, and where each value comes from. */
  config(): ConfigReport;
  /**
   * Changes keys while everything goes on, all of them or none; no worker is replaced. Kept until the file's own value changes, or it is reset.
   * @throws SupError SUP_CONFIG_INVALID, with `data.problems: string[]`; SUP_CONFLICT for what needs new workers or listeners
   */
  patchConfig(changes: readonly ConfigSetting[]): Promise<ConfigChange>;
  /** Takes back what was changed at run time: one key and what is below it; null: all. @throws SupError SUP_BAD_REQUEST */
  resetConfig(key: readonly string[] | null): Promise<ConfigChange>;
  decisions(filter: { policy?: string; subject?: string; limit?: number }): Decision[];
  /** Last lines, oldest first. @throws SupError SUP_NO_SUCH_TARGET */
  logs(target: string, options: { lines: number; since: Date | null }): Promise<LogLine[]>;
  /** Calls back with each new line; returns the function that ends it. @throws SupError SUP_NO_SUCH_TARGET */
  followLogs(target: string, onLine: (line: LogLine) => void): () => void;
  onEvent(listener: (event: SupervisorEvent) => void): () => void;
  predict(request: PredictRequest): Promise<PredictReply>;
  /** @throws SupError SUP_MODEL_NOT_FOUND; what comes later is told by the stream */
  stream(request: StreamRequest): Promise<PredictStream>;
  /** The name of the model that answers a request naming none. @throws SupError SUP_MODEL_NOT_FOUND */
  defaultModel(): string;
  /** The header that carries the user of a request to this model (lower case), or null. */
  userHeader(model: string): string | null;
  /** The header whose value the worker of a request to this model is chosen by (lower case), or null. */
  routingHeader(model: string): string | null;
  /** The version that a request goes to; where weights choose, each call may give another. @throws SupError SUP_MODEL_NOT_FOUND */
  versionFor(model: string, version: string | null, user: string | null): string;
  /**
   * What a version declares; null: the default one. Where it was never loaded, a short-lived child reads it.
   * @param options `wake`: a request follows, so load the model meanwhile
   * @throws SupError SUP_MODEL_NOT_FOUND; SUP_LOAD_FAILED where its module can't be read; SUP_MODEL_ERROR where it declares no tensors that are any
   */
  modelMetadata(model: string, version: string | null, options?: { wake?: boolean }): Promise<ModelMetadata>;
  /** What the box and every worker use, how it develops, and what to do about it. */
  resources(): ResourceReport;
  memory(): MemoryReport;
  /** Runs the cleanup rung of the memory ladder now, in every worker; resolves when it is measured, within 5 s. */
  cleanup(): Promise<CleanupReport>;
  /** Collects the garbage of every Node worker; nothing is dropped, and no cleanup hook runs. */
  collectGarbage(): Promise<GarbageReport>;
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
  /** Null for what is no model. */
  model: ModelStatus | null;
  /** Null where the size is fixed. */
  sizing: Sizing | null;
  resources: WorkerResources[];
  decisions: Decision[];
}
