/** Reads supervisor.yaml: everything that is wrong with it is found in one go, or a Config that the program can trust. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { SupError } from '../errors.js';
import { applyAliases } from './aliases.js';
import { APP_SCHEMAS } from './app-schema.js';
import { checkWhole } from './checks.js';
import { availableCores } from './cores.js';
import { type Draft, type Environment, set } from './draft.js';
import { explainAppKey, explainFileKey } from './explain.js';
import { isName } from './fields.js';
import { codeOf, DISK, type Disk, kindOf as kindOfFile } from './files.js';
import { readKind } from './kind.js';
import { applyOverrides } from './overrides.js';
import { Report } from './report.js';
import { type ParsedApp, resolveApp } from './resolve.js';
import { checkResources } from './resource-checks.js';
import { fileSchema } from './schema.js';
import { parseText } from './source.js';
import type { AppConfig, Config } from './types.js';
import { checkUnloading } from './unload-checks.js';
import { validate, valueAt } from './validate.js';
import { type RuntimeChange, Written } from './written.js';

export interface LoadOptions {
  /** The environment that may override keys; values from it never appear in a message. */
  env: Environment;
  /** What `workers: max` stands for. Default: the cores that this process may use. */
  cores?: number;
  /** Laid over the file and the environment, in this order. */
  changes?: readonly RuntimeChange[];
  /** Default: files that the configuration names are looked for, and those with variables are read. */
  disk?: Disk;
}

export interface Loaded {
  config: Config;
  /** One line each, in the form of problems. */
  warnings: string[];
  /** What was written, and where. */
  written: Written;
}

const MAX_FILE_BYTES = 1024 ** 2;

/** @throws SupError SUP_CONFIG_INVALID, with `data.problems: string[]`, one line each: all that is wrong, in the order of the file */
export function loadConfig(file: string, options: LoadOptions): Loaded {
  return loadText(readText(file, shownPath(file)), file, options);
}

/** As `loadConfig`, of a text that was read before. */
export function loadText(text: string, file: string, options: LoadOptions): Loaded {
  const shown = shownPath(file);
  const parsed = parseText(text);
  const report = new Report(shown, parsed);
  // What is no YAML was read by guesses, and errors about guesses help nobody.
  if (!parsed.sound) throw invalid(shown, report.problems());
  if (typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) {
    const empty = parsed.value === null ? 'the file is empty' : 'the file must be a map of keys';
    report.problem(
      [],
      `${empty}: write \`apps:\` and your apps below it, or let \`supervisor init\` write a first one`,
    );
    throw invalid(shown, report.problems());
  }
  const draft: Draft = { value: parsed.value as Record<string, unknown>, place: parsed.place };
  const absolute = path.resolve(file);
  return readDraft(draft, { file: absolute, dir: path.dirname(absolute), text }, options, report);
}

/** Where a configuration comes from. */
export interface Origin {
  file: string;
  /** The base of relative paths. */
  dir: string;
  text: string;
}

/** @throws SupError SUP_CONFIG_INVALID as `loadConfig` */
export function readDraft(base: Draft, origin: Origin, options: LoadOptions, report: Report): Loaded {
  // Layers replace maps and never write into them: what the file itself says stays as it is.
  const draft: Draft = { value: { ...base.value }, place: base.place };
  const config = read(draft, origin, options, report);
  const problems = report.problems();
  if (config === null || problems.length > 0) throw invalid(report.shownFile, problems);
  return {
    config,
    warnings: report.warnings(),
    written: new Written(origin, base.value, draft, report.parsed.position),
  };
}

