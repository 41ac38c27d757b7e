import type { Clock } from '../clock.js';
import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import type { Keepalive } from '../master/model-status.js';
import type { PolicyDecision } from '../policy/decision.js';
import {
  decideKeepalive,
  type KeepaliveDecision,
  type KeepaliveState,
  type KeepaliveWindow,
  keepaliveWindow,
  priceOf,
  type Strategy,
} from '../policy/keepalive.js';
import type { PressureLevel } from '../policy/pressure.js';
import { shifted } from '../policy/unload/strategies.js';
import type { Model } from './model.js';
import type { Strategies } from './strategies.js';

export interface IdleDependencies {
  clock: Clock;
  config: () => { models: ModelsConfig; unloading: UnloadingConfig };
  strategies: Strategies;
  pressure: () => PressureLevel | null;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** It is likely to be used soon. */
  load: (model: Model) => void;
}

/** What the clocks say of one loaded model. */
export interface Verdict extends KeepaliveDecision {
  /** Which strategy's time counts, if one does. */
  strategy: Strategy;
  /** It goes for what was learned, or for a strategy's time that pressure or regret has changed. */
  adaptive: boolean;
}

/** What a model is taken to cost of which nothing was measured yet. */
const UNKNOWN_MIB = 100;
const UNKNOWN_LOAD_SECONDS = 1;
/** A window is found anew when more was learned, when memory has another price, and when the idle time began elsewhere: the time of day counts. */
const SAME_MS = 1000;
const MIB = 1024 ** 2;

interface Found {
  window: KeepaliveWindow;
  revision: number;
  price: number;
  fallbackMs: number;
  /** Wall time at which the last request ended. */
  idleFrom: number;
}

/** Models that nobody asks: for how long each is worth its memory, and when it is loaded again before anybody asks. */
export class Idle {
  readonly #windows = new WeakMap<Model, Found>();

  constructor(private readonly deps: IdleDependencies) {}

  tick(models: readonly Model[]): void {
    const { predictive } = this.deps.config().models;
    const foretells = predictive.enabled && predictive.forecastOnly;
    for (const model of models) {
      if (!model.onDemand || model.pool.phase !== 'running' || model.unloading !== null) continue;
      // A loaded one is not loaded again: nothing to look for.
      if (foretells || !model.loaded) this.#look(model, foretells);
    }
  }

  /** Null while it is at work, or nothing is known yet. */
  verdict(model: Model): Verdict | null {
    const facts = this.#facts(model);
    if (facts === null) return null;
    const decision = decideKeepalive(facts);
    const { clock } = decision;
    const strategy = this.#strategyOf(model);
    const usualMs = this.deps.config().unloading.timeoutsMs[this.#ownStrategy(model)];
    const early = clock === 'strategy' && (facts.idleMs as number) < usualMs;
    return { ...decision, strategy, adaptive: clock === 'learned' || clock === 'seasonal' || early };
  }

  /** Null where it is never unloaded. */
  describe(model: Model): Keepalive | null {
    const { models, unloading } = this.deps.config();
    if (!model.onDemand || !unloading.enabled || model.unload.preference === 'keep') return null;
    const { toZeroAfterMs } = model.config.scale;
    const { window: found, price } = this.#windowOf(model);
    // A function may decide at any time.
    const decides = this.deps.strategies.isOwn(model.unload.strategy ?? unloading.strategy);
    const window = this.#rules(models) && found.basis !== 'strategy' && !decides ? found : null;
    const own = toZeroAfterMs ?? (decides ? Number.POSITIVE_INFINITY : (window?.keepMs ?? this.#fallbackMs(model)));
    const evictMs = isToGo(model, unloading) ? unloading.pressureTimeoutMs : Number.POSITIVE_INFINITY;
    const keepMs = Math.min(own, models.ttlMs ?? Number.POSITIVE_INFINITY, evictMs);
    const prewarmMs = toZeroAfterMs === null ? (window?.prewarmMs ?? null) : null;
    return {
      keep_seconds: Number.isFinite(keepMs) ? seconds(keepMs) : null,
      prewarm_seconds: prewarmMs === null ? null : seconds(prewarmMs),
      basis: basisOf(keepMs, { own, evictMs, toZeroAfterMs }, window),
      price,
    };
  }

  #look(model: Model, foretells: boolean): void {
    const facts = this.#facts(model);
    if (facts === null) return;
    if (foretells) this.#foretell(model, { ...facts, window: this.#windowOf(model).window });
    if (facts.state === 'unloaded' && decideKeepalive(facts).action === 'load') this.deps.load(model);
  }

  /** Null while it is at work, or nothing is known yet. */
  #facts(model: Model): KeepaliveState | null {
    const { models } = this.deps.config();
    const now = this.deps.clock.now();
    const idleMs = model.loaded ? (model.isReady ? model.idleMs(now) : null) : model.unusedMs(now);
    if (idleMs === null) return null;
    const { window } = this.#windowOf(model);
    return {
      state: model.loaded ? 'loaded' : 'unloaded',
      idleMs,
      pinned: model.unload.preference === 'keep',
      toZeroAfterMs: model.config.scale.toZeroAfterMs,
      window: this.#rules(models) && window.basis !== 'strategy' ? window : null,
      fallbackMs: this.#fallbackMs(model),
      ttlMs: models.ttlMs,
    };
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

  #ownStrategy(model: Model): Strategy {
    return this.deps.strategies.builtIn(model.unload.strategy ?? this.deps.config().unloading.strategy);
  }

  #strategyOf(model: Model): Strategy {
    const own = this.#ownStrategy(model);
    return this.deps.config().unloading.adaptive ? shifted(own, this.deps.pressure()) : own;
  }

  /** The strategy's time, where nothing was learned. */
  #fallbackMs(model: Model): number {
    const { timeoutsMs, adaptive } = this.deps.config().unloading;
    return timeoutsMs[this.#strategyOf(model)] * (adaptive ? model.patience : 1);
  }

  #windowOf(model: Model): Found {
    const { clock, config, pressure } = this.deps;
    const { timeoutsMs, adaptive } = config().unloading;
    const strategy = this.#ownStrategy(model);
    const price = adaptive ? priceOf(strategy, pressure(), 1 / model.patience) : priceOf(strategy, null);
    const { revision } = model.history;
    const idleFrom = clock.wall() - (model.unusedMs(clock.now()) ?? 0);
    const fallbackMs = timeoutsMs[strategy];
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

/** Its user prefers that. */
export function isToGo(model: Model, { byPreference }: UnloadingConfig): boolean {
  return byPreference && model.unload.preference === 'evict';
}

function basisOf(
  keepMs: number,
  { own, evictMs, toZeroAfterMs }: { own: number; evictMs: number; toZeroAfterMs: number | null },
  window: KeepaliveWindow | null,
): Keepalive['basis'] {
  if (keepMs === own) return toZeroAfterMs !== null ? 'to_zero_after' : (window?.basis ?? 'strategy');
  return keepMs === evictMs ? 'evict' : 'ttl';
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
