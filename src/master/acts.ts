import { isAbsolute } from 'node:path';
import type { App } from '../apps/app.js';
import type { Config } from '../config/schema.js';
import { type ErrorCode, SupError, toSupError } from '../errors.js';
import type { ConfigFiles, ReadFile } from './config-files.js';
import type { ApplyOptions, Entry, Registry } from './registry.js';
import type { ActReport, ActResult, Verb } from './supervisor.js';
import { type Selection, selectTargets } from './targets.js';

const REFUSALS: ReadonlySet<ErrorCode> = new Set(['SUP_CONFLICT', 'SUP_BAD_REQUEST', 'SUP_NO_ROOM', 'SUP_CHURN']);
const LOG_TAIL_LINES = 12;

export interface ActsDependencies {
  registry: Registry;
  files: Pick<ConfigFiles, 'read' | 'current'>;
  /** Opens or moves the listeners, and loads the plug-ins, as the configuration wants them; returns warnings. */
  open: (config: Config) => Promise<string[]>;
  /** A configuration is in force, or an app is gone: what outlives the master has changed. */
  changed: () => void;
  configured: (file: ReadFile) => void;
  /** Measures what was not measured yet: a report should show the memory of workers that have only just started. */
  measure: () => void;
}

/** What operators ask for, from whichever side: each act resolves with how every app that it named came out. */
export class Acts {
  constructor(private readonly deps: ActsDependencies) {}

  async apply(file: string, options: { only?: readonly string[] } = {}): Promise<ActReport> {
    return this.#applyConfig(this.deps.files.read(file), { ...options, roll: false });
  }

