import { isThenable, shown } from '../monitor/hooks.js';
import type { Strategy } from '../policy/keepalive.js';
import {
  isBuiltIn,
  type StrategyAnswer,
  type StrategyFacts,
  type StrategyFunction,
  strategyAnswer,
} from '../policy/unload/strategies.js';

const BUILT_IN: readonly Strategy[] = ['aggressive', 'balanced', 'conservative'];
/** Followed where there is no other. */
const FALLBACK: Strategy = 'balanced';

const MOST_WARNINGS = 20;

/** Strategies by name: those that are built in, and what plug-ins have registered. */
export class Strategies {
  readonly #own = new Map<string, StrategyFunction>();
  /** What was warned of: a name, or a name and an error. */
  readonly #warned = new Set<string>();

  constructor(private readonly warn: (text: string) => void) {}

  get names(): string[] {
    return [...BUILT_IN, ...this.#own.keys()];
  }

  /** Returns the function that takes it away. The later one of two with a name counts. @throws Error for a name that can't be had */
  register(name: string, strategy: StrategyFunction): () => void {
    if (!/^[A-Za-z][\w.-]*$/.test(name)) throw new Error(`'${name}' is no name of a strategy: letters, digits, . _ -`);
    if (isBuiltIn(name.toLowerCase())) throw new Error(`'${name}' is built in: give yours another name`);
    if (typeof strategy !== 'function') throw new Error(`the strategy '${name}' is no function`);
    this.#own.set(name, strategy);
    this.#warned.clear();
    return () => {
      if (this.#own.get(name) === strategy) this.#own.delete(name);
    };
  }

  /** The built-in one that rules where a name is of one's own, or of nobody's. */
  builtIn(name: string): Strategy {
    return isBuiltIn(name) ? name : FALLBACK;
  }

  /** It is one's own, and there. */
  isOwn(name: string): boolean {
    return this.#own.has(name);
  }

  /** What one's own says; null for one that is built in, and where it says nothing that can be followed. */
  ask(name: string, facts: () => StrategyFacts): StrategyAnswer | null {
    if (isBuiltIn(name)) return null;
    const strategy = this.#own.get(name);
    if (!strategy) {
      this.#once(name, `there is no strategy '${name}': no plug-in has registered it; ${FALLBACK} is followed instead`);
      return null;
    }
    try {
      const given = strategy(Object.freeze(facts()));
      if (isThenable(given)) {
        // Nobody waits for it; what it rejects with must not end the master.
        Promise.resolve(given).catch(() => {});
        throw new Error('it answered a promise: it must be a plain function, not an async one');
      }
      return strategyAnswer(given);
    } catch (error) {
      const what = shown(error);
      this.#once(`${name} ${what}`, `strategy '${name}': ${what}; ${FALLBACK} is followed instead`);
      return null;
    }
  }

  #once(key: string, text: string): void {
    if (this.#warned.has(key) || this.#warned.size >= MOST_WARNINGS) return;
    this.#warned.add(key);
    this.warn(text);
  }
}
