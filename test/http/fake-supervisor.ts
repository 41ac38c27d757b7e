import { SupError } from '../../src/errors.js';
import type {
  ActReport,
  AppDetail,
  AppRow,
  LogLine,
  ModelMetadata,
  ModelStatus,
  PackageStatus,
  PredictRequest,
  PredictStream,
  StreamRequest,
  Supervisor,
  SupervisorEvent,
  UnloadingStatus,
  UnloadTotals,
} from '../../src/master/supervisor.js';
import { NO_UNLOADS } from '../../src/models/unload-log.js';
import { modelStatus, modelWindow } from '../support/model-reports.js';
import { cleanupReport, memoryReport, resourceReport } from '../support/reports.js';

export interface FakeSupervisor extends Supervisor {
  /** What was asked, as `act reload web`. */
  readonly calls: string[];
  readonly predictions: PredictRequest[];
  readonly followers: Set<(line: LogLine) => void>;
  readonly listeners: Set<(event: SupervisorEvent) => void>;
}

/** A supervisor of one app `web` and one model `intents`, that answers at once; any part can be replaced. */
export function fakeSupervisor(parts: Partial<Supervisor> = {}): FakeSupervisor {
  const calls: string[] = [];
  const predictions: PredictRequest[] = [];
  const followers = new Set<(line: LogLine) => void>();
  const listeners = new Set<(event: SupervisorEvent) => void>();
  const note = async (...words: unknown[]): Promise<ActReport> => {
    calls.push(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' '));
    return report();
  };
  return {
    calls,
    predictions,
    followers,
    listeners,
    version: '1.2.3',
    startedAt: '2026-01-01T00:00:00.000Z',
    home: '/nowhere',
    health: () => ({
      ok: true,
      apps: [{ name: 'web', version: null, state: 'online', stalled: null, ready: 2, desired: 2 }],
    }),
    list: () => [row('web')],
    apply: (file, options) => note('apply', file, options ?? {}),
    act: (verb, target) => note('act', verb, target),
    scale: (target, size) => note('scale', target, size),
    describe: (target) => {
      calls.push(`describe ${target}`);
      if (target === 'nosuch') throw new SupError('SUP_NO_SUCH_TARGET', "there is no 'nosuch'");
      return [detail('web')];
    },
    config: () => ({
      values: { unloading: { strategy: 'balanced' } },
      origins: { 'unloading.strategy': { value: 'balanced', origin: 'default' } },
    }),
    patchConfig: async (changes) => {
      calls.push(...changes.map(({ path, value }) => `patch ${path.join('.')} ${JSON.stringify(value)}`));
      const changed = changes.map(({ path, value }) => ({ key: path.join('.'), before: null, after: value }));
      return { changed, warnings: [] };
    },
    resetConfig: async (key) => {
      calls.push(`reset ${key?.join('.') ?? 'all'}`);
      return { changed: [], warnings: [] };
    },
    decisions: (filter) => {
      calls.push(`decisions ${JSON.stringify(filter)}`);
      return [];
    },
    logs: async (target, options) => {
      calls.push(`logs ${target} ${JSON.stringify(options)}`);
      return [logLine('first'), logLine('second')];
    },
    followLogs: (target, onLine) => {
      if (target === 'nosuch') throw new SupError('SUP_NO_SUCH_TARGET', "there is no 'nosuch'");
      followers.add(onLine);
      return () => followers.delete(onLine);
    },
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    predict: async (request) => {
      predictions.push(request);
      return {
        model: request.model ?? 'intents',
        version: request.version ?? 'v1',
        results: request.inputs.map((output) => ({ ok: true, output, worker: 'intents@v1/1' })),
        timing: { queue_ms: 1, compute_ms: 2, total_ms: 3 },
      };
    },
    stream: async (request) => fakeStream(request, [request.input]),
    versionFor: (_model, version) => version ?? 'v1',
    modelMetadata: async (model, version) => modelMetadata({ name: model, version: version ?? 'v1' }),
    defaultModel: () => 'intents',
    userHeader: () => 'x-user-id',
    routingHeader: () => null,
    unloading: () => unloadingStatus(),
    models: () => [modelStatus('v1', { default: false, share: 0 }), modelStatus('v2')],
    modelWindow: (seconds) => {
      calls.push(`window ${seconds}`);
      return modelWindow({ window_seconds: seconds, observed_seconds: seconds });
    },
    resources: () => resourceReport(),
    memory: () => memoryReport(),
    cleanup: async () => {
      calls.push('cleanup');
      return cleanupReport();
    },
    collectGarbage: async () => {
      calls.push('collect garbage');
      return {
        beforeBytes: 1_073_741_824,
        afterBytes: 1_048_576_000,
        workers: 3,
        unanswered: 0,
        at: 1_640_995_200_000,
      };
    },
    shutdown: async (reason) => {
      calls.push(`shutdown ${reason}`);
    },
    ...parts,
  };
}

