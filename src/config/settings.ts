/** Keys that are set one by one: which words name them, and which of them a map of changes means. */
import { atRoot, type Cursor, follow, knownKeys } from './cursor.js';
import { isMap } from './draft.js';
import { didYouMean, nearest } from './nearest.js';
import { FORBIDDEN_KEYS } from './source.js';

type Path = readonly string[];

export interface KeyValue {
  path: Path;
  value: unknown;
}

/**
 * The steps of a dotted key. Names of apps and versions may hold dots themselves: the longest that is there is meant.
 * @param root the keys of the file as they are written
 */
export function splitKey(dotted: string, root: Record<string, unknown>): string[] {
  const path: string[] = [];
  let cursor: Cursor | null = atRoot(root);
  let rest: string | null = dotted;
  while (cursor !== null && rest !== null) {
    const words: string = rest;
    const names = knownKeys(cursor).filter((key) => words === key || words.startsWith(`${key}.`));
    const step: string = names.sort((a, b) => b.length - a.length)[0] ?? words.split('.', 1)[0]!;
    path.push(step);
    rest = words.length > step.length ? words.slice(step.length + 1) : null;
    cursor = follow(cursor, step);
  }
  return rest === null ? path : [...path, ...rest.split('.')];
}

/** One entry for each key that a value sets: maps are taken apart where the schema has keys for what is in them. */
export function keyValues({ path, value }: KeyValue, root: Record<string, unknown>): KeyValue[] {
  let cursor: Cursor | null = atRoot(root);
  for (const step of path) cursor = cursor && follow(cursor, step);
  return below(path, value, cursor);
}

function below(path: Path, value: unknown, cursor: Cursor | null): KeyValue[] {
  if (cursor === null || cursor.shape.kind === 'leaf' || !isMap(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, each]) => below([...path, key], each, follow(cursor, key)));
}

/** Why a key is none: its first step that is not known, with the one that was probably meant; null for any that could be set. */
export function whyNoKey(path: Path, root: Record<string, unknown>): string | null {
  let cursor = atRoot(root);
  for (const [index, step] of path.entries()) {
    const next = follow(cursor, step);
    if (next === null || FORBIDDEN_KEYS.has(step)) {
      const known = knownKeys(cursor);
      const what = cursor.path.length === 1 && cursor.path[0] === 'apps' ? 'there is no such app' : 'unknown key';
      return `${path.slice(0, index + 1).join('.')}: ${what}${didYouMean(nearest(step, known))}`;
    }
    cursor = next;
  }
  return null;
}

/** Whether a key is another or stands below it. */
export function isWithin(path: Path, top: Path): boolean {
  return top.every((step, index) => path[index] === step);
}
