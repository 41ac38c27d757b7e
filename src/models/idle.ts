import type { Clock } from '../clock.js';
import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import type { Keepalive } from '../master/model-status.js';
import type { PolicyDecision } from '../policy/decision.js';
import { decideKeepalive, type KeepaliveWindow, keepaliveWindow, priceOf } from '../policy/keepalive.js';
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
/** A window is found anew when its model was used, when memory has another price, and otherwise so often: the time of day may count. */
const WINDOW_AGE_MS = 60_000;
const MIB = 1024 ** 2;

interface Found {
  window: KeepaliveWindow;
  samples: number;
  price: number;
  at: number;
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
    const { toZeroAfterMs } = model.config.scale;
    const { window, price } = this.#windowOf(model);
    const { models } = this.deps.config();
    const ruling = toZeroAfterMs === null ? this.#ruling(window, models) : null;
    const keepMs = Math.min(toZeroAfterMs ?? ruling?.keepMs ?? 0, models.ttlMs ?? Number.POSITIVE_INFINITY);
    return {
      keep_seconds: Number.isFinite(keepMs) ? keepMs / 1000 : null,
      prewarm_seconds: ruling?.prewarmMs == null ? null : ruling.prewarmMs / 1000,
      basis: toZeroAfterMs === null ? (ruling?.basis ?? 'strategy') : 'to_zero_after',
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
    const facts = {
      state: model.loaded ? ('loaded' as const) : ('unloaded' as const),
      idleMs,
      toZeroAfterMs: model.config.scale.toZeroAfterMs,
      ttlMs: models.ttlMs,
    };
    const decision = decideKeepalive({ ...facts, window: this.#ruling(window, models) });
    if (models.predictive.enabled && models.predictive.forecastOnly) this.#foretell(model, { ...facts, window });
    if (decision.action === 'unload' && unloading.enabled) deps.unload(model, decision.reason, decision.numbers);
    else if (decision.action === 'load') deps.load(model);
  }

  /** What the forecast would have done, said once and not done. */
  #foretell(model: Model, facts: Parameters<typeof decideKeepalive>[0]): void {
    const { action, reason, numbers } = decideKeepalive(facts);
    this.deps.decided(model.name, 'forecast', {
      action: 'hold',
      reason: action === 'hold' ? reason : `would ${action}: ${reason}`,
      numbers,
    });
  }

  #ruling(window: KeepaliveWindow, { predictive }: ModelsConfig): KeepaliveWindow {
    if (predictive.enabled && !predictive.forecastOnly) return window;
    return { keepMs: this.#strategyMs(), prewarmMs: null, basis: 'strategy' };
  }

  #strategyMs(): number {
    const { unloading } = this.deps.config();
    return unloading.timeoutsMs[unloading.strategy];
  }

  #windowOf(model: Model): Found {
    const { clock, config, pressure } = this.deps;
    const price = priceOf(config().unloading.strategy, pressure());
    const now = clock.now();
    const { samples } = model.history;
    const found = this.#windows.get(model);
    if (found && found.samples === samples && found.price === price && now - found.at < WINDOW_AGE_MS) return found;
    const window = keepaliveWindow(model.history, {
      loadSeconds: model.loadSeconds ?? UNKNOWN_LOAD_SECONDS,
      mib: model.size.bytes === null ? UNKNOWN_MIB : model.size.bytes / MIB,
      price,
      fallbackMs: this.#strategyMs(),
      wallMs: clock.wall(),
    });
    const fresh = { window, samples, price, at: now };
    this.#windows.set(model, fresh);
    return fresh;
  }
}
