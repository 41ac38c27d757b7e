/** What models say about unloading: strategies that exist, models that exist, and nothing that waits for itself. */
import { circlesOf } from './circles.js';
import { UNLOAD_STRATEGIES } from './model-schema.js';
import { didYouMean, nearest } from './nearest.js';
import type { Report } from './report.js';
import type { AppConfig, ModelAppConfig } from './types.js';
import { valueAt } from './validate.js';

type Path = readonly string[];

export interface UnloadWords {
  /** The apps that could be read. */
  apps: readonly AppConfig[];
  /** Every name under `apps:`, those of apps with errors too. */
  names: readonly string[];
  /** Plug-ins may register strategies by names that nobody knows before they run. */
  hasPlugins: boolean;
  /** The file as it was written. */
  written: unknown;
}

export function checkUnloading(words: UnloadWords, report: Report): void {
  const models = words.apps.filter((app) => app.kind === 'model');
  for (const path of strategyPaths(models)) checkStrategy(path, words, report);
  for (const app of models) {
    checkRequires(app, words, report);
    if (app.workers.min > 0) warnOfNoEffect(app, words.written, report);
  }
  const requires = new Map(models.map(({ name, unload }) => [name, unload.requires.map(appOf)]));
  for (const circle of circlesOf(requires)) {
    report.problem(['apps', circle[0]!, 'unload', 'requires'], `is a circle: ${[...circle, circle[0]].join(' → ')}`);
  }
}

function strategyPaths(models: readonly ModelAppConfig[]): Path[] {
  return [['unloading', 'strategy'], ...models.flatMap((app) => unloadPaths(app).map((at) => [...at, 'strategy']))];
}

/** Where an app and its versions say how they are unloaded. */
function unloadPaths({ name, versions }: ModelAppConfig): Path[] {
  const at = ['apps', name];
  return [[...at, 'unload'], ...versions.map(({ version }) => [...at, 'versions', version, 'unload'])];
}

function checkStrategy(path: Path, { hasPlugins, written }: UnloadWords, report: Report): void {
  const name = valueAt(written, path);
  if (typeof name !== 'string' || report.isFaulty(path) || hasPlugins) return;
  const why = whyNoStrategy(name, UNLOAD_STRATEGIES, report.isSecret(path));
  if (why !== null) report.problem(path, `${why}; others are registered by \`plugins\`, and there are none`);
}

/** Null for one of the known names. */
export function whyNoStrategy(name: string, known: readonly string[], isSecret = false): string | null {
  if (known.includes(name)) return null;
  const words = known.map((word) => `\`${word}\``).join(', ');
  return `must be one of ${words}${isSecret ? '' : `, not \`${name}\``}${didYouMean(nearest(name, known))}`;
}

function checkRequires({ name, unload: { requires } }: ModelAppConfig, words: UnloadWords, report: Report): void {
  for (const [index, wanted] of requires.entries()) {
    const path = ['apps', name, 'unload', 'requires', String(index)];
    const why = requires.indexOf(wanted) < index ? 'is named twice' : whyNotRequired(wanted, name, words, report, path);
    if (why !== null) report.problem(path, why);
  }
}

function whyNotRequired(
  wanted: string,
  self: string,
  { apps, names }: UnloadWords,
  report: Report,
  path: Path,
): string | null {
  const name = appOf(wanted);
  if (name === self) return 'a model cannot require itself';
  const app = apps.find((other) => other.name === name);
  const say = (what: string, guess: string | null) => (report.isSecret(path) ? what : `${what}${didYouMean(guess)}`);
  if (app?.kind === 'model') {
    if (wanted === name) return null;
    const versions = app.versions.map(({ version }) => `${name}@${version}`);
    if (versions.includes(wanted)) return null;
    return `${say('names no version', nearest(wanted, versions))}; there are: ${versions.join(', ')}`;
  }
  const models = apps.flatMap((other) => (other.kind === 'model' && other.name !== self ? [other.name] : []));
  if (app) return say('is not a model app', models.length === 1 ? models[0]! : null);
  // One that could not be read has errors of its own.
  return names.includes(name) ? null : say('names no model', nearest(name, models));
}

/** The app of `app` and of `app@version`. */
function appOf(wanted: string): string {
  return wanted.split('@', 1)[0]!;
}

function warnOfNoEffect(app: ModelAppConfig, written: unknown, report: Report): void {
  for (const at of unloadPaths(app)) {
    for (const key of ['strategy', 'preference']) {
      const path = [...at, key];
      const value = valueAt(written, path);
      if (value === undefined || value === null || value === 'none') continue;
      report.warning(path, 'has no effect: only a model with `workers.min: 0` is unloaded by itself');
    }
  }
}
