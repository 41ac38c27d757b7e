import { ManualClock } from '../../src/clock.js';
import type { PolicyDecision } from '../../src/policy/decision.js';
import { Company } from '../../src/pool/company.js';
import { Dispatcher, type DispatcherConfig, type JobResult, type Slot } from '../../src/pool/dispatcher.js';
import type { AbortMessage, MoreMessage, PredictMessage } from '../../src/worker/protocol.js';

export const CONFIG: DispatcherConfig = {
  model: 'echo@v1',
  concurrency: 1,
  timeoutMs: 1000,
  batching: { maxSize: 4, maxDelayMs: 0, preferred: [] },
  queueMax: 100,
  ageingMs: 0,
  shedding: false,
  idempotent: true,
  wedgeMs: 500,
  strategy: 'least_connections',
};

/** A worker that answers when it is told to. */
export class FakeSlot implements Slot {
  readonly sent: PredictMessage[] = [];
  readonly open = new Map<number, PredictMessage>();
  readonly aborted: number[] = [];
  readonly more: number[] = [];
  givenUp: string | null = null;

  constructor(
    readonly worker: string,
    readonly domain = worker,
    readonly place = Number(worker.split('/').at(-1)) - 1,
  ) {}

  send(message: PredictMessage | AbortMessage | MoreMessage): void {
    if (message.type === 'more') {
      this.more.push(message.chunks);
      return;
    }
    if (message.type === 'abort') {
      this.aborted.push(message.batch);
      return;
    }
    this.sent.push(message);
    this.open.set(message.batch, message);
  }

  wedged(reason: string): void {
    this.givenUp = reason;
  }

  get inputs(): unknown[][] {
    return this.sent.map((message) => message.inputs);
  }
}

export class Bench {
  readonly clock = new ManualClock();
  readonly decisions: PolicyDecision[] = [];
  readonly dispatcher: Dispatcher;
  readonly config: DispatcherConfig;
  readonly #deferred: (() => void)[] = [];

  constructor(config: Partial<DispatcherConfig> = {}, company = new Company()) {
    this.config = { ...CONFIG, ...config };
    this.dispatcher = new Dispatcher(this.config, {
      clock: this.clock,
      company,
      defer: (callback) => this.#deferred.push(callback),
      onDecision: (decision) => this.decisions.push(decision),
    });
  }

  /** Ends the turn of the event loop, and those that its callbacks ask for. */
  turn(): void {
    while (this.#deferred.length > 0) this.oneTurn();
  }

  oneTurn(): void {
    for (const callback of this.#deferred.splice(0)) callback();
  }

  worker(name: string, domain = name): FakeSlot {
    const slot = new FakeSlot(name, domain);
    this.dispatcher.add(slot);
    this.turn();
    return slot;
  }

  submit(
    inputs: unknown[],
    options: {
      priority?: number;
      timeoutMs?: number;
      signal?: AbortSignal;
      onWait?: () => void;
      key?: string | string[];
    } = {},
  ): Promise<JobResult[]> {
    const { priority = 0, timeoutMs = null, signal = null, key = null, onWait } = options;
    return this.dispatcher.submit({ inputs, priority, timeoutMs, signal, key, ...(onWait ? { onWait } : {}) });
  }

  /** As `submit`, and the turn ends. */
  send(...args: Parameters<Bench['submit']>): Promise<JobResult[]> {
    const reply = this.submit(...args);
    this.turn();
    return reply;
  }

  /** The worker answers its oldest batch: upper case. */
  answer(slot: FakeSlot, computeMs = 1): void {
    const [message] = slot.open.values();
    if (!message) throw new Error(`${slot.worker} has nothing in flight`);
    slot.open.delete(message.batch);
    this.dispatcher.result(slot.worker, {
      type: 'result',
      batch: message.batch,
      outcomes: message.inputs.map((input) => ({ ok: true, output: String(input).toUpperCase() })),
      computeMs,
    });
    this.turn();
  }

  die(slot: FakeSlot, how: 'dead-own-fault' | 'dead-by-supervisor' = 'dead-own-fault'): void {
    slot.open.clear();
    this.dispatcher.remove(slot.worker, how);
    this.turn();
  }

  advance(ms: number): void {
    this.clock.advance(ms);
    this.turn();
  }
}

/** Outputs and error codes. */
export function brief(results: JobResult[]): unknown[] {
  return results.map((result) => (result.ok ? result.output : result.error.code));
}
