/** Changes of keys while everything goes on: all of them or none, and only what needs no new worker. */
import { isDeepStrictEqual } from 'node:util';
import { isInPlace } from '../config/diff.js';
import type { Loaded } from '../config/load.js';
import { UNLOAD_STRATEGIES } from '../config/model-schema.js';
import type { Config } from '../config/schema.js';
import { isWithin, keyValues, splitKey, whyNoKey } from '../config/settings.js';
import { FORBIDDEN_KEYS } from '../config/source.js';
import { whyNoStrategy } from '../config/unload-checks.js';
import { messageOf, SupError } from '../errors.js';
import { act, type PolicyDecision } from '../policy/decision.js';
import type { ConfigFiles } from './config-files.js';
import type { ConfigChange, ConfigReport, ConfigSetting } from './config-report.js';
import { ConfigView } from './config-view.js';
import type { Configs } from './configs.js';
import { type Override, shown } from './overrides.js';
import type { Registry } from './registry.js';

export interface ConfigChangesDependencies {
  registry: Pick<Registry, 'entries' | 'get' | 'toAdjust' | 'adjust'>;
  configs: Configs;
  files: ConfigFiles;
  /** ISO 8601. */
  now: () => string;
  /** Names of strategies that plug-ins have registered. */
  strategies: () => readonly string[];
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** Configurations are in force that ask for no new worker. */
  adopted: (changes: readonly { before: Loaded; after: Loaded }[]) => void;
}

type Path = readonly string[];

/** One key that changes, in the file that says it. */
interface Step {
  loaded: Loaded;
  /** In the file. */
  path: Path;
  /** As users name it here: two files may each have an app of one name. */
  key: string;
  subject: string;
  /** What is kept for the file after it. */
  apply: (overrides: readonly Override[]) => readonly Override[];
}

interface FileChange {
  before: Loaded;
  after: Loaded;
  overrides: readonly Override[];
}

const REMEDY = 'edit the file and reload';
/** Never kept outside of their file, for what stands there may be a secret. */
const OF_ENVIRONMENT = new Set(['env', 'env_file']);

export class ConfigChanges {
  readonly #view: ConfigView;

  constructor(private readonly deps: ConfigChangesDependencies) {
    this.#view = new ConfigView(deps);
  }

  report(): ConfigReport {
    return this.#view.report();
  }

  /** Decided and done in this turn; only what then has to boot is waited for. */
  async patch(settings: readonly ConfigSetting[]): Promise<ConfigChange> {
    const root = this.#view.root();
    const values = settings.flatMap(({ path, value }) => keyValues({ path: stepsOf(path, root), value }, root));
    if (values.length === 0)
      throw new SupError('SUP_BAD_REQUEST', 'there is nothing to change: name a key and its value');
    const keys = values.map(({ path }) => path.join('.'));
    const twice = keys.filter((key, index) => keys.indexOf(key) !== index);
    if (twice.length > 0) throw refused([...new Set(twice)].map((key) => `run-time change ${key}: is there twice`));
    const time = this.deps.now();
    const found = values.map(({ path, value }) => this.#step(path, value, time));
    const problems = found.flatMap((one) => (typeof one === 'string' ? [one] : []));
    if (problems.length > 0) throw refused(problems);
    return this.#commit('set', found as Step[]);
  }

  /** @param key null: everything */
  async reset(key: Path | null): Promise<ConfigChange> {
    const root = this.#view.root();
    const top = key === null ? [] : stepsOf(key, root);
    const why = whyNoKey(top, root);
    if (why !== null) throw new SupError('SUP_BAD_REQUEST', why, { key: top.join('.') });
    const steps = this.deps.configs.list().flatMap(({ file }) => {
      const loaded = this.deps.configs.get(file) as Loaded;
      return this.deps.files.overrides(file).flatMap(({ path }): Step[] => {
        const named = this.#view.named(file, path);
        if (named === null || !isWithin(named, top)) return [];
        const apply = (overrides: readonly Override[]) => overrides.filter((one) => !isWithin(one.path, path));
        return [{ loaded, path, key: named.join('.'), subject: subjectOf(named), apply }];
      });
    });
    return this.#commit('reset', steps);
  }

  /** The problem, as text, where there is no such key. */
  #step(named: Path, value: unknown, time: string): Step | string {
    const key = named.join('.');
    const say = (why: string) => `run-time change ${key}: ${why}`;
    if (named.some((step) => FORBIDDEN_KEYS.has(step))) return say('this key is not allowed anywhere');
    if (named[0] === 'apps' && named.length < 3) {
      const why = named.length === 2 ? whyNoKey(named, this.#view.root()) : null;
      return why === null ? say('must be a map of keys') : `run-time change ${why}`;
    }
    const place = this.#view.locate(named);
    if (place === null) {
      if (named[0] === 'apps') return `run-time change ${whyNoKey(named.slice(0, 2), this.#view.root()) ?? key}`;
      throw new SupError('SUP_CONFLICT', 'no configuration is in force: start one first');
    }
    const { loaded, path } = place;
    if (path[0] === 'apps' && OF_ENVIRONMENT.has(path[2] ?? '')) throw conflict([`${key}: it needs new workers`]);
    const strategy = isStrategy(path) && typeof value === 'string' && loaded.config.plugins.length > 0 ? value : null;
    const known = [...new Set([...UNLOAD_STRATEGIES, ...this.deps.strategies()])];
    const why = strategy === null ? null : whyNoStrategy(strategy, known);
    if (why !== null) return say(`${why}; no plug-in has registered another`);
    const override: Override = { path, value, time, written: loaded.written.inFile(path) };
    const apply = (overrides: readonly Override[]) => [
      ...overrides.filter((one) => !isWithin(one.path, path)),
      override,
    ];
    return { loaded, path, key, subject: subjectOf(named), apply };
  }

  async #commit(action: 'set' | 'reset', steps: readonly Step[]): Promise<ConfigChange> {
    const { registry, configs, files, decided, adopted } = this.deps;
    const changes = this.#load(steps);
    refuseHeavy(changes, steps, (loaded, overrides) => files.changed(loaded, overrides));
    const adjustments = changes.flatMap(({ before, after }) => registry.toAdjust(before.config, after.config));
    // From here on nothing is refused.
    const warned = new Set([...configs.ruling().warnings, ...changes.flatMap(({ before }) => before.warnings)]);
    const changed = steps.flatMap(({ loaded, path, key, subject }) => {
      const { after } = changes.find(({ before }) => before === loaded) as FileChange;
      const values = { before: this.#view.valueIn(loaded, path), after: this.#view.valueIn(after, path) };
      if (isDeepStrictEqual(values.before, values.after)) return [];
      const numbers = { key, before: shown(values.before), after: shown(values.after) };
      decided(subject, 'config', act(action, 'asked for by an operator', numbers));
      return [{ key, ...values }];
    });
    for (const { after, overrides } of changes) files.adopted(after, overrides);
    const booting = adjustments.map(({ entry, next }) =>
      registry.adjust(entry, next).then(
        () => [],
        (error: unknown) => [`${entry.app.name}: ${messageOf(error)}`],
      ),
    );
    adopted(changes);
    const warnings = [...configs.ruling().warnings, ...changes.flatMap(({ after }) => after.warnings)];
    const failed = (await Promise.all(booting)).flat();
    return { changed, warnings: [...warnings.filter((text) => !warned.has(text)), ...failed] };
  }

  /** @throws SupError SUP_CONFIG_INVALID with what is wrong in any file */
  #load(steps: readonly Step[]): FileChange[] {
    const problems: string[] = [];
    const changes = [...new Set(steps.map(({ loaded }) => loaded))].flatMap((before): FileChange[] => {
      const own = steps.filter(({ loaded }) => loaded === before);
      const overrides = own.reduce((kept, { apply }) => apply(kept), this.deps.files.overrides(before.config.file));
      try {
        return [{ before, overrides, after: this.deps.files.changed(before, overrides) }];
      } catch (error) {
        if (!(error instanceof SupError) || error.code !== 'SUP_CONFIG_INVALID') throw error;
        problems.push(...(error.data.problems as string[]));
        return [];
      }
    });
    if (problems.length > 0) throw refused(problems);
    return changes;
  }
}

