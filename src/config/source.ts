/** YAML text as plain values, with the place in the text of each of them, refusing what YAML allows and a configuration should not. */
import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml';

/** What set a value over the file: a variable of the environment, or somebody at run time (ISO 8601). */
export type Setter = { kind: 'environment'; variable: string } | { kind: 'change'; time: string };

/** Where a value stands in the text, or what set it over the text. */
export interface Place {
  /** Offsets of its key and of itself; both the same for elements of lists. */
  key: number;
  value: number;
  setter: Setter | null;
  /** In the order of the text, which a plain object would not keep for keys such as `2` and `1`. */
  children: Map<string, Place>;
}

export interface Finding {
  offset: number;
  path: readonly string[];
  message: string;
  /** Where the same thing stood before, for what is there twice. */
  first?: number;
}

export interface Parsed {
  value: unknown;
  place: Place;
  findings: Finding[];
  warnings: Finding[];
  /** False where the text is no YAML at all: its values are then guesses. */
  sound: boolean;
  position(offset: number): { line: number; column: number };
}

/** Far above any configuration; what aliases can multiply ends here. */
const MAX_ALIASED_VALUES = 10_000;
const MAX_DEPTH = 64;
/** Keys that mean something else to JavaScript. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

// Words are words even where they look like numbers: `VERSION: 1.10` is 1.10 and not 1.1.
const WORD_KEYS = new Set(['env', 'args', 'node_args', 'command']);

export function place(key: number, value: number, setter: Setter | null = null): Place {
  return { key, value, setter, children: new Map() };
}

/** Parses a document; `base` is where its root belongs in the configuration. */
export function parseText(text: string, base: readonly string[] = []): Parsed {
  const lineCounter = new LineCounter();
  const position = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  let document: Document.Parsed;
  try {
    // Unique keys are checked below: the library compares each key with all before it.
    document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
      lineCounter,
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return tooDeep(position);
  }
  // The library also reports an overflow of its own as an error like any other.
  if (document.errors.some((error) => error.message.includes('call stack'))) return tooDeep(position);
  const problems = document.errors.map((error) => ({ offset: error.pos[0], path: [], message: saidOf(error) }));
  const walk = new Walk();
  const start = document.contents?.range?.[0] ?? 0;
  const root = place(start, start);
  const value = walk.read(document.contents, root, base);
  const tags = document.warnings.filter((warning) => warning.code === 'TAG_RESOLVE_FAILED');
  const others = document.warnings.filter((warning) => warning.code !== 'TAG_RESOLVE_FAILED');
  const asFinding = (warning: { pos: [number, number]; code: ErrorCode; message: string }) => ({
    offset: warning.pos[0],
    path: [],
    message: saidOf(warning),
  });
  return {
    value,
    place: root,
    findings: [...problems, ...tags.map(asFinding), ...walk.findings],
    warnings: others.map(asFinding),
    sound: problems.length === 0 && tags.length === 0 && !walk.exhausted,
    position,
  };
}

/** The library's message without what it quotes: a badly quoted password must not come back as an error message. */
function saidOf({ code, message }: { code: ErrorCode; message: string }): string {
  if (code === 'TAG_RESOLVE_FAILED') return 'tags (`!name`) are not supported; put text that begins with `!` in quotes';
  if (code === 'MULTIPLE_DOCS') return 'holds more than one document (`---`): a configuration is one';
  return code === 'MISSING_CHAR' ? message : message.replace(/: .*$/s, '');
}

function tooDeep(position: Parsed['position']): Parsed {
  const findings = [{ offset: 0, path: [], message: `the file is nested more than ${MAX_DEPTH} levels deep` }];
  return { value: null, place: place(0, 0), findings, warnings: [], sound: false, position };
}

class Walk {
  readonly findings: Finding[] = [];
  exhausted = false;
  readonly #anchors = new Map<string, Node>();
  #aliased = 0;
  #insideAlias = 0;

