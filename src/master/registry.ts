import { statSync } from 'node:fs';
import { App, type AppDependencies } from '../apps/app.js';
import { commandParts } from '../apps/command-app.js';
import { httpParts } from '../apps/http-app.js';
import type { AppKindParts, KindDependencies } from '../apps/kind.js';
import { type ModelParts, modelParts } from '../apps/model-app.js';
import { changedVersions, diffApp, isInPlace } from '../config/diff.js';
import type { AppConfig, Config } from '../config/schema.js';
import { SupError } from '../errors.js';
import { AppLog } from '../logs/app-log.js';
import { Company } from '../pool/company.js';
import type { GroupRegistry } from '../worker/backends/child.js';
import { ThreadHosts } from '../worker/backends/thread.js';
import { renamed, requiredApps } from './app-names.js';

export interface Entry {
  app: App;
  log: AppLog;
  /** The file that defines it, and its name there. */
  file: string;
  project: string;
  configName: string;
  /** Set for models. */
  model: ModelParts | null;
  /** How its last start or update ended; what depends on it waits for this. */
  ready: Promise<void>;
  /** Resolves when its first start begins. */
  begun: Promise<void>;
  begin: () => void;
  /** The app that it can't start without and that failed. */
  blockedBy: string | null;
}

export interface RegistryDependencies extends Omit<AppDependencies, 'events'> {
  events: Omit<AppDependencies['events'], 'onLine'>;
  groups: GroupRegistry;
  /** State folder, if there is one. */
  home: string | null;
  /** Whether memory is plentiful enough to keep processes without a use. */
  calm: () => boolean;
  /** Null: logs are in memory only. */
  logsDir: string | null;
  workersDir: string;
  /** Sizes pinned by hand, by the names of pools; of an app too. */
  pins: Record<string, number>;
}

/** One app's part in applying a configuration: what has been decided, and the promise of its end. */
export interface Applied {
  entry: Entry;
  done: Promise<void>;
}

export interface ApplyOptions {
  /** Names in the file. */
  only?: readonly string[];
  roll: boolean;
  versions?: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Every app that this master knows, by the name it goes by here. */
export class Registry {
  readonly #entries = new Map<string, Entry>();
  /** Those that will take over from the app of their name once they are ready. */
  readonly #heirs = new Map<string, App>();
  readonly #hosts = new ThreadHosts();
  readonly #company = new Company();

  constructor(private readonly deps: RegistryDependencies) {}

