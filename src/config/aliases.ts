/** Settings by environment: `SUPERVISOR__` names for every key, and the names that users bring from elsewhere. */
import { APP_SCHEMAS } from './app-schema.js';
import { type KeyShape, shapeOf } from './keys.js';
import { kindOf } from './kind.js';
import { didYouMean, nearest } from './nearest.js';
import type { Report } from './report.js';
import { fileSchema } from './schema.js';
import { type Place, parseText, place } from './source.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The raw values of a file and their places; overrides change both. */
export interface Draft {
  value: Record<string, unknown>;
  place: Place;
}

interface Alias {
  /** Below each app. */
  key: readonly [string, string];
  /** Added to a bare number. */
  unit: string;
  /** Why an app cannot take it, or null if it can. */
  unfit(app: Readonly<Record<string, unknown>>): string | null;
}

/** One row for each foreign name: the key that it sets in every app that has it, and its unit. */
const ALIASES: Readonly<Record<string, Alias>> = {
  MAX_USERS_PER_PROCESS: { key: ['recycle', 'max_users'], unit: '', unfit: whyNoUsers },
  PROCESS_RECYCLE_INTERVAL: { key: ['recycle', 'max_age'], unit: 'h', unfit: () => null },
};

export const ALIAS_NAMES: readonly string[] = Object.keys(ALIASES);
export const OVERRIDE_PREFIX = 'SUPERVISOR__';

/** Lays the environment over the values of a file: aliases first, `SUPERVISOR__` names over them. */
export function applyEnvironment(draft: Draft, env: Environment, report: Report): void {
  for (const [name, alias] of Object.entries(ALIASES)) {
    const text = env[name]?.trim();
    if (text) applyAlias(draft, name, alias, text, report);
  }
  // Sorted, so that the result does not depend on the order of the environment: `…WORKERS` comes before `…WORKERS__MAX`.
  for (const name of Object.keys(env).sort()) {
    const text = env[name];
    if (name.startsWith(OVERRIDE_PREFIX) && text !== undefined) applyOverride(draft, name, text, report);
  }
}

function applyAlias(draft: Draft, name: string, { key, unit, unfit }: Alias, text: string, report: Report): void {
  const apps = draft.value.apps;
  if (!isMap(apps)) return;
  const number = Number(text);
  const value = unit === '' && Number.isFinite(number) ? number : `${text}${/\d$/.test(text) ? unit : ''}`;
  for (const [app, keys] of Object.entries(apps)) {
    if (!isMap(keys)) continue;
    const reason = unfit(keys);
    if (reason === null) set(draft, ['apps', app, ...key], value, name);
    else if (reason !== '') report.variableWarning(name, `does not apply to apps.${app}: ${reason}`);
  }
}

/** An empty reason: nothing that a user needs to be told. */
function whyNoUsers(app: Readonly<Record<string, unknown>>): string | null {
  const kind = kindOf(app);
  if (kind === 'model') return null;
  if (kind !== 'http') return '';
  const hasKey = isMap(app.recycle) && app.recycle.user_key !== undefined && app.recycle.user_key !== null;
  return hasKey ? null : 'it has no `recycle.user_key` that would tell users apart';
}

function applyOverride(draft: Draft, variable: string, text: string, report: Report): void {
  const target = findTarget(draft.value, variable.slice(OVERRIDE_PREFIX.length));
  if ('path' in target) set(draft, target.path, readValue(text, target.path), variable);
  else if (target.problem !== null) report.variableProblem(variable, target.problem);
}

/** `problem: null` where the file is at fault, and says so itself. */
type Target = { path: readonly string[] } | { problem: string | null };

/** Where in the schema and in the file the first words of a variable's name lead. */
interface Cursor {
  path: readonly string[];
  shape: KeyShape;
  value: unknown;
}

