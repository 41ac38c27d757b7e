/** All configurations in force as one: the box as the ruling file has it, and the apps of all files by the names that they go by here. */
import { appSettings, boxSettings, type Setting } from '../config/effective.js';
import type { Loaded } from '../config/load.js';
import { isWithin } from '../config/settings.js';
import type { ConfigReport } from './config-report.js';
import type { Configs } from './configs.js';
import type { Registry } from './registry.js';

type Path = readonly string[];

export class ConfigView {
  constructor(private readonly deps: { registry: Pick<Registry, 'entries' | 'get'>; configs: Configs }) {}

  report(): ConfigReport {
    const values: Record<string, unknown> = {};
    const origins: ConfigReport['origins'] = {};
    for (const { path, value, origin } of this.#settings()) {
      put(values, path, value);
      origins[path.join('.')] = { value, origin };
    }
    return { values: { ...values, apps: values.apps ?? {} }, origins };
  }

  /** What is written for all of them, for keys to be found in. */
  root(): Record<string, unknown> {
    const { registry, configs } = this.deps;
    const apps = registry.entries.flatMap(({ app, file, configName }) => {
      const written = configs.get(file)?.written.value(['apps', configName]);
      return written === undefined ? [] : [[app.name, written] as const];
    });
    return { ...this.#ruling()?.written.keys, apps: Object.fromEntries(apps) };
  }

  /** Which file says a key, and where in it; null where none does. */
  locate(named: Path): { loaded: Loaded; path: Path } | null {
    if (named[0] !== 'apps') {
      const loaded = this.#ruling();
      return loaded && { loaded, path: named };
    }
    const entry = this.deps.registry.get(named[1] ?? '');
    const loaded = entry ? this.deps.configs.get(entry.file) : null;
    if (!entry || !loaded || loaded.written.value(['apps', entry.configName]) === undefined) return null;
    return { loaded, path: ['apps', entry.configName, ...named.slice(2)] };
  }

  /** A key of a file as it is named here; null for one of an app that is not here, or of the box where another file rules. */
  named(file: string, path: Path): Path | null {
    if (path[0] !== 'apps') return path;
    const entry = this.deps.registry.entries.find((one) => one.file === file && one.configName === path[1]);
    return entry ? ['apps', entry.app.name, ...path.slice(2)] : null;
  }

  /** In the form of the file; null where nothing is said and there is no default. */
  valueIn(loaded: Loaded, path: Path): unknown {
    const settings = path[0] === 'apps' ? (appSettings(loaded, path[1] ?? '') ?? []) : boxSettings(loaded);
    const exact = settings.find((setting) => setting.path.length === path.length && isWithin(setting.path, path));
    if (exact) return exact.value;
    const below = settings.filter((setting) => isWithin(setting.path, path));
    if (below.length === 0) return null;
    const group: Record<string, unknown> = {};
    for (const setting of below) put(group, setting.path.slice(path.length), setting.value);
    return group;
  }

  #ruling(): Loaded | null {
    const { ruling } = this.deps.configs.ruling();
    return ruling && this.deps.configs.get(ruling.file);
  }

  #settings(): Setting[] {
    const ruling = this.#ruling();
    const apps = this.deps.registry.entries.flatMap(({ app, file, configName }) => {
      const loaded = this.deps.configs.get(file);
      const own = (loaded && appSettings(loaded, configName)) ?? [];
      return own.map((setting) => ({ ...setting, path: ['apps', app.name, ...setting.path.slice(2)] }));
    });
    return [...(ruling ? boxSettings(ruling) : []), ...apps];
  }
}

function put(root: Record<string, unknown>, path: Path, value: unknown): void {
  let at = root;
  for (const step of path.slice(0, -1)) {
    at[step] ??= {};
    at = at[step] as Record<string, unknown>;
  }
  at[path.at(-1) as string] = value;
}
