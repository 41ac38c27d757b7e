import type { Clock } from '../clock.js';
import type { ModelsConfig, UnloadingConfig, UnloadStrategy } from '../config/schema.js';
import type { Keepalive } from '../master/model-status.js';
import type { PolicyDecision } from '../policy/decision.js';
import {
  decideKeepalive,
  type KeepaliveState,
  type KeepaliveWindow,
  keepaliveWindow,
  priceOf,
} from '../policy/keepalive.js';
import type { PressureLevel } from '../policy/pressure.js';
import type { Model } from './model.js';

export interface IdleDependencies {
  clock: Clock;
  config: () => { models: ModelsConfig; unloading: UnloadingConfig };
  pressure: () => PressureLevel | null;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  unload: (model: Model, reason: string, numbers: PolicyDecision['numbers']) => void;
  /** It is likely to be used soon. */
  load: (model: Model) => void;
}

/** What a model is taken to cost of which nothing was measured yet. */
const UNKNOWN_MIB = 100;
const UNKNOWN_LOAD_SECONDS = 1;
/** A window is found anew when more was learned, when memory has another price, and when the idle time began elsewhere: the time of day counts. */
const SAME_MS = 1000;
const LEAST_STAY_MS = 60_000;
const MIB = 1024 ** 2;

interface Found {
  window: KeepaliveWindow;
  revision: number;
  price: number;
  fallbackMs: number;
  /** Wall time at which the last request ended. */
  idleFrom: number;
}

/** Models that nobody asks: when each is unloaded, and when it is loaded again before anybody asks. */
export class Idle {
  readonly #windows = new WeakMap<Model, Found>();

  constructor(private readonly deps: IdleDependencies) {}

  tick(models: readonly Model[]): void {
    for (const model of models) {
      if (model.onDemand && model.pool.phase === 'running' && model.unloading === null) this.#look(model);
    }
  }

  /** Null where it is never unloaded. */
  describe(model: Model): Keepalive | null {
    if (!model.onDemand || !this.deps.config().unloading.enabled) return null;
    const { models } = this.deps.config();
    const { toZeroAfterMs } = model.config.scale;
    const { window: found, price } = this.#windowOf(model);
    const window = this.#rules(models) ? found : null;
    const own = toZeroAfterMs ?? window?.keepMs ?? this.#strategyMs();
    const keepMs = Math.min(own, models.ttlMs ?? Number.POSITIVE_INFINITY);
    const prewarmMs = toZeroAfterMs === null ? (window?.prewarmMs ?? null) : null;
    return {
      keep_seconds: Number.isFinite(keepMs) ? seconds(keepMs) : null,
      prewarm_seconds: prewarmMs === null ? null : seconds(prewarmMs),
      basis: toZeroAfterMs !== null ? 'to_zero_after' : keepMs < own ? 'ttl' : (window?.basis ?? 'strategy'),
      price,
    };
  }

  #look(model: Model): void {
    const { deps } = this;
    const { models, unloading } = deps.config();
    const now = deps.clock.now();
    const idleMs = model.loaded ? (model.isReady ? model.idleMs(now) : null) : model.unusedMs(now);
    if (idleMs === null) return;
    const { window } = this.#windowOf(model);
    const facts: KeepaliveState = {
      state: model.loaded ? 'loaded' : 'unloaded',
      idleMs,
      pinned: false,
      toZeroAfterMs: model.config.scale.toZeroAfterMs,
      window: this.#rules(models) ? window : null,
      fallbackMs: this.#strategyMs(),
      ttlMs: models.ttlMs,
    };
    const decision = decideKeepalive(facts);
    if (models.predictive.enabled && models.predictive.forecastOnly) this.#foretell(model, { ...facts, window });
    // By what is only foreseen, nobody goes who has only just come: it would not have been worth its load.
    const isFresh = model.loadedAt !== null && now - model.loadedAt < Math.min(LEAST_STAY_MS, this.#strategyMs());
    const foreseen = decision.numbers.clock === 'learned' || decision.numbers.clock === 'seasonal';
    if (decision.action === 'unload' && isFresh && foreseen) return;
    if (decision.action === 'unload' && unloading.enabled) deps.unload(model, decision.reason, decision.numbers);
    else if (decision.action === 'load') deps.load(model);
  }

  /** What the forecast would have done, said once and not done. */
  #foretell(model: Model, facts: KeepaliveState): void {
    const { action, reason, numbers } = decideKeepalive(facts);
    this.deps.decided(model.name, 'forecast', {
      action: 'hold',
      reason: action === 'hold' ? reason : `would ${action}: ${reason}`,
      numbers,
    });
  }

  /** Whether what was learned is acted on. */
  #rules({ predictive }: ModelsConfig): boolean {
    return predictive.enabled && !predictive.forecastOnly;
  }

  #strategyMs(): number {
    const { unloading } = this.deps.config();
    return unloading.timeoutsMs[unloading.strategy as UnloadStrategy];
  }

  #windowOf(model: Model): Found {
    const { clock, config, pressure } = this.deps;
    const price = priceOf(config().unloading.strategy as UnloadStrategy, pressure());
    const { revision } = model.history;
    const idleFrom = clock.wall() - (model.unusedMs(clock.now()) ?? 0);
    const fallbackMs = this.#strategyMs();
    const found = this.#windows.get(model);
    const same = found?.revision === revision && found.price === price && found.fallbackMs === fallbackMs;
    if (found && same && Math.abs(idleFrom - found.idleFrom) < SAME_MS) return found;
    const window = keepaliveWindow(model.history, {
      loadSeconds: model.loadSeconds ?? UNKNOWN_LOAD_SECONDS,
      mib: model.size.bytes === null ? UNKNOWN_MIB : model.size.bytes / MIB,
      price,
      fallbackMs,
      wallMs: idleFrom,
      horizonMs: config().models.predictive.horizonMs,
    });
    const fresh = { window, revision, price, fallbackMs, idleFrom };
    this.#windows.set(model, fresh);
    return fresh;
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
