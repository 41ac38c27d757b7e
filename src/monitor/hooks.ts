import { messageOf } from '../errors.js';
import type { PressureLevel } from '../policy/pressure.js';

/** What one tracked piece of work took. Memory, CPU and collections are of the whole process while it ran. */
export interface Span {
  readonly name: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** Resident memory; null where it can't be read. */
  readonly memoryBeforeBytes: number | null;
  readonly memoryPeakBytes: number | null;
  readonly memoryAfterBytes: number | null;
  readonly cpuMs: number;
  readonly gcCount: number;
  readonly gcMs: number;
  /** Message of what it threw; null: it came to its end. */
  readonly error: string | null;
}

export interface PressureChange {
  readonly level: PressureLevel;
  readonly from: PressureLevel;
  /** usedBytes / limitBytes, may be above 1. */
  readonly share: number | null;
  readonly usedBytes: number | null;
  readonly limitBytes: number | null;
}

/** What a policy did or wanted, and why. */
export interface DecisionNotice {
  /** ISO 8601. */
  readonly time: string;
  readonly policy: string;
  readonly subject: string;
  readonly action: string;
  readonly reason: string;
  readonly numbers: Readonly<Record<string, number | string | null>>;
}

/**
 * What a program or plug-in may listen to. Nothing that a hook does changes what it watches: what it throws or rejects with is
 * reported and forgotten, nobody waits for its promise, and what it is given is frozen.
 */
export interface MonitorHooks {
  /** For reports about errors in these hooks. */
  name?: string;
  before?(span: { readonly name: string }): unknown;
  after?(span: Span): unknown;
  onPressure?(change: PressureChange): unknown;
  onDecision?(decision: DecisionNotice): unknown;
}

export type HookName = Exclude<keyof MonitorHooks, 'name'>;

export const HOOK_NAMES: readonly HookName[] = ['before', 'after', 'onPressure', 'onDecision'];

/** Told once for each hook and kind of error. */
export type ReportHookError = (message: string, error: unknown) => void;

/** A hook that makes up ever new kinds of errors is told of so often and no more. */
const MOST_REPORTS = 20;

interface Registration {
  readonly hooks: MonitorHooks;
  readonly label: string;
  readonly reported: Set<string>;
  /** It is being called: what it causes by itself is no news to it, and could go on for ever. */
  busy: boolean;
}

/** Calls whoever listens, in the order of their registration. */
export class Hooks {
  readonly #registrations = new Set<Registration>();
  #unnamed = 0;

  constructor(private readonly report: ReportHookError) {}

  /** Nobody listens. */
  get idle(): boolean {
    return this.#registrations.size === 0;
  }

  /** Returns the function that ends it. The same object may be registered twice and is then called twice. */
  use(hooks: MonitorHooks): () => void {
    const label = hooks.name ? `hook '${hooks.name}'` : `hook ${++this.#unnamed}`;
    const registration = { hooks, label, reported: new Set<string>(), busy: false };
    this.#registrations.add(registration);
    return () => void this.#registrations.delete(registration);
  }

  before(name: string): void {
    this.#call('before', { name });
  }

  after(span: Span): void {
    this.#call('after', span);
  }

  pressure(change: PressureChange): void {
    this.#call('onPressure', change);
  }

  decision(decision: DecisionNotice): void {
    this.#call('onDecision', { ...decision, numbers: Object.freeze({ ...decision.numbers }) });
  }

  #call(hook: 'before', about: { name: string }): void;
  #call(hook: 'after', about: Span): void;
  #call(hook: 'onPressure', about: PressureChange): void;
  #call(hook: 'onDecision', about: DecisionNotice): void;
  #call(hook: HookName, about: object): void {
    if (this.idle) return;
    const frozen = Object.freeze({ ...about });
    // A copy: a hook may register or end others.
    for (const registration of [...this.#registrations]) {
      if (registration.busy) continue;
      registration.busy = true;
      try {
        // Looked up at each call, as a method of its object: plug-ins may be classes.
        const listener = registration.hooks[hook] as ((about: object) => unknown) | undefined;
        const result = listener?.call(registration.hooks, frozen);
        if (isThenable(result)) Promise.resolve(result).catch((error) => this.#failed(registration, hook, error));
      } catch (error) {
        this.#failed(registration, hook, error);
      } finally {
        registration.busy = false;
      }
    }
  }

  #failed({ reported, label }: Registration, hook: HookName, error: unknown): void {
    const kind = `${hook} ${kindOf(error)}`;
    if (reported.has(kind) || reported.size >= MOST_REPORTS) return;
    reported.add(kind);
    try {
      this.report(`${label} failed in ${hook}: ${shown(error)}`, error);
    } catch {
      // Who reports is the user's code too, and there is nobody left to tell.
    }
  }
}

export function isThenable(value: unknown): boolean {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && 'then' in value;
}

/** Thrown things can be anything, and even looking at them may throw. */
function kindOf(error: unknown): string {
  try {
    const { name, code } = error as { name?: unknown; code?: unknown };
    return `${String(name)} ${String(code)}`;
  } catch {
    return typeof error;
  }
}

/** The message of anything that can be thrown. */
export function shown(error: unknown): string {
  try {
    return messageOf(error);
  } catch {
    return `a ${typeof error} that can't be shown`;
  }
}
