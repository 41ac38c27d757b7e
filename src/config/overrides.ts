/** `SUPERVISOR__` names: every key can be set by the environment. */
import { atRoot, type Cursor, follow, knownKeys, takesValue } from './cursor.js';
import { type Draft, type Environment, isMap, set } from './draft.js';
import { didYouMean, nearest } from './nearest.js';
import type { Report } from './report.js';
import { parseText } from './source.js';

export const OVERRIDE_PREFIX = 'SUPERVISOR__';

export function applyOverrides(draft: Draft, env: Environment, report: Report): void {
  // Sorted, so that the result does not depend on the order of the environment: `…WORKERS` comes before `…WORKERS__MAX`.
  for (const name of Object.keys(env).sort()) {
    const text = env[name];
    if (name.startsWith(OVERRIDE_PREFIX) && text !== undefined) applyOverride(draft, name, text, report);
  }
}

function applyOverride(draft: Draft, variable: string, text: string, report: Report): void {
  const target = findTarget(draft.value, variable.slice(OVERRIDE_PREFIX.length));
  if ('path' in target) set(draft, target.path, readValue(text, target.path), { kind: 'environment', variable });
  else if (target.problem !== null) report.variableProblem(variable, target.problem);
}

/** `problem: null` where the file is at fault, and says so itself. */
type Target = { path: readonly string[] } | { problem: string | null };

/** Follows the schema by the words of a name, and the file where its keys are names of the user's own. */
function findTarget(root: Record<string, unknown>, words: string): Target {
  let cursor = atRoot(root);
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
  if (takesValue(cursor)) return { path: cursor.path };
  const example = upper(knownKeys(cursor)[0] ?? 'NAME');
  return {
    problem: `names a group of keys: set one of them, such as ${OVERRIDE_PREFIX}${words && `${words}__`}${example}`,
  };
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
export function readValue(text: string, path: readonly string[]): unknown {
  if (path[0] === 'apps' && path[2] === 'env') return text;
  const { value, sound, findings } = parseText(text, path);
  const isFlow = /^\s*[[{]/.test(text);
  if (!sound || findings.length > 0 || (typeof value === 'object' && value !== null && !isFlow)) return text;
  return value;
}
