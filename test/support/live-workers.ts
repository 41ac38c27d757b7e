import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { HttpAppConfig, ModelAppConfig } from '../../src/config/schema.js';
import type { Backend, Exit, Instance } from '../../src/worker/backend.js';
import type { ChildEnvironment } from '../../src/worker/backends/child.js';
import { processBackend } from '../../src/worker/backends/process.js';
import { socketBackend } from '../../src/worker/backends/socket.js';
import { ThreadHosts, threadBackend } from '../../src/worker/backends/thread.js';
import { ListenSocket } from '../../src/worker/listen-socket.js';
import type {
  CheckedMessage,
  CleanedMessage,
  CleanupRequest,
  FromWorker,
  Outcome,
  ToWorker,
  Vitals,
} from '../../src/worker/protocol.js';
import { type Answer, FIXTURES, freePort, request } from './box.js';
import { builtWorker } from './built.js';
import { fakeConfig } from './fake-pool.js';

const DEADLINE_MS = 20_000;

/** The built package, as a program would import it. */
export const PACKAGE = pathToFileURL(path.join(path.dirname(builtWorker('model-host.js')), '../src/index.js')).href;

export interface LiveOptions {
  heapBytes?: number;
  nodeArgs?: string[];
  concurrency?: number;
  /** Of the model. */
  options?: Record<string, unknown>;
  /** Whether its processes may stay when their model is unloaded. */
  keep?: boolean;
  env?: Record<string, string>;
  threadHost?: string;
  hosts?: ThreadHosts;
}

const groups = new Set<number>();
const sockets = new Set<ListenSocket>();

/** Real workers of one app, run by the real backend, without a master. */
export class LiveWorkers {
  #launched = 0;

  private constructor(
    private readonly backend: Backend,
    private readonly output: string[],
    private readonly port: number | null,
  ) {}

  static model(isolation: 'process' | 'thread', fixture: string, more: LiveOptions = {}): LiveWorkers {
    const {
      heapBytes = null,
      nodeArgs = [],
      concurrency = 1,
      options = { package: PACKAGE },
      keep = false,
      threadHost = null,
      hosts = new ThreadHosts(),
    } = more;
    const version = {
      version: 'v1',
      module: path.resolve(FIXTURES, 'models', fixture),
      options,
      weight: null,
      unload: { strategy: null, preference: null },
    };
    const shared = common(heapBytes);
    const config: ModelAppConfig = {
      ...shared,
      env: more.env ?? {},
      scale: { ...shared.scale, toZeroAfterMs: null },
      kind: 'model',
      nodeArgs,
      versions: [version],
      isolation,
      threadHost,
      concurrency,
      timeoutMs: 30_000,
      batching: { maxSize: 32, maxDelayMs: 0, preferred: [] },
      queue: { max: 512, ageingMs: 1000, shedding: true },
      defaultVersion: 'v1',
      versionPolicy: { kind: 'all' },
      routing: { strategy: 'least_connections', key: 'user' },
      health: {
        wedgeMs: 10_000,
        intervalMs: 30_000,
        checkTimeoutMs: 5000,
        failures: 3,
        cooldownMs: 300_000,
        maxEjected: 0.5,
      },
      idempotent: true,
      unload: { requires: [], keepProcess: keep },
    };
    const output: string[] = [];
    const launch = isolation === 'thread' ? threadBackend : processBackend;
    const backend = launch({
      config,
      version,
      workersDir: workersDir(),
      environment: environment(output),
      env,
      hosts,
      keepsProcess: () => keep,
      mayKeep: () => keep,
    });
    return new LiveWorkers(backend, output, null);
  }

  static async http(fixture: string, { heapBytes = null }: { heapBytes?: number | null } = {}): Promise<LiveWorkers> {
    const port = await freePort();
    const socket = await ListenSocket.open('127.0.0.1', port);
    sockets.add(socket);
    const config: HttpAppConfig = {
      ...common(heapBytes),
      kind: 'http',
      runs: { script: path.join(FIXTURES, 'http', fixture) },
      host: '127.0.0.1',
      port,
    };
    const output: string[] = [];
    const backend = socketBackend({
      config,
      socket: () => socket,
      workersDir: workersDir(),
      environment: environment(output),
      env,
    });
    return new LiveWorkers(backend, output, port);
  }

  get keptPid(): number | null {
    return this.backend.keptPid ?? null;
  }

  /** Nothing more is launched where this one runs. */
  leave(worker: LiveWorker): void {
    this.backend.leave(worker.domain);
  }

  async release(): Promise<void> {
    await this.backend.release?.();
  }

  /** Without waiting until it is ready. */
  launch(slot = this.#launched): LiveWorker {
    return new LiveWorker(this.backend, `app@v1/${++this.#launched}`, slot, this.output, this.port);
  }

