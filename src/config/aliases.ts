/** The names of settings that users bring from elsewhere, and what they set here. */
import { type Draft, type Environment, isMap, set } from './draft.js';
import { kindOf } from './kind.js';
import type { Report } from './report.js';

type RawApp = Readonly<Record<string, unknown>>;

/** What is written for a variable's text: a value in the form of the file, nothing, or what is wrong with the text. */
type Reading = { value: unknown } | { problem: string } | null;

interface Alias {
  key: readonly string[];
  read(text: string, app: RawApp): Reading;
  /** For keys of apps: why one cannot take it, empty where nobody needs to be told, or null if it can. Without it, the key is one of the file. */
  unfit?(app: RawApp): string | null;
}

/** One row for each foreign name: the key that it sets, the unit of a bare number, and for a key of apps, which can take it. */
const ALIASES: Readonly<Record<string, Alias>> = {
  MAX_USERS_PER_PROCESS: { key: ['recycle', 'max_users'], read: number, unfit: whyNoUsers },
  PROCESS_RECYCLE_INTERVAL: { key: ['recycle', 'max_age'], read: inUnit('h'), unfit: () => null },
  MAX_MEMORY_USAGE: { key: ['pressure', 'recycle'], read: fraction },
  CRITICAL_MEMORY_USAGE: { key: ['pressure', 'emergency'], read: fraction },
  monitoring_interval_seconds: { key: ['sensing', 'interval'], read: inUnit('s') },
  moderate_mb: { key: ['pressure', 'medium'], read: inUnit('MB') },
  high_mb: { key: ['pressure', 'high'], read: inUnit('MB') },
  critical_mb: { key: ['pressure', 'critical'], read: inUnit('MB') },
  moderate_percent: { key: ['cpu', 'moderate'], read: inUnit('%') },
  high_percent: { key: ['cpu', 'high'], read: inUnit('%') },
  critical_percent: { key: ['cpu', 'critical'], read: inUnit('%') },
  min_threads: { key: ['workers', 'min'], read: number, unfit: whyNoRange },
  max_threads: { key: ['workers', 'max'], read: number, unfit: whyNoRange },
  // After the two above: it closes the range that they may have opened.
  adaptive_scaling_enabled: { key: ['workers', 'max'], read: offIsMin, unfit: withoutAWord(whyNoRange) },
};

export const ALIAS_NAMES: readonly string[] = Object.keys(ALIASES);

/** Lays foreign names over the values of a file. They are known as they are written above, and in upper case. */
export function applyAliases(draft: Draft, env: Environment, report: Report): void {
  for (const [known, alias] of Object.entries(ALIASES)) {
    const name = [known, known.toUpperCase()].find((spelling) => env[spelling]?.trim());
    const text = name && env[name]?.trim();
    if (name && text) applyAlias(draft, name, alias, text, report);
  }
}

function applyAlias(draft: Draft, name: string, { key, read, unfit }: Alias, text: string, report: Report): void {
  const write = (path: readonly string[], app: RawApp) => {
    const reading = read(text, app);
    if (reading === null) return;
    if ('problem' in reading) report.variableProblem(name, reading.problem);
    else set(draft, path, reading.value, name);
  };
  if (unfit === undefined) {
    write(key, {});
    return;
  }
  for (const [app, keys] of appsOf(draft)) {
    const reason = unfit(keys);
    if (reason === null) write(['apps', app, ...key], keys);
    else if (reason !== '') report.variableWarning(name, `does not apply to apps.${app}: ${reason}`);
  }
}

function appsOf({ value: { apps } }: Draft): [name: string, keys: RawApp][] {
  return isMap(apps) ? Object.entries(apps).flatMap(([name, keys]) => (isMap(keys) ? [[name, keys]] : [])) : [];
}

/** What is no number stays as it is: the key's own error says what it must be. */
function number(text: string): Reading {
  const value = Number(text);
  return { value: Number.isFinite(value) ? value : text };
}

function inUnit(unit: string): (text: string) => Reading {
  return (text) => ({ value: `${text}${/\d$/.test(text) ? unit : ''}` });
}

/** 0.85 is 85%. */
function fraction(text: string): Reading {
  const value = Number(text);
  return { value: value <= 1 ? `${Number((value * 100).toFixed(6))}%` : text };
}

/** Off leaves no range: the size is its lower bound, or 1 where that is 0. */
function offIsMin(text: string, { workers }: RawApp): Reading {
  const word = text.toLowerCase();
  if (['true', 'yes', 'on', '1'].includes(word)) return null;
  if (!['false', 'no', 'off', '0'].includes(word)) return { problem: 'must be true or false' };
  if (!isMap(workers)) return null;
  return { value: workers.min === 0 ? 1 : (workers.min ?? 1) };
}

function whyNoUsers(app: RawApp): string | null {
  const kind = kindOf(app);
  if (kind === 'model') return null;
  if (kind !== 'http') return '';
  const hasKey = isMap(app.recycle) && app.recycle.user_key !== undefined && app.recycle.user_key !== null;
  return hasKey ? null : 'it has no `recycle.user_key` that would tell users apart';
}

/** For what then has nothing to switch off. */
function withoutAWord(why: (app: RawApp) => string | null): (app: RawApp) => string | null {
  return (app) => (why(app) === null ? null : '');
}

function whyNoRange(app: RawApp): string | null {
  const kind = kindOf(app);
  if (kind !== 'model' && kind !== 'http') return '';
  return app.workers === undefined || isMap(app.workers) ? null : 'its `workers` is a fixed size';
}
