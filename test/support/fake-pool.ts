import { ManualClock } from '../../src/clock.js';
import type { CommandAppConfig } from '../../src/config/schema.js';
import type { PolicyDecision } from '../../src/policy/decision.js';
import { Pool } from '../../src/pool/pool.js';
import type { Demand } from '../../src/pool/sizing.js';
import type { Blueprint, Service, Work } from '../../src/pool/work.js';
import type { Backend, Instance, InstanceEvents } from '../../src/worker/backend.js';
import type { CheckMessage, CleanupMessage, FromWorker, Outcome, ToWorker, Vitals } from '../../src/worker/protocol.js';
import type { WorkerState } from '../../src/worker/state.js';
import type { Worker } from '../../src/worker/worker.js';

/** Above any pid that Linux gives out: what is done to these processes must reach no real one. */
const FIRST_PID = 10_000_000;

/** One life of a worker, moved by hand. */
export class FakeInstance implements Instance {
  readonly pid: number;
  readonly thread = null;
  readonly domain: string;
  readonly asked: string[] = [];
  readonly received: ToWorker[] = [];
  vitals: Vitals | null = null;
  alive = true;
  /** Of its parking. */
  parkWanted: (() => boolean) | null = null;

  constructor(
    readonly worker: string,
    readonly blueprint: string,
    pid: number,
    private readonly events: InstanceEvents,
  ) {
    this.pid = pid;
    this.domain = worker;
  }

  send(message: ToWorker): void {
    this.received.push(message);
  }

  get cleanups(): CleanupMessage[] {
    return this.received.filter((message) => message.type === 'cleanup');
  }

  /** Answers the latest cleanup. */
  cleaned(): void {
    const { id, level } = this.cleanups.at(-1) as CleanupMessage;
    const sizes = { liveBytes: 0, rssBytes: 0 };
    this.events.message({ type: 'cleaned', id, level, passes: 1, before: sizes, after: sizes, errors: [] });
  }

  /** Checks that were asked of it. */
  get checks(): CheckMessage[] {
    return this.received.filter((message) => message.type === 'check');
  }

  /** Answers the latest check; a complaint is a bad answer. */
  checked(complaint: string | null = null): void {
    const { id } = this.checks.at(-1) as CheckMessage;
    this.events.message({ type: 'checked', id, ok: complaint === null, message: complaint });
  }

  says(message: FromWorker): void {
    this.events.message(message);
  }

  /** A batch of one comes back. */
  result(ok: boolean): void {
    const outcome: Outcome = ok ? { ok, output: 1 } : { ok, name: 'Error', message: 'no' };
    this.events.message({ type: 'result', batch: 1, outcomes: [outcome], computeMs: 1 });
  }

  terminate(signal: NodeJS.Signals): void {
    this.asked.push(signal);
  }

  park(wanted: () => boolean): void {
    this.asked.push('park');
    this.parkWanted = wanted;
  }

  kill(): void {
    this.asked.push('SIGKILL');
    // A real kill is seen a turn later, too.
    queueMicrotask(() => this.exit(null, 'SIGKILL'));
  }

  ready(): void {
    this.events.message({ type: 'hello', pid: this.pid });
  }

  beat(requests = 0, users = 0): void {
    this.events.message({ type: 'heartbeat', requests, users, inFlight: 0, vitals: this.vitals });
  }

  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    if (!this.alive) return;
    this.alive = false;
    this.events.exit({ code, signal, message: null });
  }
}

/** A pool on a manual clock whose processes are FakeInstances. */
export class PoolRig {
  readonly clock = new ManualClock();
  readonly instances: FakeInstance[] = [];
  readonly decisions: ({ subject: string; policy: string } & PolicyDecision)[] = [];
  readonly transitions: string[] = [];
  readonly drained: string[] = [];
  /** Resolves a drain; without one it resolves at once. */
  holdDrains = false;
  readonly drains = new Map<string, () => void>();
  /** What the box has room for. */
  roomBytes = Number.POSITIVE_INFINITY;
  demand: Demand | null = null;
  readonly inFlight = new Map<string, number>();
  /** Names of the blueprints whose kept process was to be ended. */
  readonly released: string[] = [];
  readonly pool: Pool;

