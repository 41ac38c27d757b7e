/** Reads configuration files as they are in force here: with the environment and what was changed at run time over them. */
import { resolve } from 'node:path';
import { NO_DISK } from '../config/files.js';
import { type Loaded, loadConfig, loadText } from '../config/load.js';
import type { Configs } from './configs.js';
import { type Dropped, layered, type Override, Overrides, shown } from './overrides.js';

/** A file that was read and is about to be applied. */
export interface ReadFile extends Loaded {
  /** The changes that it was read with. */
  basis: readonly Override[];
  kept: readonly Override[];
  dropped: readonly Dropped[];
}

interface AppOfFile {
  file: string;
  configName: string;
}

export interface ConfigFilesDependencies {
  env: NodeJS.ProcessEnv;
  configs: Configs;
  /** What a former master kept, by file. */
  overrides: Readonly<Record<string, readonly Override[]>>;
  /** The apps that are here, by their names in their files. */
  apps: () => readonly AppOfFile[];
  /** The file has taken a change back. */
  dropped: (dropped: Dropped) => void;
}

export class ConfigFiles {
  readonly #overrides: Overrides;
  /** Apps that were here when it was looked last, so that those that went are known. */
  #seen: readonly AppOfFile[] = [];

  constructor(private readonly deps: ConfigFilesDependencies) {
    this.#overrides = new Overrides(deps.overrides);
  }

  /** What outlives the master. */
  get kept(): Record<string, readonly Override[]> {
    return this.#overrides.toJSON();
  }

  overrides(file: string): readonly Override[] {
    return this.#overrides.of(file);
  }

  /** From the disk. @throws SupError SUP_CONFIG_INVALID */
  read(file: string): ReadFile {
    const { env } = this.deps;
    let text: string | null = null;
    return this.#layered(resolve(file), (changes) => {
      // Read once: the file may change between one try and the next.
      if (text !== null) return loadText(text, file, { env, changes });
      const loaded = loadConfig(file, { env, changes });
      text = loaded.written.text;
      return loaded;
    });
  }

  /** One that was read a while ago, with what was changed since then. */
  current(read: ReadFile): ReadFile {
    const { env } = this.deps;
    const { file } = read.config;
    if (this.#overrides.of(file) === read.basis) return read;
    return this.#layered(file, (changes) => loadText(read.written.text, file, { env, changes }));
  }

  /** A file as it was applied, under other changes; nothing is read from the disk. @throws SupError SUP_CONFIG_INVALID */
  changed({ config, written }: Loaded, changes: readonly Override[]): Loaded {
    const loaded = loadText(written.text, config.file, { env: this.deps.env, changes, disk: NO_DISK });
    // Files of variables were read when it was applied.
    const envOf = new Map(config.apps.map((app) => [app.name, app.env]));
    const apps = loaded.config.apps.map((app) => ({ ...app, env: envOf.get(app.name) ?? app.env }));
    return { ...loaded, config: { ...loaded.config, apps } };
  }

  /** It is in force now. */
  applied(file: ReadFile): void {
    this.deps.configs.add(file);
    this.#overrides.set(file.config.file, file.kept);
    for (const dropped of file.dropped) this.deps.dropped(dropped);
  }

  /** The same text is in force under other changes. */
  adopted(loaded: Loaded, overrides: readonly Override[]): void {
    this.deps.configs.add(loaded);
    this.#overrides.set(loaded.config.file, overrides);
  }

  /** Apps that are gone take what was changed of them along; the last of a file takes all. */
  forgetGone(): void {
    const here = this.deps.apps().map(({ file, configName }) => ({ file, configName }));
    const ids = new Set(here.map(idOf));
    const inForce = new Set(here.map(({ file }) => file));
    for (const { file, configName } of this.#seen.filter((one) => !ids.has(idOf(one)))) {
      const kept = this.#overrides.of(file).filter(({ path }) => path[0] !== 'apps' || path[1] !== configName);
      this.#overrides.set(file, inForce.has(file) ? kept : []);
    }
    this.#seen = here;
  }

  #layered(file: string, load: (changes: readonly Override[]) => Loaded): ReadFile {
    const basis = this.#overrides.of(file);
    const { loaded, kept, dropped } = layered(load, basis);
    return { ...loaded, warnings: [...loaded.warnings, ...dropped.map(noticeOf)], basis, kept, dropped };
  }
}

function noticeOf({ override: { path, value, time }, why }: Dropped): string {
  return `${path.join('.')}: ${why}, so the change to ${shown(value)} at run time (${time}) is over`;
}

function idOf({ file, configName }: AppOfFile): string {
  return `${file}\n${configName}`;
}
