/** Runs a schema over raw values and turns what it finds into problems, each with a remedy and the nearest valid word. */
import type { z } from 'zod';
import { didYouMean, nearest } from './nearest.js';
import type { Report } from './report.js';

type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** Says what is wrong with an unknown key, given its path from the schema's root. */
export type ExplainKey = (path: Path) => string;

/**
 * The parsed value, or null where nothing of it can be used. What is invalid is reported, removed and so replaced by its
 * default, and the rest is read again: checks that come later still see everything that is right.
 */
export function validate<S extends z.ZodType>(
  schema: S,
  raw: unknown,
  base: Path,
  report: Report,
  explainKey: ExplainKey,
): z.output<S> | null {
  const value = structuredClone(raw);
  for (;;) {
    const result = schema.safeParse(value, { error: phrase });
    if (result.success) return result.data;
    const faults = result.error.issues.flatMap((issue) => faultsOf(issue, []));
    for (const fault of faults) {
      const path = [...base, ...fault.path];
      if (fault.at === 'key' && fault.message === null) report.problem(path, explainKey(fault.path), 'key');
      else report.problem(path, say(fault, valueAt(value, fault.path), report.isSecret(path)), fault.at);
    }
    const removed = faults.map((fault) => remove(value, fault.path));
    if (!removed.includes(true)) return null;
  }
}

interface Fault {
  path: Path;
  at: 'key' | 'value';
  /** Null for an unknown key, which the caller explains. */
  message: string | null;
  /** The message for values that may not be repeated. */
  hint: string | null;
  /** Of another type altogether: then only the type of what was written is shown. */
  isOtherType: boolean;
  /** The words that would have been right. */
  words: readonly string[];
}

function faultsOf(issue: Issue, base: Path): Fault[] {
  const path = [...base, ...issue.path];
  const isOtherType = issue.code === 'invalid_type' || issue.code === 'invalid_union';
  const fault = { path, at: 'value' as const, message: issue.message, hint: null, isOtherType, words: [] };
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ ...fault, path: [...path, key], at: 'key', message: null }));
    case 'invalid_key':
      return [{ ...fault, at: 'key', message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_value':
      return [{ ...fault, words: issue.values.map(String) }];
    case 'invalid_union':
      return unionFaults(issue, path);
    case 'custom':
      return [{ ...fault, hint: typeof issue.params?.hint === 'string' ? issue.params.hint : null }];
    default:
      return [fault];
  }
}

/** The faults of the form that was meant: the one whose type fits. Without one, all forms are named. */
function unionFaults(issue: z.core.$ZodIssueInvalidUnion, path: Path): Fault[] {
  const isOtherType = (found: Issue) =>
    found.path.length === 0 && (found.code === 'invalid_type' || found.code === 'invalid_value');
  const meant = issue.errors.find((branch) => !branch.some(isOtherType));
  if (meant) return meant.flatMap((inner) => faultsOf(inner, path));
  const forms = issue.errors.flatMap((branch) => (branch[0] ? [formOf(branch[0])] : []));
  const message = `must be ${[...new Set(forms)].join(' or ')}`;
  const words = issue.errors.flatMap((branch) =>
    branch[0]?.code === 'invalid_value' ? branch[0].values.map(String) : [],
  );
  return [{ path, at: 'value', message, hint: null, isOtherType: true, words }];
}

/** The text of one issue, without the value: that is added only where it is no secret. */
function phrase(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
    case 'invalid_value':
      return `must be ${formOf(issue as Issue)}`;
    case 'too_small':
      return issue.origin === 'number' ? `must be at least ${issue.minimum}` : 'must not be empty';
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

const FORMS: Readonly<Record<string, string>> = {
  object: 'a map of keys',
  record: 'a map of keys',
  array: 'a list',
  string: 'text',
  int: 'a whole number',
  number: 'a whole number',
  boolean: 'true or false',
};

function formOf(issue: Issue): string {
  if (issue.code === 'invalid_type') return FORMS[issue.expected] ?? issue.expected;
  if (issue.code !== 'invalid_value') return issue.message;
  const values = issue.values.map((value) => `\`${String(value)}\``);
  return values.length === 1 ? values[0]! : `one of ${values.join(', ')}`;
}

function say(fault: Fault, value: unknown, secret: boolean): string {
  const guess = typeof value === 'string' ? nearest(value, fault.words) : null;
  if (secret) return `${fault.hint ?? fault.message}${didYouMean(guess)}`;
  // What was written stands before the remedy.
  const [what, ...remedy] = (fault.message ?? '').split('; ');
  return [`${what}${gotText(value, fault)}${didYouMean(guess)}`, ...remedy].join('; ');
}

function gotText(value: unknown, fault: Fault): string {
  if (value === null) return ', but is empty';
  // A reader's message already repeats what it could not read.
  if (fault.at === 'key' || (fault.hint !== null && fault.message !== fault.hint)) return '';
  if (value === undefined) return '';
  if (typeof value === 'object') return !fault.isOtherType ? '' : Array.isArray(value) ? ', not a list' : ', not a map';
  const text = String(value);
  // `"5"` and 5 look the same once they are printed.
  const isMisleading = typeof value === 'string' && /^(?:[\d.+-]+|true|false|null)$/.test(value);
  return `, not ${isMisleading ? 'the text ' : ''}\`${text.length > 40 ? `${text.slice(0, 40)}…` : text}\``;
}

export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** Removes what stands at a path; a list goes as a whole, since its other elements would move. */
function remove(root: unknown, path: Path): boolean {
  const parents = path.map((_, index) => valueAt(root, path.slice(0, index)));
  const list = parents.findIndex((parent) => Array.isArray(parent));
  const target = list === -1 ? path : path.slice(0, list);
  const parent = valueAt(root, target.slice(0, -1));
  const key = target.at(-1);
  if (key === undefined || typeof parent !== 'object' || parent === null) return false;
  return Object.hasOwn(parent, key) && Reflect.deleteProperty(parent, key);
}