  constructor(
    readonly config: CommandAppConfig = fakeConfig(),
    overlap = true,
    private readonly speaks = true,
    private readonly service?: Service,
  ) {
    this.pool = new Pool('web', config, this.blueprint('one'), {
      clock: this.clock,
      random: () => 0.5,
      work: this.#work(overlap),
      hasRoom: (bytes) => bytes <= this.roomBytes,
      events: {
        decided: (subject, policy, decision) => this.decisions.push({ subject, policy, ...decision }),
        stateChanged: (worker: Worker, from: WorkerState) =>
          this.transitions.push(`${worker.id} ${from}>${worker.state}`),
        onLine: () => () => {},
      },
    });
  }

  blueprint(name: string): Blueprint {
    const backend: Backend = {
      leave() {},
      launch: ({ worker }, events) => {
        const instance = new FakeInstance(worker, name, FIRST_PID + this.instances.length, events);
        this.instances.push(instance);
        return instance;
      },
      release: async () => {
        this.released.push(name);
      },
    };
    return {
      backend,
      readiness: (boot) =>
        new Promise((resolve) => {
          boot.onMessage((message) => message.type === 'hello' && resolve());
        }),
    };
  }

  /** The present life of a worker. */
  of(worker: string): FakeInstance {
    const found = this.instances.findLast((i) => i.worker === worker);
    if (!found) throw new Error(`${worker} was never launched`);
    return found;
  }

  get alive(): FakeInstance[] {
    return this.instances.filter((i) => i.alive);
  }

  /** Boots all that is starting. */
  async bootAll(): Promise<void> {
    for (const worker of this.pool.workers) if (worker.state === 'starting') this.of(worker.id).ready();
    await turn();
  }

  /** Ends all that was asked to end. */
  async endAsked(): Promise<void> {
    for (const instance of this.alive) if (instance.asked.length > 0) instance.exit(0);
    await turn();
  }

  #work(overlap: boolean): Work {
    return {
      mode: 'cluster',
      wedgeMs: 30_000,
      speaks: this.speaks,
      overlap,
      exitGraceMs: 5000,
      admit() {},
      drain: (worker) => {
        this.drained.push(worker.id);
        if (!this.holdDrains) return Promise.resolve();
        return new Promise((resolve) => this.drains.set(worker.id, resolve));
      },
      end: (_worker, instance) => instance.terminate('SIGTERM'),
      lost() {},
      message() {},
      busyUntil: () => null,
      inFlight: (worker) => this.inFlight.get(worker.id) ?? 0,
      ...(this.service ? { service: this.service } : {}),
      demand: () => this.demand ?? { arrivals: 0, completed: 0, busyMs: 0 },
    };
  }
}

/** Lets every promise that can settle do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function fakeConfig(more: Partial<CommandAppConfig> = {}): CommandAppConfig {
  return {
    kind: 'command',
    name: 'web',
    namespace: 'default',
    command: ['true'],
    overlap: true,
    workers: { min: 2, max: 2 },
    env: {},
    cwd: '/',
    args: [],
    nodeArgs: [],
    ready: { timeoutMs: 30_000, probe: null },
    stop: { signal: 'SIGTERM', graceMs: 30_000 },
    restart: {
      policy: 'always',
      backoffMs: 100,
      maxBackoffMs: 30_000,
      maxRestarts: 10,
      windowMs: 60_000,
      retryAfterMs: 300_000,
    },
    recycle: {
      maxUsers: null,
      userKey: null,
      maxRequests: null,
      jitter: 0,
      maxAgeMs: null,
      maxMemoryBytes: null,
      maxConcurrent: 1,
    },
    leak: { windowMs: 900_000, minGrowthBytes: 1024 ** 2, recycle: false },
    limits: { memoryBytes: null, heapBytes: null },
    health: { wedgeMs: 0 },
    log: { level: 'info', format: 'json', rotate: { sizeBytes: 1e6, keep: 1, maxAgeMs: 1e9 } },
    dependsOn: [],
    ...more,
  };
}
