/** What was changed at run time, as it outlives the master: over its file, until that says something else there. */
import { isDeepStrictEqual } from 'node:util';
import type { Loaded } from '../config/load.js';
import type { RuntimeChange } from '../config/written.js';
import { SupError } from '../errors.js';

export interface Override extends RuntimeChange {
  /** What the file itself said there at that time; undefined where nothing. */
  written?: unknown;
}

export interface Dropped {
  override: Override;
  /** As a clause: `the file says 3 there now`. */
  why: string;
}

/** By file. A list is never written into: whoever holds one sees whether it is still the one in force. */
export class Overrides {
  readonly #byFile: Map<string, readonly Override[]>;

  constructor(kept: Readonly<Record<string, readonly Override[]>>) {
    this.#byFile = new Map(Object.entries(kept));
  }

  of(file: string): readonly Override[] {
    return this.#byFile.get(file) ?? NONE;
  }

  set(file: string, overrides: readonly Override[]): void {
    if (overrides.length > 0) this.#byFile.set(file, overrides);
    else this.#byFile.delete(file);
  }

  toJSON(): Record<string, readonly Override[]> {
    return Object.fromEntries(this.#byFile);
  }
}

const NONE: readonly Override[] = [];

/**
 * A file with those changes over it that still hold. A file that was edited is never refused for them: what no longer fits goes.
 * @throws SupError SUP_CONFIG_INVALID for what is wrong with the file itself
 */
export function layered(
  load: (changes: readonly Override[]) => Loaded,
  overrides: readonly Override[],
): { loaded: Loaded; kept: readonly Override[]; dropped: Dropped[] } {
  const plain = load([]);
  if (overrides.length === 0) return { loaded: plain, kept: overrides, dropped: [] };
  const dropped: Dropped[] = [];
  const held = overrides.filter((override) => {
    const why = whyOver(override, plain);
    if (why !== null) dropped.push({ override, why });
    return why === null;
  });
  const all = attempt(() => load(held));
  if ('loaded' in all) return { loaded: all.loaded, kept: dropped.length === 0 ? overrides : held, dropped };
  let loaded = plain;
  const kept: Override[] = [];
  for (const override of held) {
    const one = attempt(() => load([...kept, override]));
    if ('problem' in one) dropped.push({ override, why: `it no longer fits the file (${one.problem})` });
    else {
      kept.push(override);
      loaded = one.loaded;
    }
  }
  return { loaded, kept, dropped };
}

function whyOver({ path, written }: Override, { config, written: file }: Loaded): string | null {
  if (path[0] === 'apps' && !config.apps.some((app) => app.name === path[1]))
    return 'the file has no such app any more';
  const now = file.inFile(path);
  if (isDeepStrictEqual(now, written)) return null;
  return now === undefined ? 'the file says nothing there any more' : `the file says ${shown(now)} there now`;
}

function attempt(load: () => Loaded): { loaded: Loaded } | { problem: string } {
  try {
    return { loaded: load() };
  } catch (error) {
    if (error instanceof SupError && error.code === 'SUP_CONFIG_INVALID') return { problem: error.message };
    throw error;
  }
}

/** A value of a configuration within a sentence. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
