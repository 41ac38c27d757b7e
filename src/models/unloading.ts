import type { Clock } from '../clock.js';
import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import type { UnloadingStatus } from '../master/unloading-status.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { PressureLevel } from '../policy/pressure.js';
import { Idle } from './idle.js';
import type { MemoryLedger } from './memory-ledger.js';
import type { Model } from './model.js';
import { neededBy } from './requirements.js';
import { Strategies } from './strategies.js';
import { UnloadLog } from './unload-log.js';
import { Unloader } from './unloader.js';
import { unloadingStatus } from './unloading-status.js';
import { Unloads } from './unloads.js';

export interface UnloadingDependencies {
  clock: Clock;
  config: () => { models: ModelsConfig; unloading: UnloadingConfig };
  ledger: MemoryLedger<Model>;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  warn: (text: string) => void;
  pressure: () => PressureLevel | null;
  /** Of what was measured last. */
  box: () => UnloadingStatus['box'];
  isLoading: (model: Model) => boolean;
  keepValue: (model: Model) => number;
  /** It is likely to be used soon. */
  load: (model: Model) => void;
  /** Its queue may have to open or close. */
  changed: (model: Model) => void;
  /** The last worker of one has ended. */
  gone: () => void;
  /** Loads that were refused, see UnloadingStatus. */
  refused: () => UnloadingStatus['refused'];
}

const FOR_ANOTHER = 'Memory pressure unloading (room for another model)';
const EMERGENCY = 'Memory pressure unloading (emergency)';
const BY_HAND = 'Manual unloading';

/** All ways out of memory: by cycles, for another model, since memory runs out, and by hand. */
export class Unloading {
  readonly strategies: Strategies;
  readonly idle: Idle;
  readonly #unloads: Unloads;
  readonly #unloader: Unloader;
  readonly #log = new UnloadLog();
  readonly #since: number;

  constructor(private readonly deps: UnloadingDependencies) {
    const { clock, config, ledger, decided, changed, gone, box, pressure, isLoading, keepValue, load, warn } = deps;
    this.#since = clock.now();
    this.strategies = new Strategies(warn);
    this.#unloads = new Unloads({
      clock,
      ledger,
      decided,
      changed,
      gone,
      usedBytes: () => box().usedBytes,
      tracks: () => config().unloading.trackImpact,
      ended: (record) => this.#log.add(record),
    });
    this.idle = new Idle({ clock, config, strategies: this.strategies, pressure, decided, load });
    this.#unloader = new Unloader({
      clock,
      config,
      strategies: this.strategies,
      idle: this.idle,
      pressure,
      usedShare: () => shareOf(box()),
      isLoading,
      keepValue,
      settled: () => this.#unloads.settled,
      unload: (model, { cause, label, decision: { reason, numbers } }) =>
        this.#unloads.begin(model, { cause, label, policy: 'unload', reason, numbers }),
      // A cleanup that is not answered ends, too.
      trim: (model) => void this.#unloads.trim(model, 'memory pressure is high: a part of it may be enough'),
    });
  }

  tick(models: readonly Model[]): void {
    this.idle.tick(models);
    this.#unloader.tick(models);
  }

  /** Memory was measured at `at`, monotonic ms. What it shows may be urgent. */
  sampled(at: number, models: readonly Model[]): void {
    this.#unloads.sampled(at);
    this.#unloader.sampled(models);
  }

  byHand(model: Model, reason: string): void {
    this.#unloads.begin(model, { cause: 'manual', label: BY_HAND, policy: 'operator', reason });
  }

  forAnother(model: Model, reason: string, numbers: PolicyDecision['numbers']): void {
    this.#unloads.begin(model, { cause: 'room', label: FOR_ANOTHER, policy: 'load', reason, numbers });
  }

  inEmergency(model: Model, reason: string): void {
    this.#unloads.begin(model, { cause: 'emergency', label: EMERGENCY, policy: 'memory', reason });
  }

  /** Whether it may go where memory runs out: nothing keeps it, it is idle, and whatever needs it may go as well. */
  mayGo(model: Model, models: readonly Model[]): boolean {
    return (
      model.onDemand &&
      model.unload.preference !== 'keep' &&
      model.isIdle &&
      !this.deps.isLoading(model) &&
      neededBy(model, models).every((other) => this.mayGo(other, models))
    );
  }

  /** A request has come for one that is not loaded. */
  missed(model: Model): void {
    if (model.judgeUnload(this.deps.clock.now()) === 'regretted') this.#log.regret(model.name);
  }

  status(models: readonly Model[]): UnloadingStatus {
    const { clock, box, config, refused } = this.deps;
    const now = clock.now();
    return unloadingStatus(models, {
      config: config().unloading,
      log: this.#log,
      unloader: this.#unloader,
      idle: this.idle,
      strategies: this.strategies,
      refused: refused(),
      box: box(),
      observedMs: now - this.#since,
      now,
      wall: clock.wall(),
    });
  }
}

function shareOf({ usedBytes, limitBytes }: UnloadingStatus['box']): number | null {
  return usedBytes === null || limitBytes === null || limitBytes <= 0 ? null : usedBytes / limitBytes;
}