  get entries(): Entry[] {
    return [...this.#entries.values()];
  }

  get apps(): App[] {
    return this.entries.map((entry) => entry.app);
  }

  /** Also those that nobody can name yet. */
  get everything(): App[] {
    return [...this.apps, ...this.#heirs.values()];
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  ofWorker(worker: string): Entry | undefined {
    return this.#entries.get(worker.split(/[@/]/, 1)[0] as string);
  }

  /**
   * Adds and updates the apps of a configuration, never removes. All is decided in this turn; `done` of each tells how it ended.
   * `roll` also replaces the workers of apps that did not change; `versions` narrows that to these of an app.
   * @throws SupError SUP_CONFIG_INVALID when an app wants a port that an app of another file has
   */
  apply(config: Config, options: ApplyOptions): Applied[] {
    const wanted = config.apps.filter((app) => options.only === undefined || options.only.includes(app.name));
    this.#checkPorts(config);
    const named = this.#named(config);
    const applied: Applied[] = [];
    for (const own of wanted) {
      const next = named(own);
      const { name } = next;
      const existing = this.#entries.get(name);
      if (existing) {
        existing.file = config.file;
        existing.log.configure(next.log);
        applied.push({
          entry: existing,
          done: this.#update(existing, next, options.roll, options.versions?.get(own.name) ?? null),
        });
      } else {
        const entry = this.#create(next, config, own.name);
        this.#entries.set(name, entry);
        // A turn later: what it depends on may stand below it in the file.
        applied.push({ entry, done: Promise.resolve().then(() => this.#startInOrder(entry)) });
      }
    }
    for (const { entry, done } of applied) {
      entry.ready = done;
      // Whoever waits for it sees the failure; nobody has to.
      done.catch(() => {});
    }
    return applied;
  }

  /**
   * Those of a file's apps that are here and differ from one configuration to the next, as they are to be.
   * @throws SupError SUP_CONFLICT while one of them is being replaced, or has not yet become what its file said before
   */
  toAdjust(before: Config, after: Config): { entry: Entry; next: AppConfig }[] {
    const named = this.#named(after);
    return after.apps.flatMap((own) => {
      const entry = this.entries.find(({ file, configName }) => file === after.file && configName === own.name);
      const former = before.apps.find(({ name }) => name === own.name);
      if (!entry || !former || diffApp(former, own) === 'same') return [];
      this.checkFree(entry.app);
      const next = named(own);
      if (!isInPlace(entry.app.config, next))
        throw new SupError(
          'SUP_CONFLICT',
          `${entry.app.name} does not yet run what its file said when it was read last: reload it first`,
          { app: entry.app.name },
        );
      return [{ entry, next }];
    });
  }

  /** A change that needs no new worker: nothing is started, stopped or replaced for it. */
  adjust(entry: Entry, next: AppConfig): Promise<void> {
    entry.log.configure(next.log);
    return entry.app.configure(next);
  }

  /** Starts what waited for this app, which is online now. */
  unblock(name: string): void {
    const there = this.#entries.get(name);
    // Where its start failed, what counts now is how it is doing.
    if (there) there.ready = there.ready.catch(() => there.app.settled());
    there?.ready.catch(() => {});
    for (const entry of this.entries) {
      if (entry.blockedBy !== name || entry.app.running) continue;
      entry.blockedBy = null;
      entry.ready = this.#startInOrder(entry);
      entry.ready.catch((error: Error) => this.deps.warn(error.message));
    }
  }

  /** Apps that this file once defined and no longer does. */
  orphans(config: Config): Entry[] {
    const names = new Set(config.apps.map((app) => app.name));
    return this.entries.filter((entry) => entry.file === config.file && !names.has(entry.configName));
  }

  /** @throws SupError SUP_CONFLICT while another pool is about to take over from the app's */
  checkFree(app: App): void {
    if (this.#heirs.has(app.name))
      throw new SupError('SUP_CONFLICT', `${app.name} is being replaced by a new pool; try again when that is done`);
  }

  /** Stops everything for good. */
  async retire(): Promise<void> {
    await Promise.all(this.everything.map((app) => app.retire()));
  }

  async remove(entry: Entry): Promise<void> {
    this.checkFree(entry.app);
    await entry.app.retire();
    if (this.#entries.get(entry.app.name) === entry) this.#entries.delete(entry.app.name);
    await entry.log.close();
  }

  /** An app as it is called here; so are those that it names. */
  #named(config: Config): (own: AppConfig) => AppConfig {
    const names = new Map(config.apps.map((app) => [app.name, this.#nameFor(config, app.name)]));
    return (own) => renamed(own, names);
  }

  /** Two files may both have `web`: the second one goes by `<project>.web`. */
  #nameFor(config: Config, name: string): string {
    const mine = this.entries.find(
      (e) => e.configName === name && (e.file === config.file || e.project === config.project),
    );
    if (mine) return mine.app.name;
    return this.#entries.has(name) ? `${config.project}.${name}` : name;
  }

  #checkPorts(config: Config): void {
    const problems: string[] = [];
    for (const app of config.apps) {
      if (app.kind !== 'http') continue;
      const rival = this.entries.find(
        (e) =>
          e.app.config.kind === 'http' &&
          e.app.config.port === app.port &&
          e.file !== config.file &&
          e.project !== config.project,
      );
      if (rival)
        problems.push(
          `${config.file} apps.${app.name}.port: ${app.port} belongs to ${rival.app.name} of ${rival.file}; choose another`,
        );
    }
    if (problems.length > 0) throw new SupError('SUP_CONFIG_INVALID', problems.join('\n'), { problems });
  }

  #create(
    config: AppConfig,
    from: Config,
    configName: string,
    log?: AppLog,
    taken?: ConstructorParameters<typeof App>[3],
  ): Entry {
    const { deps } = this;
    const appLog =
      log ??
      new AppLog({
        app: config.name,
        dir: deps.logsDir,
        format: config.log.format,
        rotate: config.log.rotate,
        onWarning: deps.warn,
      });
    const kindDeps: KindDependencies = {
      calm: deps.calm,
      hosts: this.#hosts,
      company: this.#company,
      workersDir: deps.workersDir,
      home: deps.home,
      environment: { output: appLog, groups: deps.groups },
    };
    let parts: AppKindParts;
    let model: ModelParts | null = null;
    switch (config.kind) {
      case 'model':
        parts = model = modelParts(config, { ...kindDeps, clock: deps.clock, ...deps.events }, (worker, reason) => {
          for (const pool of app.pools.values()) if (pool.workers.includes(worker)) pool.wedged(worker, { reason });
        });
        break;
      case 'http':
        parts = httpParts(config, kindDeps, (text) => {
          appLog.note(config.name, text);
          deps.warn(`${config.name}: ${text}`);
        });
        break;
      case 'command':
        parts = commandParts(config, kindDeps);
        break;
    }
    const app = new App(
      config,
      parts,
      {
        clock: deps.clock,
        random: deps.random,
        hasRoom: deps.hasRoom,
        warn: deps.warn,
        life: deps.life,
        changed: deps.changed,
        events: {
          ...deps.events,
          onLine: (worker, listener) =>
            appLog.follow((line) => line.worker === worker && listener(line.line), { everyLine: true }),
        },
      },
      taken ?? { pins: pinsOf(config, parts, deps.pins), numbers: new Map() },
    );
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    return {
      app,
      log: appLog,
      file: from.file,
      project: from.project,
      configName,
      model,
      ready: Promise.resolve(),
      begun,
      begin,
      blockedBy: null,
    };
  }

  async #update(entry: Entry, next: AppConfig, roll: boolean, only: ReadonlySet<string> | null): Promise<void> {
    const { app } = entry;
    this.checkFree(app);
    const change = diffApp(app.config, next);
    if (change === 'new-pool') return this.#switchOver(entry, next);
    if (!app.running) {
      await app.configure(next);
      await this.#startInOrder(entry);
    } else if (change === 'generation' || (change !== 'versions' && roll && only === null)) await app.reload(next);
    else if (change === 'versions' || app.stale.size > 0)
      await app.reload(
        next,
        new Set([
          ...changedVersions(app.config, next),
          ...app.stale,
          ...(only ?? []),
          // Asked for by hand: what was edited meanwhile counts too.
          ...(roll && only === null ? editedVersions(app, next) : []),
        ]),
      );
    else if (roll) await app.reload(next, only);
    else if (change === 'in-place') await app.configure(next);
    else await app.settled();
  }

  /** Another kind, port or isolation: a new pool beside the old one takes over when it is ready. */
  async #switchOver(entry: Entry, next: AppConfig): Promise<void> {
    const { app: old, model } = entry;
    const from = { file: entry.file, project: entry.project } as Config;
    const taken = { pins: old.pins, numbers: old.lastNumbers };
    const fresh = this.#create(next, from, entry.configName, entry.log, taken);
    this.#heirs.set(next.name, fresh.app);
    try {
      await this.#startHeir(fresh.app, old);
      await warmUp(fresh.app, old);
      entry.app = fresh.app;
      entry.model = fresh.model;
      this.deps.changed(fresh.app);
    } catch (error) {
      await fresh.app.retire();
      throw error;
    } finally {
      this.#heirs.delete(next.name);
    }
    // What came before is the old one's to answer.
    if (model) await Promise.all([...old.pools.keys()].map((version) => model.emptied(version)));
    await old.retire();
  }

  async #startHeir(heir: App, old: App): Promise<void> {
    try {
      return await heir.start();
    } catch (error) {
      const isTaken = error instanceof SupError && error.code === 'SUP_PORT_IN_USE';
      if (!isTaken || !old.running || !samePort(old.config, heir.config)) throw error;
    }
    // The old one holds the very address that the new one wants: only then does it go first.
    await old.stop();
    try {
      await heir.start();
    } catch (error) {
      await heir.stop();
      await old.start();
      throw error;
    }
  }

  /** Starts it once what it depends on is there; a stop calls that off. */
  async #startInOrder(entry: Entry): Promise<void> {
    const { app } = entry;
    const { stops } = app;
    const calledOff = () => new SupError('SUP_CONFLICT', `${app.name} was stopped meanwhile`, { app: app.name });
    for (const { app: name, condition } of app.config.dependsOn) {
      const other = this.#entries.get(name);
      if (!other) throw new SupError('SUP_ACT_FAILED', `${app.name} depends on ${name}, which is not configured here`);
      app.waitFor(`${name} (depends_on)`);
      try {
        // What never begins, since its own dependency failed, ends the wait too.
        await (condition === 'ready' ? other.ready : Promise.race([other.begun, other.ready]));
      } catch (error) {
        if (app.stops !== stops) throw calledOff();
        entry.blockedBy = name;
        const why = `${app.name} is not started: it depends on ${name}, which failed`;
        throw new SupError('SUP_ACT_FAILED', why, { app: app.name }, { cause: error });
      }
      if (app.stops !== stops) throw calledOff();
      app.waitFor(null);
    }
    for (const name of requiredApps(app.config)) {
      const other = this.#entries.get(name);
      if (!other || this.#waitsFor(other, app.name)) continue;
      app.waitFor(`${name} (unload.requires)`);
      // That it begins is enough: its load comes before this one's.
      await Promise.race([other.begun, other.ready.catch(() => {})]);
      if (app.stops !== stops) throw calledOff();
      app.waitFor(null);
    }
    entry.begin();
    await app.start();
  }

  /** Whether it starts after the app of this name, or is that app. */
  #waitsFor({ app }: Entry, name: string, seen = new Set<App>()): boolean {
    if (app.name === name) return true;
    if (seen.has(app)) return false;
    seen.add(app);
    return [...app.config.dependsOn.map((dependency) => dependency.app), ...requiredApps(app.config)].some((next) => {
      const other = this.#entries.get(next);
      return other !== undefined && this.#waitsFor(other, name, seen);
    });
  }
}

function pinsOf(config: AppConfig, parts: AppKindParts, pins: Record<string, number>): Map<string | null, number> {
  const found = new Map<string | null, number>();
  for (const version of parts.versions(config)) {
    const pin = (version === null ? undefined : pins[`${config.name}@${version}`]) ?? pins[config.name];
    if (pin !== undefined) found.set(version, pin);
  }
  return found;
}

/** Versions whose module was written after their workers' generation began. */
function editedVersions(app: App, config: AppConfig): string[] {
  if (config.kind !== 'model') return [];
  return config.versions
    .filter(({ version, module }) => {
      const pool = app.pools.get(version);
      const written = statSync(module, { throwIfNoEntry: false })?.mtimeMs;
      return pool !== undefined && written !== undefined && written > pool.madeAt;
    })
    .map(({ version }) => version);
}

/** What was loaded stays loaded: its next request is not the one that pays for the change. */
async function warmUp(heir: App, old: App): Promise<void> {
  if (heir.config.kind !== 'model') return;
  for (const [version, pool] of old.pools)
    if (version !== null && pool.desired > 0 && heir.pools.get(version)?.desired === 0) await heir.load(version);
}

function samePort(a: AppConfig, b: AppConfig): boolean {
  return a.kind === 'http' && b.kind === 'http' && a.port === b.port;
}