  async ready(slot?: number): Promise<LiveWorker> {
    const worker = this.launch(slot);
    await worker.seen((message) => message.type === 'loaded' || message.type === 'listening');
    return worker;
  }
}

export class LiveWorker {
  readonly messages: FromWorker[] = [];
  readonly exited: Promise<Exit>;
  readonly #instance: Instance;
  readonly #looking = new Set<() => void>();
  #batches = 0;
  #checks = 0;
  #cleanups = 0;

  constructor(
    backend: Backend,
    worker: string,
    slot: number,
    private readonly output: readonly string[],
    private readonly port: number | null,
  ) {
    let exited!: (exit: Exit) => void;
    this.exited = new Promise((resolve) => {
      exited = resolve;
    });
    this.#instance = backend.launch(
      { worker, slot },
      {
        message: (message) => {
          this.messages.push(message);
          for (const look of [...this.#looking]) look();
        },
        exit: exited,
      },
    );
  }

  get pid(): number {
    return this.#instance.pid as number;
  }

  get domain(): string {
    return this.#instance.domain;
  }

  get said(): string {
    return this.output.join('');
  }

  send(message: ToWorker): void {
    this.#instance.send(message);
  }

  /** As the pool unloads a model; resolves when it is told that the worker has ended. */
  async park(wanted = true): Promise<Exit> {
    this.#instance.park?.(() => wanted);
    return this.exited;
  }

  /** The first message that is wanted, past ones included from number `from` on. */
  seen<M extends FromWorker>(wanted: (message: FromWorker) => message is M, from?: number): Promise<M>;
  seen(wanted: (message: FromWorker) => boolean, from?: number): Promise<FromWorker>;
  seen(wanted: (message: FromWorker) => boolean, from = 0): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.messages.slice(from).find(wanted);
        if (!found) return;
        clearTimeout(timer);
        this.#looking.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#looking.delete(look);
        reject(new Error(`not seen in ${JSON.stringify(this.messages.slice(from))}; output: ${this.said}`));
      }, DEADLINE_MS);
      this.#looking.add(look);
      look();
    });
  }

  /** Of the first beat from now on that is wanted. */
  async vitals(wanted: (vitals: Vitals) => boolean = () => true, from = this.messages.length): Promise<Vitals> {
    const beat = await this.seen(
      (message): message is FromWorker & { type: 'heartbeat'; vitals: Vitals } =>
        message.type === 'heartbeat' && message.vitals !== null && wanted(message.vitals),
      from,
    );
    return beat.vitals;
  }

  cleanup(level: CleanupRequest): Promise<CleanedMessage> {
    const id = ++this.#cleanups;
    this.send({ type: 'cleanup', id, level });
    return this.seen((message): message is CleanedMessage => message.type === 'cleaned' && message.id === id);
  }

  check(): Promise<CheckedMessage> {
    const id = ++this.#checks;
    this.send({ type: 'check', id });
    return this.seen((message): message is CheckedMessage => message.type === 'checked' && message.id === id);
  }

  /** Its number, and what comes of it. */
  start(input: unknown): { batch: number; outcome: Promise<Outcome> } {
    const batch = ++this.#batches;
    this.send({ type: 'predict', batch, inputs: [input], timeoutMs: DEADLINE_MS });
    const outcome = this.seen(
      (message): message is FromWorker & { type: 'result' } => message.type === 'result' && message.batch === batch,
    ).then(({ outcomes }) => outcomes[0] as Outcome);
    return { batch, outcome };
  }

  async predict<T>(input: unknown): Promise<T> {
    const outcome = await this.start(input).outcome;
    if (!outcome.ok) throw new Error(outcome.message);
    return outcome.output as T;
  }

  call(pathname: string): Promise<Answer> {
    return request(this.port as number, 'GET', pathname);
  }
}

/** Kills what a test left behind. */
export function endWorkers(): void {
  for (const pgid of groups) {
    try {
      process.kill(-pgid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  for (const socket of sockets) socket.close();
  sockets.clear();
}

function common(heapBytes: number | null) {
  const { kind: _, command: __, overlap: ___, ...rest } = fakeConfig();
  return {
    ...rest,
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    limits: { memoryBytes: null, heapBytes },
    scale: { headroom: 1.2, target: null, upWindowMs: 5000, upCooldownMs: 10_000, downWindowMs: 120_000 },
  };
}

function workersDir(): string {
  return path.dirname(builtWorker('model-host.js'));
}

function env(): NodeJS.ProcessEnv {
  return { ...process.env, PACKAGE };
}

function environment(output: string[]): ChildEnvironment {
  return {
    output: {
      attach: (_worker, _stream, readable) => {
        readable.on('data', (chunk) => output.push(String(chunk)));
      },
      detach: (readable) => void readable.removeAllListeners('data'),
    },
    groups: {
      mark: {},
      add: (pgid) => void groups.add(pgid),
      remove: (pgid) => void groups.delete(pgid),
    },
  };
}