/** Follows the schema by the words of a name, and the file where its keys are names of the user's own. */
function findTarget(root: Record<string, unknown>, words: string): Target {
  let cursor: Cursor = { path: [], shape: shapeOf(fileSchema), value: root };
  let rest = words;
  while (rest !== '') {
    const known = knownKeys(cursor);
    const steps = longest(known.filter((key) => rest === upper(key) || rest.startsWith(`${upper(key)}__`)));
    if (steps.length > 1) {
      return { problem: `could be ${steps.map((step) => `\`${[...cursor.path, step].join('.')}\``).join(' or ')}` };
    }
    const step = steps[0];
    if (step === undefined) return newKey(cursor, rest) ?? { problem: unknownKey(cursor, known, rest) };
    const next = follow(cursor, step);
    if (next === null) return { problem: null };
    cursor = next;
    rest = rest.slice(upper(step).length + 2);
  }
  // A number of workers is written without min and max.
  const isWorkers = cursor.path.length === 3 && cursor.path[2] === 'workers';
  if (cursor.shape.kind === 'leaf' || isWorkers) return { path: cursor.path };
  const example = upper(knownKeys(cursor)[0] ?? 'NAME');
  return {
    problem: `names a group of keys: set one of them, such as ${OVERRIDE_PREFIX}${words && `${words}__`}${example}`,
  };
}

function knownKeys({ shape, value }: Cursor): string[] {
  if (shape.kind === 'map') return [...shape.keys.keys()];
  return shape.kind === 'free' && isMap(value) ? Object.keys(value) : [];
}

/** Null where an app is not one, or of no kind. */
function follow({ path, shape, value }: Cursor, step: string): Cursor | null {
  const next = isMap(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  const inside = [...path, step];
  if (path.length === 1 && path[0] === 'apps') {
    const kind = isMap(next) ? kindOf(next) : null;
    return kind && { path: inside, shape: shapeOf(APP_SCHEMAS[kind]), value: next };
  }
  const schema = shape.kind === 'map' ? shape.keys.get(step) : shape.kind === 'free' ? shape.value : undefined;
  return schema ? { path: inside, shape: shapeOf(schema), value: next } : null;
}

/** Names in `env` and `options` may be new; an app or a version has to be in the file. */
function newKey({ path, shape }: Cursor, rest: string): Target | null {
  if (shape.kind !== 'free' || rest.includes('__')) return null;
  const last = path.at(-1);
  if (last === 'env') return { path: [...path, rest] };
  return last === 'options' ? { path: [...path, rest.toLowerCase()] } : null;
}

function unknownKey({ path, value }: Cursor, known: readonly string[], rest: string): string | null {
  if (path.join('.') === 'apps' && value !== undefined && !isMap(value)) return null;
  const guess = nearest(rest.split('__')[0]!, known.map(upper));
  const before = path.map((part) => `${upper(part)}__`).join('');
  return `names no key${didYouMean(guess === null ? null : `${OVERRIDE_PREFIX}${before}${guess}`)}`;
}

/** `a` and `a__b` may both be names: the one that explains more of the variable is meant. */
function longest(keys: readonly string[]): string[] {
  const length = Math.max(...keys.map((key) => key.length));
  return keys.filter((key) => key.length === length);
}

function upper(key: string): string {
  return key.toUpperCase().replace(/[-.]/g, '_');
}

/** A number, boolean, list and so on as YAML reads it, and else the text itself. Environment values stay text always. */
function readValue(text: string, path: readonly string[]): unknown {
  if (path[0] === 'apps' && path[2] === 'env') return text;
  const { value, sound, findings } = parseText(text, path);
  const isFlow = /^\s*[[{]/.test(text);
  if (!sound || findings.length > 0 || (typeof value === 'object' && value !== null && !isFlow)) return text;
  return value;
}

function set(draft: Draft, path: readonly string[], value: unknown, variable: string): void {
  let parent = draft.value;
  let at = draft.place;
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1;
    const before = Object.hasOwn(parent, step) ? parent[step] : undefined;
    const child = (last ? undefined : at.children.get(step)) ?? place(at.key, at.value, variable);
    at.children.set(step, child);
    at = child;
    if (last) {
      parent[step] = value;
      return;
    }
    const map = isMap(before)
      ? { ...before }
      : before === undefined
        ? {}
        : step === 'workers'
          ? { min: before, max: before }
          : null;
    // Something else stands where a map should be: the file's own error says so.
    if (map === null) return;
    parent[step] = map;
    parent = map;
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
