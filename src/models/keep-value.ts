import type { Clock } from '../clock.js';
import type { UnloadOrder } from '../config/schema.js';
import type { Newcomer } from '../policy/unload/exchange.js';
import { Inflation } from '../policy/unload/gdsf.js';
import { isTimeToLoad, type KeepFacts, keepValue, loadValue } from '../policy/unload/keep-value.js';
import type { Model } from './model.js';

/** What a load is taken to cost of which none was seen yet. */
const UNKNOWN_LOAD_SECONDS = 1;
const MIB = 1024 ** 2;

/** What is lost by unloading each model, by `unloading.order`. */
export class KeepValues {
  readonly #inflation = new Inflation();

  constructor(
    private readonly clock: Clock,
    private readonly order: () => UnloadOrder,
  ) {}

  of(model: Model): number {
    return keepValue(this.order(), this.#facts(model));
  }

  /** Where it is not loaded. */
  newcomer(model: Model): Newcomer {
    const facts = this.#facts(model);
    return {
      name: model.name,
      size: model.size,
      loadValue: loadValue(facts),
      isTime: (price) => isTimeToLoad(facts, price),
    };
  }

  /** It goes to make room for another one. */
  evicted(model: Model): void {
    this.#inflation.raise(keepValue('gdsf', this.#facts(model)), this.clock.now());
  }

  #facts(model: Model): KeepFacts {
    const now = this.clock.now();
    const unusedMs = model.unusedMs(now);
    return {
      history: model.history,
      unusedMs,
      idleMs: model.idleMs(now) ?? 0,
      wallMs: this.clock.wall(),
      loadSeconds: model.loadSeconds ?? UNKNOWN_LOAD_SECONDS,
      mib: (model.size.bytes ?? 0) / MIB,
      uses: model.uses,
      inflation: this.#inflation.at(now - (unusedMs ?? 0)),
    };
  }
}