function read(draft: Draft, { file, dir, text }: Origin, options: LoadOptions, report: Report): Config | null {
  const { disk = DISK, changes = [] } = options;
  applyAliases(draft, options.env, report);
  applyOverrides(draft, options.env, report);
  for (const { path: at, value, time } of changes) set(draft, at, value, { kind: 'change', time });
  if (!Object.hasOwn(draft.value, 'apps')) report.problem(['apps'], 'is missing: write `apps:` and your apps below it');
  const top = validate(fileSchema, draft.value, [], report, (at) => explainFileKey(at, valueAt(draft.value, at)));
  if (top === null) return null;
  // Not Object.keys(top.apps): a plain object moves names such as `2` before all others.
  const names = [...(draft.place.children.get('apps')?.children.keys() ?? [])];
  const cores = options.cores ?? availableCores();
  const apps: AppConfig[] = [];
  let hasModels = false;
  for (const name of names) {
    if (!Object.hasOwn(top.apps, name)) continue;
    const app = parseApp(name, top.apps[name], report);
    if (app === null) continue;
    hasModels ||= app.kind === 'model';
    const versionOrder = childNames(draft, ['apps', name, 'versions']);
    const resolved = resolveApp(name, app, { dir, log: top.log, cores, versionOrder, disk, report });
    if (resolved !== null) apps.push(resolved);
  }
  checkResources({ limits: top.limits, pressure: top.pressure, cpu: top.cpu, written: draft.value }, report);
  checkWhole({ control: top.control, inference: top.inference, apps, names, hasModels }, report);
  const hasPlugins = top.plugins.length > 0;
  checkUnloading({ apps, names, hasPlugins, written: draft.value }, report);
  return {
    file,
    dir,
    project: top.project ?? projectName(dir),
    log: top.log,
    control: top.control,
    inference: top.inference,
    limits: top.limits,
    sensing: top.sensing,
    pressure: top.pressure,
    cpu: top.cpu,
    models: top.models,
    unloading: top.unloading,
    plugins: resolvePlugins(top.plugins, dir, disk, report),
    apps,
    hash: createHash('sha256').update(text).digest('hex'),
  };
}

function resolvePlugins(plugins: readonly string[], dir: string, disk: Disk, report: Report): string[] {
  return plugins.map((written, index) => {
    const absolute = path.resolve(dir, written);
    disk.checkFile(absolute, written, ['plugins', String(index)], report);
    return absolute;
  });
}

function parseApp(name: string, raw: unknown, report: Report): ParsedApp | null {
  const at = ['apps', name];
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    report.problem(at, 'must be a map of keys, such as { kind: command, command: [node, job.mjs] }');
    return null;
  }
  const chosen = readKind(name, raw as Record<string, unknown>, report);
  if (chosen === null) return null;
  const explain = (key: readonly PropertyKey[]) => explainAppKey(chosen.kind, key);
  switch (chosen.kind) {
    case 'model': {
      const keys = validate(APP_SCHEMAS.model, chosen.app, at, report, explain);
      return keys && { kind: 'model', keys };
    }
    case 'http': {
      const keys = validate(APP_SCHEMAS.http, chosen.app, at, report, explain);
      return keys && { kind: 'http', keys };
    }
    case 'command': {
      const keys = validate(APP_SCHEMAS.command, chosen.app, at, report, explain);
      return keys && { kind: 'command', keys };
    }
  }
}

function childNames({ place }: Draft, at: readonly string[]): string[] {
  let found: Draft['place'] | undefined = place;
  for (const step of at) found = found?.children.get(step);
  return [...(found?.children.keys() ?? [])];
}

function readText(file: string, shown: string): string {
  let bytes: Buffer;
  try {
    const stats = statSync(file);
    if (!stats.isFile())
      throw invalid(shown, [
        `${shown} is ${kindOfFile(stats)}, not a configuration file: name the supervisor.yaml itself`,
      ]);
    if (stats.size > MAX_FILE_BYTES)
      throw invalid(shown, [`${shown} is larger than 1MiB: no configuration needs that`]);
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof SupError) throw error;
    const code = codeOf(error);
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    const what = missing
      ? `${shown} does not exist: \`supervisor init\` writes a first one, or name another file`
      : `${shown} cannot be read: ${code}${code === 'EACCES' ? '; check its permissions and owner' : ''}`;
    throw invalid(shown, [what], error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid(shown, [`${shown} is not UTF-8 text: save it as UTF-8`], error);
  }
}

function invalid(shown: string, problems: readonly string[], cause?: unknown): SupError {
  const message =
    problems.length === 1 ? problems[0]! : `${shown} has ${problems.length} problems, the first: ${problems[0]}`;
  return new SupError(
    'SUP_CONFIG_INVALID',
    message,
    { problems: [...problems] },
    cause === undefined ? undefined : { cause },
  );
}

/** As it was given, or from the current folder where that is shorter. */
function shownPath(file: string): string {
  // The master stands at the root: from there every path looks relative.
  if (process.cwd() === path.parse(file).root) return file;
  const relative = path.relative(process.cwd(), file);
  return relative !== '' && relative.length < file.length ? relative : file;
}

/** A name from the folder's, with what a name may not have replaced. */
function projectName(dir: string): string {
  const name = path
    .basename(dir)
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
  return isName(name) ? name : 'default';
}