/** A first step with dots is a dotted key: no key at the top has any. */
function stepsOf([first = '', ...rest]: Path, root: Record<string, unknown>): Path {
  return [...splitKey(first, root), ...rest];
}

function subjectOf(named: Path): string {
  return named[0] === 'apps' && named[1] !== undefined ? named[1] : 'supervisor';
}

function isStrategy(path: Path): boolean {
  const [parent, last] = path.slice(-2);
  return last === 'strategy' && (parent === 'unloading' || parent === 'unload');
}

function refused(problems: readonly string[]): SupError {
  const [first = ''] = problems;
  const message = problems.length === 1 ? first : `${problems.length} problems, the first: ${first}`;
  return new SupError('SUP_CONFIG_INVALID', message, { problems: [...problems] });
}

/** @throws SupError SUP_CONFLICT naming the keys that can't change while everything goes on */
function refuseHeavy(
  changes: readonly FileChange[],
  steps: readonly Step[],
  load: (loaded: Loaded, overrides: readonly Override[]) => Loaded,
): void {
  const heavy = changes.flatMap(({ before, after }) => whyHeavy(before.config, after.config) ?? []);
  if (heavy.length === 0) return;
  const alone = steps.flatMap(({ loaded, apply, key }) => {
    try {
      const why = whyHeavy(loaded.config, load(loaded, apply([])).config);
      return why === null ? [] : [`${key}: ${why}`];
    } catch {
      // Not even valid by itself: then it is together with others that it counts.
      return [];
    }
  });
  const keys = steps.map(({ key }) => key).join(', ');
  throw conflict(alone.length > 0 ? alone : [`${keys}: ${heavy[0]}`]);
}

function conflict(reasons: readonly string[]): SupError {
  const problems = reasons.map((reason) => `${reason}; ${REMEDY}`);
  return new SupError('SUP_CONFLICT', problems.join('\n'), { problems });
}

/** Why a change can't be made while everything goes on; null where it can. */
function whyHeavy(before: Config, after: Config): string | null {
  const listeners = ({ control, inference }: Config) => ({ control, inference: { ...inference, defaultModel: null } });
  if (!isDeepStrictEqual(listeners(before), listeners(after))) return 'a listener would have to be opened anew';
  if (before.project !== after.project) return 'the names of apps are made of it';
  if (!isDeepStrictEqual(before.plugins, after.plugins)) return 'plug-ins are loaded with their file';
  const isSame = after.apps.every((app, index) => {
    const former = before.apps[index];
    return former !== undefined && isInPlace(former, app);
  });
  return isSame ? null : 'it needs new workers';
}
