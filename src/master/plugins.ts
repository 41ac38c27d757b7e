/** The operator's own modules in the master: what is in them is told of, never relied upon. */
import { pathToFileURL } from 'node:url';
import { type Clock, systemClock } from '../clock.js';
import { SupError } from '../errors.js';
import type { Strategies } from '../models/strategies.js';
import { HOOK_NAMES, type Hooks, type MonitorHooks, shown } from '../monitor/hooks.js';
import type { StrategyFunction } from '../policy/unload/strategies.js';

/** What a plug-in's function gets. */
export interface PluginApi {
  /** Returns the function that ends it. They end with the plug-in anyway. */
  registerHooks(hooks: MonitorHooks): () => void;
  /** A way of unloading that `unloading.strategy` and `unload.strategy` may name. Returns the function that ends it. @throws Error for a name that can't be had */
  registerStrategy(name: string, strategy: StrategyFunction): () => void;
  /** A line in the master's log. */
  log(text: string): void;
}

/** The default export of a plug-in; what the function returns (or resolves with) may be hooks. */
export type Plugin = MonitorHooks | ((api: PluginApi) => unknown);

export interface PluginsOptions {
  clock?: Clock;
  /** For what plug-ins log. Default: `warn`. */
  info?: (text: string) => void;
  /** For importing one, and for its function. */
  loadTimeoutMs?: number;
}

const LOAD_TIMEOUT_MS = 10_000;

interface Loaded {
  /** Ends its hooks. */
  readonly ends: Set<() => void>;
  ended: boolean;
}

export class Plugins {
  readonly #loaded = new Map<string, Loaded>();
  /** Modules that failed are imported under another address: the engine would only repeat the failure. */
  readonly #failures = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();

  /** @param warn for what goes wrong after `load`; what goes wrong in it is in its answer */
  constructor(
    private readonly hooks: Hooks,
    private readonly strategies: Pick<Strategies, 'register'>,
    private readonly warn: (text: string) => void,
    private readonly options: PluginsOptions = {},
  ) {}

  /**
   * Makes these the plug-ins that there are: new ones are imported in their order, those no longer named are ended, the others stay
   * as they are. Calls at once follow each other. Never throws.
   * @param files absolute paths
   * @returns warnings, each naming its file
   */
  load(files: readonly string[]): Promise<string[]> {
    const load = this.#turn.then(() => this.#load(files));
    this.#turn = load;
    return load;
  }

  async #load(files: readonly string[]): Promise<string[]> {
    for (const [file, loaded] of this.#loaded)
      if (!files.includes(file)) {
        this.#loaded.delete(file);
        end(loaded);
      }
    const warnings: string[] = [];
    for (const file of new Set(files)) {
      if (this.#loaded.has(file)) continue;
      const loaded: Loaded = { ends: new Set(), ended: false };
      try {
        await this.#open(file, loaded, warnings);
        this.#loaded.set(file, loaded);
      } catch (error) {
        end(loaded);
        this.#failures.set(file, (this.#failures.get(file) ?? 0) + 1);
        warnings.push(`plug-in ${file} is not loaded: ${shown(error)}`);
      }
    }
    return warnings;
  }

  /** @throws whatever its author's code throws */
  async #open(file: string, loaded: Loaded, warnings: string[]): Promise<void> {
    const failures = this.#failures.get(file) ?? 0;
    const address = `${pathToFileURL(file).href}${failures === 0 ? '' : `?failures=${failures}`}`;
    const module = (await this.#inTime(import(address))) as { default?: unknown };
    const plugin = module.default;
    const given =
      typeof plugin === 'function' ? await this.#inTime(Promise.resolve(plugin(this.#api(file, loaded)))) : plugin;
    if (typeof plugin === 'function' && (given === undefined || given === null)) return;
    this.#register(file, loaded, given, (text) => warnings.push(text));
  }

  #api(file: string, loaded: Loaded): PluginApi {
    const { info = this.warn } = this.options;
    return {
      registerHooks: (hooks) => this.#register(file, loaded, hooks, this.warn),
      registerStrategy: (name, strategy) => {
        if (loaded.ended) return () => undefined;
        const stop = this.strategies.register(name, strategy);
        loaded.ends.add(stop);
        return stop;
      },
      log: (text) => info(`plug-in ${file}: ${shown(text)}`),
    };
  }

  /** @throws SupError SUP_BAD_REQUEST for what are no hooks */
  #register(file: string, loaded: Loaded, given: unknown, warn: (text: string) => void): () => void {
    if (typeof given !== 'object' || given === null)
      throw new SupError('SUP_BAD_REQUEST', `its default export must be hooks, or a function that may return some`);
    const hooks = given as MonitorHooks;
    const known = HOOK_NAMES.filter((name) => name in hooks);
    for (const name of known)
      if (typeof hooks[name] !== 'function') throw new SupError('SUP_BAD_REQUEST', `its '${name}' is no function`);
    if (known.length === 0) warn(`plug-in ${file} has none of the hooks ${HOOK_NAMES.join(', ')}`);
    // It may have kept the api, and been taken out since.
    if (loaded.ended) return () => undefined;
    const named = hooks.name === undefined ? withName(hooks, file) : hooks;
    const stop = this.hooks.use(named);
    loaded.ends.add(stop);
    return () => {
      loaded.ends.delete(stop);
      stop();
    };
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock = systemClock, loadTimeoutMs = LOAD_TIMEOUT_MS } = this.options;
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      const timer = clock.setTimeout(
        () => reject(new SupError('SUP_DEADLINE', `it did not get ready within ${loadTimeoutMs / 1000} s`)),
        loadTimeoutMs,
      );
      cancel = () => timer.cancel();
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
    }
  }
}

/** Reports about it should name its file; its object stays as it is, and so does what `this` is in its methods. */
function withName(hooks: MonitorHooks, file: string): MonitorHooks {
  const named: MonitorHooks = { name: file };
  for (const hook of HOOK_NAMES)
    if (hook in hooks) named[hook] = (about: never) => (hooks[hook] as (about: never) => unknown).call(hooks, about);
  return named;
}

function end(loaded: Loaded): void {
  loaded.ended = true;
  for (const stop of loaded.ends) stop();
  loaded.ends.clear();
}
