/** A configuration that a program holds as an object: the same keys, the same checks, told by the names that the program uses. */
import type { Draft } from './draft.js';
import { type Loaded, readDraft } from './load.js';
import { Report } from './report.js';
import { type Parsed, type Place, place } from './source.js';

export interface ObjectOrigin {
  /** What problems begin with: the function that was called. */
  shown: string;
  /** The base of relative paths. */
  dir: string;
  /** How a key is called where it was written. */
  keyOf: (path: readonly PropertyKey[]) => readonly PropertyKey[];
  /** What is wrong with it already. */
  problems: readonly { path: readonly PropertyKey[]; message: string }[];
}

const MAX_DEPTH = 64;

/** @throws SupError SUP_CONFIG_INVALID, with `data.problems: string[]` */
export function configFromObject(value: Record<string, unknown>, origin: ObjectOrigin): Loaded {
  const walk = new Walk();
  const root = place(0, 0);
  const copy = walk.read(value, root, []) as Record<string, unknown>;
  const parsed: Parsed = {
    value: copy,
    place: root,
    findings: [],
    warnings: [],
    sound: true,
    position: () => ({ line: 1, column: 1 }),
  };
  const report = new Report(origin.shown, parsed, origin.keyOf);
  for (const { path, message } of [...origin.problems, ...walk.problems]) report.problem(path, message, 'key');
  const draft: Draft = { value: copy, place: root };
  // Nothing is laid over it: the environment is the user's of a command, not of a program that says what it wants.
  return readDraft(draft, { file: origin.shown, dir: origin.dir, text: JSON.stringify(copy) }, { env: {} }, report);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Copies maps and lists, without what is undefined, and numbers their places in order. */
class Walk {
  readonly problems: { path: readonly string[]; message: string }[] = [];
  #places = 0;

  read(value: unknown, at: Place, path: readonly string[]): unknown {
    if (path.length > MAX_DEPTH) return this.#refuse(path.slice(0, 8), `is nested more than ${MAX_DEPTH} levels deep`);
    if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
      return this.#refuse(path, `a ${typeof value} can't be part of a configuration`);
    if (Array.isArray(value)) return value.map((each, index) => this.#child(each, String(index), at, path));
    // Dates, buffers and the like are for the model's `options`, and go to its workers as they are.
    if (!isPlain(value)) return value;
    const entries = Object.entries(value).filter(([, each]) => each !== undefined);
    return Object.fromEntries(entries.map(([key, each]) => [key, this.#child(each, key, at, path)]));
  }

  #child(value: unknown, key: string, at: Place, path: readonly string[]): unknown {
    const offset = ++this.#places;
    const child = place(offset, offset);
    at.children.set(key, child);
    return this.read(value, child, [...path, key]);
  }

  #refuse(path: readonly string[], message: string): null {
    this.problems.push({ path, message });
    return null;
  }
}