export function unloadTotals(parts: Partial<UnloadTotals> = {}): UnloadTotals {
  return { ...NO_UNLOADS, ...parts };
}

export function packageStatus(key: string, parts: Partial<PackageStatus> = {}): PackageStatus {
  const [model = key, version = 'v1'] = key.split('@');
  return {
    model,
    version,
    key,
    loaded: true,
    strategy: 'balanced',
    ownStrategy: null,
    preference: null,
    requires: [],
    neededBy: [],
    lastUsedAt: null,
    idleSeconds: null,
    memoryBytes: null,
    totals: unloadTotals(),
    rank: null,
    whyNot: null,
    goesInSeconds: null,
    ...parts,
  };
}

export function unloadingStatus(parts: Partial<UnloadingStatus> = {}): UnloadingStatus {
  return {
    enabled: true,
    checkIntervalSeconds: 60,
    strategy: 'balanced',
    currentStrategy: 'balanced',
    strategies: ['aggressive', 'balanced', 'conservative'],
    pressureThreshold: 0.8,
    maxPerCycle: 5,
    minSavingsBytes: 1024 ** 2,
    observedSeconds: 100,
    totals: unloadTotals(),
    packages: [packageStatus('intents@v1'), packageStatus('intents@v2', { loaded: false })],
    box: { pressure: 'low', usedBytes: 1e9, limitBytes: 4e9 },
    refused: { pinned: 0, young: 0 },
    ...parts,
  };
}

/** Ends like one of the model's, unless a chunk is an error: then with that. */
export function fakeStream(
  request: Pick<StreamRequest, 'model' | 'version'>,
  chunks: Iterable<unknown>,
): PredictStream {
  const left = chunks[Symbol.iterator]();
  const end = { worker: 'intents@v1/1', timing: { queue_ms: 1, compute_ms: 2, total_ms: 3 } };
  return {
    model: request.model ?? 'intents',
    version: request.version ?? 'v1',
    async next() {
      const step = left.next();
      if (step.done) return { done: true, value: end };
      if (step.value instanceof Error) throw step.value;
      return { done: false, value: step.value };
    },
    return: async () => ({ done: true, value: undefined }),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

export function report(parts: Partial<ActReport> = {}): ActReport {
  return { ok: true, results: [{ app: 'web', ok: true, error: null }], warnings: [], apps: [row('web')], ...parts };
}

export function logLine(line: string): LogLine {
  return { time: '2026-01-01T00:00:00.000Z', app: 'web', worker: 'web/1', stream: 'stdout', line };
}

export function row(name: string): AppRow {
  return {
    name,
    version: null,
    kind: 'http',
    mode: 'cluster',
    namespace: 'default',
    state: 'online',
    reason: null,
    generation: 1,
    ready: 1,
    desired: 1,
    min: 1,
    max: 1,
    restarts: 2,
    recycles: 3,
    cpu_percent: null,
    memory_bytes: null,
    uptime_seconds: 5,
    port: 8080,
    queued: 0,
    workers: [],
  };
}

export function intentsStatus(parts: Partial<ModelStatus> = {}): ModelStatus {
  return {
    name: 'intents',
    version: 'v1',
    default: true,
    share: 1,
    state: 'ready',
    reason: null,
    instances: { active: 1, loading: 0, target: 1, min: 1, max: 1 },
    queued: 0,
    in_flight: 0,
    idle_seconds: null,
    keepalive: null,
    loads: {
      loads: 1,
      unloads: 0,
      failures: 0,
      cold_starts: 0,
      hits: 0,
      hit_rate: null,
      mean_seconds: null,
      last_seconds: null,
      total_seconds: 0,
      popularity: 0,
    },
    memory_bytes: null,
    memory_pending: false,
    gpu_memory_bytes: null,
    inputs: {
      requests: 0,
      succeeded: 0,
      model_errors: 0,
      expired: 0,
      cancelled: 0,
      refused: 0,
      lost: 0,
      retries: 0,
      batches: 0,
      compute_ms: 0,
      queue_ms: 0,
    },
    ...parts,
  };
}

/** One that takes rows of text and answers each with a text. */
export function modelMetadata(parts: Partial<ModelMetadata> = {}): ModelMetadata {
  return {
    name: 'intents',
    versions: ['v1'],
    version: 'v1',
    platform: 'test',
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
    outputs: [{ name: 'label', datatype: 'BYTES', shape: [-1] }],
    rows: true,
    streams: false,
    ...parts,
  };
}

function detail(name: string): AppDetail {
  return {
    ...row(name),
    config_file: '/srv/supervisor.yaml',
    runs: 'server.mjs',
    cwd: '/srv',
    env_names: ['API_KEY'],
    recycle: {},
    restart: {},
    stop: {},
    model: null,
    sizing: null,
    resources: [],
    decisions: [],
  };
}
