/** For programs that look after themselves: the supervisor's sensors and policies, pointed at this very process. */
import { type Clock, systemClock, type Timer } from '../clock.js';
import { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { PressureThresholds } from '../policy/pressure.js';
import { recommendSize, type SizeContext } from '../policy/recommend-size.js';
import { Sampler } from '../sensing/sampler.js';
import type { Snapshot } from '../sensing/snapshot.js';
import { Hooks, type MonitorHooks, type ReportHookError, type Span } from './hooks.js';
import { LiveHeap } from './live-heap.js';
import { SelfWatch } from './self-watch.js';
import { trackSpan } from './span.js';
import type { MonitorStatus } from './status.js';

export interface ResourceMonitorOptions {
  /** Between two looks. Default 1000, at least 100. */
  intervalMs?: number;
  /** What this process and what it started may use together. Default: what they use, and what is still to be had. */
  memoryLimitBytes?: number;
  /** Shares of the limit at which memory pressure rises, ascending. Default: 0.5, 0.7, 0.85. */
  thresholds?: Partial<PressureThresholds>;
  hooks?: readonly MonitorHooks[];
  /** Told of hooks that fail and of sensors that can't be read, each once. Default: a line on stderr. */
  onError?: ReportHookError;
}

export interface ResourceMonitor {
  /** Looks at once and then at each interval. It never keeps the process alive. A second call does nothing. */
  start(): void;
  /** A second call does nothing. */
  stop(): void;
  status(): MonitorStatus;
  /** Runs `fn` at once, hands on its result or what it throws, and records what it took. */
  track<T>(name: string, fn: () => T | PromiseLike<T>): Promise<T>;
  /** The latest 1000, oldest first. */
  spans(): readonly Span[];
  /** Returns the function that ends it. */
  use(hooks: MonitorHooks): () => void;
  /** How many workers, threads or tasks at once to go on with, by what is seen now and by what the caller knows. */
  recommendSize(question: { current: number; context?: SizeContext }): { workers: number; reason: string };
  /** `stop()`, for `using`. */
  [Symbol.dispose](): void;
}

/** @throws SupError SUP_BAD_REQUEST for options that make no sense */
export function createResourceMonitor(options: ResourceMonitorOptions = {}): ResourceMonitor {
  const report = options.onError ?? ((message: string) => void process.stderr.write(`model-supervisor: ${message}\n`));
  return new Monitor(options, {
    clock: quietClock,
    hooks: new Hooks(report),
    sampler: () => new Sampler({ clock: quietClock, diskPath: process.cwd(), warn: (text) => report(text, null) }),
    heap: new LiveHeap(),
  });
}

/** Nobody's program should go on for the sake of being watched. */
const quietClock: Clock = {
  ...systemClock,
  setInterval(callback, ms) {
    const timer = setInterval(callback, ms).unref();
    return { cancel: () => clearInterval(timer) };
  },
};

export interface MonitorParts {
  clock: Clock;
  hooks: Hooks;
  sampler: () => Pick<Sampler, 'sample' | 'close'>;
  /** Null: leaks are judged by the process's memory alone. */
  heap: Pick<LiveHeap, 'start' | 'stop' | 'point'> | null;
}

const DEFAULT_THRESHOLDS: PressureThresholds = { medium: 0.5, high: 0.7, critical: 0.85 };
const DEFAULT_INTERVAL_MS = 1000;
const LEAST_INTERVAL_MS = 100;
const KEPT_SPANS = 1000;

export class Monitor implements ResourceMonitor {
  readonly #intervalMs: number;
  readonly #watch: SelfWatch;
  readonly #spans: Span[] = [];
  #sampler: ReturnType<MonitorParts['sampler']> | null = null;
  #timer: Timer | null = null;
  #snapshot: Snapshot | null = null;

  constructor(
    options: ResourceMonitorOptions,
    private readonly parts: MonitorParts,
  ) {
    const { hooks } = parts;
    const limitBytes = options.memoryLimitBytes ?? null;
    const thresholds = { ...DEFAULT_THRESHOLDS, ...options.thresholds };
    this.#intervalMs = options.intervalMs ?? DEFAULT_INTERVAL_MS;
    check(this.#intervalMs, limitBytes, thresholds);
    this.#watch = new SelfWatch(
      { limitBytes, thresholds },
      { pressure: (change) => hooks.pressure(change), decided: (policy, decision) => this.#decided(policy, decision) },
    );
    hooks.use({ name: 'spans', after: (span) => this.#keep(span) });
    for (const each of options.hooks ?? []) hooks.use(each);
  }

  start(): void {
    if (this.#timer) return;
    this.#timer = this.parts.clock.setInterval(() => this.#look(), this.#intervalMs);
    this.parts.heap?.start();
    this.#look();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#sampler?.close();
    this.#sampler = null;
    this.parts.heap?.stop();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  status(): MonitorStatus {
    return this.#watch.status(this.#latest());
  }

  track<T>(name: string, fn: () => T | PromiseLike<T>): Promise<T> {
    return trackSpan(name, fn, this.parts.hooks, this.parts.clock);
  }

  spans(): readonly Span[] {
    return [...this.#spans];
  }

  use(hooks: MonitorHooks): () => void {
    return this.parts.hooks.use(hooks);
  }

  recommendSize({ current, context = {} }: { current: number; context?: SizeContext }): {
    workers: number;
    reason: string;
  } {
    const advice = recommendSize({ current, context, resources: this.#watch.boxState(this.#latest()) });
    if (advice.workers !== current)
      this.#decided('size', {
        action: advice.workers > current ? 'grow' : 'shrink',
        reason: advice.reason,
        numbers: { current, workers: advice.workers },
      });
    return advice;
  }

  /** While it does not run, each question is a look of its own. */
  #latest(): Snapshot {
    if (this.#timer && this.#snapshot) return this.#snapshot;
    return this.#look();
  }

  #look(): Snapshot {
    this.#sampler ??= this.parts.sampler();
    this.#snapshot = this.#watch.look(this.#sampler, this.parts.heap?.point() ?? null);
    return this.#snapshot;
  }

  #decided(policy: string, { action, reason, numbers }: PolicyDecision): void {
    const time = new Date(this.parts.clock.wall()).toISOString();
    this.parts.hooks.decision({ time, policy, subject: 'process', action, reason, numbers });
  }

  #keep(span: Span): void {
    this.#spans.push(span);
    if (this.#spans.length > KEPT_SPANS) this.#spans.shift();
  }
}

function check(intervalMs: number, limitBytes: number | null, { medium, high, critical }: PressureThresholds): void {
  if (!(Number.isFinite(intervalMs) && intervalMs >= LEAST_INTERVAL_MS))
    throw bad(`intervalMs must be a number from ${LEAST_INTERVAL_MS} up`);
  if (limitBytes !== null && !(Number.isFinite(limitBytes) && limitBytes > 0))
    throw bad('memoryLimitBytes must be a number above 0');
  if (!(0 < medium && medium < high && high < critical && critical <= 1))
    throw bad('thresholds must be shares above 0 and at most 1, and ascending: medium, high, critical');
}

function bad(message: string): SupError {
  return new SupError('SUP_BAD_REQUEST', `createResourceMonitor: ${message}`);
}