  /** Undefined where there is an error that has been noted: nothing more is to be said about that value. */
  read(node: unknown, at: Place, path: readonly string[]): unknown {
    if (this.exhausted) return null;
    if (path.length > MAX_DEPTH) return this.#giveUp(at, path, `is nested more than ${MAX_DEPTH} levels deep`);
    if (this.#insideAlias > 0 && ++this.#aliased > MAX_ALIASED_VALUES) {
      return this.#giveUp(at, path, `its aliases (\`*name\`) stand for more than ${MAX_ALIASED_VALUES} values`);
    }
    if (isAlias(node)) return this.#readAlias(node.source, at, path);
    const value = this.#readContent(node, at, path);
    // Only now: an alias inside of what it names would never end.
    if (this.#insideAlias === 0 && isAnchored(node)) this.#anchors.set(node.anchor, node);
    return value;
  }

  #readContent(node: unknown, at: Place, path: readonly string[]): unknown {
    if (isMap(node)) return this.#readMap(node, at, path);
    if (isSeq(node)) {
      const values = node.items.map((item, index) => {
        const child = this.#childPlace(at, item, null);
        at.children.set(String(index), child);
        return this.read(item, child, [...path, String(index)]);
      });
      return values.filter((value) => value !== undefined);
    }
    if (isScalar(node)) return isWord(path) ? wordOf(node) : node.value;
    return null;
  }

  #readAlias(name: string, at: Place, path: readonly string[]): unknown {
    const target = this.#anchors.get(name);
    if (!target) {
      this.#found(
        at.value,
        path,
        'is an alias (`*name`) of nothing that is complete before it; put text that begins with `*` in quotes',
      );
      return undefined;
    }
    this.#insideAlias++;
    const value = this.read(target, at, path);
    this.#insideAlias--;
    return value;
  }

  #readMap(map: YAMLMap, at: Place, path: readonly string[]): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const pair of map.items) {
      if (!isPair(pair)) continue;
      const keyOffset = offsetOf(pair.key) ?? at.value;
      const key = keyText(pair.key);
      const child = this.#childPlace(at, pair.value, keyOffset);
      if (key === null) {
        this.#found(child.key, path, 'a key must be plain text');
        continue;
      }
      const childPath = [...path, key];
      if (FORBIDDEN_KEYS.has(key)) this.#found(child.key, childPath, 'this key is not allowed anywhere');
      else if (key === '<<')
        this.#found(child.key, childPath, 'merge keys (`<<`) are not supported: write the keys out');
      else if (Object.hasOwn(result, key)) this.#foundTwice(child, at.children.get(key), childPath);
      else {
        at.children.set(key, child);
        const value = this.read(pair.value, child, childPath);
        if (value !== undefined) result[key] = value;
      }
    }
    return result;
  }

  /** What an alias stands for is shown where the alias is: that is the line to look at. */
  #childPlace(parent: Place, node: unknown, keyOffset: number | null): Place {
    if (this.#insideAlias > 0) return place(parent.key, parent.value);
    const value = isEmpty(node) ? keyOffset : offsetOf(node);
    return place(keyOffset ?? value ?? parent.value, value ?? keyOffset ?? parent.value);
  }

  #foundTwice(again: Place, first: Place | undefined, path: readonly string[]): void {
    this.findings.push({ offset: again.key, path, message: 'is defined twice', ...(first && { first: first.key }) });
  }

  #found(offset: number, path: readonly string[], message: string): void {
    this.findings.push({ offset, path, message });
  }

  #giveUp(at: Place, path: readonly string[], message: string): null {
    this.exhausted = true;
    this.#found(at.value, path.slice(0, 8), message);
    return null;
  }
}

function isAnchored(node: unknown): node is Node & { anchor: string } {
  return (isMap(node) || isSeq(node) || isScalar(node)) && typeof node.anchor === 'string';
}

function isEmpty(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null && !node.source);
}

function offsetOf(node: unknown): number | null {
  if (isMap(node) || isSeq(node) || isScalar(node) || isAlias(node)) return node.range?.[0] ?? null;
  return null;
}

function keyText(key: unknown): string | null {
  if (typeof key === 'string') return key;
  if (!isScalar(key) || key.value === null) return null;
  return typeof key.value === 'string' ? key.value : wordOf(key);
}

function wordOf(node: Scalar): string {
  const plain = typeof node.value === 'number' || typeof node.value === 'boolean';
  return (plain && node.source !== undefined ? node.source : node.value) as string;
}

/** `apps.NAME.env.X`, `apps.NAME.args[0]` and the like. */
function isWord(path: readonly string[]): boolean {
  return path.length === 4 && path[0] === 'apps' && WORD_KEYS.has(path[2]!);
}