  async act(verb: Verb, target: string): Promise<ActReport> {
    if (verb === 'reload') return this.#reload(target);
    const selections = selectTargets(this.deps.registry.apps, target);
    if (selections.some((s) => s.worker !== null) && verb !== 'recycle' && verb !== 'restart')
      throw new SupError(
        'SUP_BAD_REQUEST',
        `'${verb}' is for whole apps; one worker can be recycled, or scale its app`,
        { target },
      );
    if (verb === 'delete' && selections.some((s) => s.version !== undefined))
      throw new SupError(
        'SUP_BAD_REQUEST',
        `'delete' is for whole apps; to take one version out of service: supervisor stop ${target}`,
        { target },
      );
    const report = await this.#report(
      selections.map((s) => ({ entry: this.#entryOf(s), done: this.#one(verb, s) })),
      [],
    );
    this.deps.changed();
    return report;
  }

  async scale(target: string, size: string): Promise<ActReport> {
    const [, sign, digits] = /^([+-]?)(\d{1,4})$/.exec(size) ?? [];
    if (size !== 'auto' && digits === undefined)
      throw new SupError('SUP_BAD_REQUEST', `'${size}' is no size: write 3, +1, -1 or auto`);
    const selections = selectTargets(this.deps.registry.apps, target);
    if (selections.some((s) => s.worker !== null))
      throw new SupError('SUP_BAD_REQUEST', 'a single worker cannot be scaled; name its app');
    for (const { app } of selections) this.deps.registry.checkFree(app);
    const wanted = size === 'auto' ? null : sign ? { by: Number(`${sign}${digits}`) } : { to: Number(digits) };
    // One app: a size that cannot be is the caller's mistake and not a failed act.
    if (selections.length === 1) {
      const [{ app, version }] = selections as [Selection];
      app.checkSize(wanted, version);
    }
    const report = await this.#report(
      selections.map((s) => ({ entry: this.#entryOf(s), done: s.app.scale(wanted, s.version) })),
      [],
    );
    this.deps.changed();
    return { ...report, warnings: [...report.warnings, ...selections.flatMap(({ app }) => beyondMax(app))] };
  }

  async #one(verb: Exclude<Verb, 'reload'>, { app, version, worker }: Selection): Promise<void> {
    this.deps.registry.checkFree(app);
    switch (verb) {
      case 'start':
        return app.start(version);
      case 'stop':
        // Nor does it start later, when what it waits for is there.
        this.#entryOf({ app, version, worker }).blockedBy = null;
        return app.stop(version);
      case 'restart':
        return worker === null ? app.restart(version) : app.recycle(worker, version);
      case 'recycle':
        return app.recycle(worker, version);
      case 'load':
        return app.load(version);
      case 'unload':
        return app.unload(version);
      case 'delete':
        return this.deps.registry.remove(this.#entryOf({ app, version, worker }));
    }
  }

  /** Reads the files of the apps again; an error in any of them stops the reload before anything is touched. */
  async #reload(target: string): Promise<ActReport> {
    const { registry } = this.deps;
    const whole = target === 'all' || isFileTarget(target);
    const selections = isFileTarget(target) ? [] : this.#wholeApps(target);
    const entries = isFileTarget(target) ? this.#entriesOfFile(target) : selections.map((s) => this.#entryOf(s));
    const versions = new Map(
      selections.flatMap((s) => (s.version === undefined ? [] : [[this.#entryOf(s).configName, new Set([s.version])]])),
    );
    const { files } = this.deps;
    const read = [...new Set(entries.map((e) => e.file))].map((file) => files.read(file));
    const reports: ActReport[] = [];
    for (const earlier of read) {
      // While the files before it were applied, keys may have been changed.
      const loaded = files.current(earlier);
      const { config } = loaded;
      const only = whole ? undefined : entries.filter((e) => e.file === config.file).map((e) => e.configName);
      const orphans = registry.orphans(config).filter((e) => entries.includes(e));
      const removed = orphans.map((entry) => ({ entry, done: registry.remove(entry) }));
      reports.push(await this.#applyConfig(loaded, { only, roll: true, versions }), await this.#report(removed, []));
    }
    return {
      ok: reports.every((r) => r.ok),
      results: reports.flatMap((r) => r.results),
      warnings: reports.flatMap((r) => r.warnings),
      apps: registry.apps.flatMap((app) => app.rows()),
    };
  }

  #wholeApps(target: string): Selection[] {
    const selections = selectTargets(this.deps.registry.apps, target);
    if (selections.some((s) => s.worker !== null))
      throw new SupError(
        'SUP_BAD_REQUEST',
        `'reload' is for whole apps; to replace one worker: supervisor recycle ${target}`,
      );
    return selections;
  }

  #entriesOfFile(file: string): Entry[] {
    const entries = this.deps.registry.entries.filter((entry) => entry.file === file);
    if (entries.length === 0)
      throw new SupError('SUP_NO_SUCH_TARGET', `nothing runs from ${file}; start it with: supervisor start ${file}`, {
        target: file,
      });
    return entries;
  }

  async #applyConfig(file: ReadFile, options: ApplyOptions): Promise<ActReport> {
    const { config, warnings } = file;
    const applied = this.deps.registry.apply(config, options);
    this.deps.configured(file);
    const opening = this.deps.open(config).catch((error: unknown) => toSupError(error));
    const report = await this.#report(applied, warnings);
    const outcome = await opening;
    this.deps.changed();
    if (!(outcome instanceof SupError)) return { ...report, warnings: [...report.warnings, ...outcome] };
    return {
      ...report,
      ok: false,
      results: [
        { app: 'supervisor', ok: false, error: { code: outcome.code, message: outcome.message, log_tail: [] } },
        ...report.results,
      ],
    };
  }

  async #report(acts: readonly { entry: Entry; done: Promise<void> }[], warnings: string[]): Promise<ActReport> {
    const results = await Promise.all(acts.map(({ entry, done }) => this.#result(entry, done)));
    this.deps.measure();
    return {
      ok: results.every((r) => r.ok),
      results,
      warnings: [...warnings],
      apps: this.deps.registry.apps.flatMap((app) => app.rows()),
    };
  }

  async #result(entry: Entry, done: Promise<void>): Promise<ActResult> {
    const app = entry.app.name;
    try {
      await done;
      return { app, ok: true, error: null };
    } catch (error) {
      const { code, message } = toSupError(error);
      // What was refused, and not tried, has nothing to do with what the app printed.
      const tail = REFUSALS.has(code) ? [] : await entry.log.tail({ lines: LOG_TAIL_LINES, since: null });
      return { app, ok: false, error: { code, message, log_tail: tail.map((line) => line.line) } };
    }
  }

  #entryOf({ app }: Selection): Entry {
    return this.deps.registry.get(app.name) as Entry;
  }
}

/** Operators win, but should know. */
function beyondMax({ name, pins, config }: App): string[] {
  const { max } = config.workers;
  const pinned = Math.max(0, ...pins.values());
  if (pinned <= max) return [];
  return [
    `${name}: ${pinned} workers are more than workers.max (${max}), and stay until it is scaled again or set to auto`,
  ];
}

/** The absolute path of a configuration; a regular expression ends with a slash. */
function isFileTarget(target: string): boolean {
  return isAbsolute(target) && !target.endsWith('/');
}
