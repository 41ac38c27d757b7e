import type { Clock } from '../clock.js';
import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import type { PolicyDecision } from '../policy/decision.js';
import { priceOf } from '../policy/keepalive.js';
import { mayGo } from '../policy/load/victims.js';
import type { LoadFacts } from '../policy/load.js';
import type { PressureLevel } from '../policy/pressure.js';
import { decideExchanges, EXCHANGE_EVERY_MS, type Exchange, type Newcomer } from '../policy/unload/exchange.js';
import { REGRET_MS } from '../policy/unload/patience.js';
import type { Model } from './model.js';
import type { Strategies } from './strategies.js';

export interface ExchangesDependencies {
  clock: Clock;
  config: () => { models: ModelsConfig; unloading: UnloadingConfig };
  strategies: Strategies;
  pressure: () => PressureLevel | null;
  /** What is known of a model that would load, and of all that it would share the box with. */
  facts: (model: Model) => LoadFacts;
  newcomer: (model: Model) => Newcomer;
  isLoading: (model: Model) => boolean;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** It makes room for another one. */
  unload: (model: Model, reason: string, numbers: PolicyDecision['numbers']) => void;
  /** It is likely to be used soon. */
  load: (model: Model) => void;
}

/** A model that is known for less has only shown gaps within bursts. */
const LEAST_KNOWN_MS = 3_600_000;

/** Loads models before they are asked for, in the place of those that are worth less. */
export class Exchanges {
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** For whom room is being made, and until when they are waited for; monotonic ms. */
  readonly #coming = new Map<Model, number>();

  constructor(private readonly deps: ExchangesDependencies) {}

  tick(models: readonly Model[]): void {
    const now = this.deps.clock.now();
    for (const [model, until] of this.#coming) this.#fetch(model, now > until);
    if (now - this.#lookedAt < EXCHANGE_EVERY_MS) return;
    this.#lookedAt = now;
    if (!this.#isOn()) return;
    const newcomers = models.filter((model) => this.#mayCome(model, now));
    if (newcomers[0] === undefined) return;
    const facts = this.deps.facts(newcomers[0]);
    if (isAtRest(facts)) for (const exchange of this.#decide(newcomers, facts)) this.#begin(exchange, models, now);
  }

  /** Where memory is shorter than that, models have to go, and nobody comes unasked. */
  #isOn(): boolean {
    const { config, pressure } = this.deps;
    const { models, unloading } = config();
    const level = pressure();
    const foresees = models.predictive.enabled && !models.predictive.forecastOnly;
    return (
      foresees && unloading.enabled && unloading.order === 'keep_value' && level !== 'high' && level !== 'critical'
    );
  }

  #mayCome(model: Model, now: number): boolean {
    const { unloaded, history } = model;
    const isGoneByHand = unloaded?.cause === 'manual';
    const isJustGone = unloaded !== null && now - unloaded.at < REGRET_MS;
    return (
      model.onDemand &&
      model.pool.phase === 'running' &&
      !model.loaded &&
      model.unloading === null &&
      model.failure === null &&
      model.unload.preference !== 'evict' &&
      // What it requires would need room, too.
      model.config.unload.requires.length === 0 &&
      model.size.bytes !== null &&
      !isGoneByHand &&
      !isJustGone &&
      !this.deps.isLoading(model) &&
      history.knownMs(this.deps.clock.wall()) >= LEAST_KNOWN_MS
    );
  }

  #decide(newcomers: readonly Model[], { others, room, standbyRoom, maxLoaded }: LoadFacts): Exchange[] {
    const { config, pressure, strategies, newcomer } = this.deps;
    const left = Math.max(0, standbyRoom ?? Number.POSITIVE_INFINITY);
    return decideExchanges({
      newcomers: newcomers.map(newcomer),
      candidates: others.filter(
        (other) =>
          mayGo(other) && other.idle && other.youngForMs === 0 && other.neededBy.length === 0 && !other.follows,
      ),
      // Never so many that for them alone pressure rises.
      room: { ...room, bytes: room.bytes === null ? null : Math.min(Math.max(0, room.bytes), left) },
      places:
        maxLoaded === null
          ? Number.POSITIVE_INFINITY
          : Math.max(0, maxLoaded - others.filter(({ onDemand }) => onDemand).length),
      leastPrice: priceOf(strategies.builtIn(config().unloading.strategy), pressure()),
    });
  }

  #begin({ load, unload, numbers }: Exchange, models: readonly Model[], now: number): void {
    const model = models.find(({ name }) => name === load);
    if (!model) return;
    const reason = 'likely to be used soon, and worth more than what goes for it';
    this.deps.decided(load, 'exchange', { action: 'load', reason, numbers: { ...numbers, victims: unload.join(' ') } });
    for (const other of models)
      if (unload.includes(other.name))
        this.deps.unload(other, `it makes room for ${load}, which is worth more`, { for: load });
    this.#coming.set(model, now + EXCHANGE_EVERY_MS);
    this.#fetch(model, false);
  }

  /** Once what went for it is measured. */
  #fetch(model: Model, isOver: boolean): void {
    const isGiven = isOver || model.loaded || this.deps.isLoading(model);
    if (!isGiven && !isAtRest(this.deps.facts(model))) return;
    this.#coming.delete(model);
    if (!isGiven) this.deps.load(model);
  }
}

/** What is on its way in or out decides who has room. */
function isAtRest({ loading, leaving, coming }: LoadFacts): boolean {
  return loading === 0 && leaving === 0 && !coming.bytes && !coming.gpuBytes;
}
