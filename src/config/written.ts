/** What was written for a configuration, layer over layer, and where each value of it comes from. */
import { type Draft, isMap } from './draft.js';
import type { Origin } from './load.js';
import type { Parsed, Place } from './source.js';
import { valueAt } from './validate.js';

type Path = readonly string[];

/** One key that was set at run time, by its steps from the top of the file. */
export interface RuntimeChange {
  path: Path;
  /** In the form of the file. */
  value: unknown;
  /** ISO 8601. */
  time: string;
}

export class Written {
  constructor(
    readonly origin: Origin,
    private readonly ofFile: Record<string, unknown>,
    private readonly draft: Draft,
    private readonly position: Parsed['position'],
  ) {}

  get text(): string {
    return this.origin.text;
  }

  /** Of all layers; undefined where none says anything. */
  value(path: Path): unknown {
    return valueAt(this.draft.value, path);
  }

  /** What the file alone says of a key, be it in a shorter form (`workers: 3` of `workers.min`); undefined where it says nothing. */
  inFile(path: Path): unknown {
    let value: unknown = this.ofFile;
    for (const step of path) {
      if (!isMap(value)) break;
      value = Object.hasOwn(value, step) ? value[step] : undefined;
    }
    return value;
  }

  /** All layers as one map of keys. */
  get keys(): Record<string, unknown> {
    return this.draft.value;
  }

  /** `FILE:LINE:COLUMN`, `environment NAME` or `run time TIME`; null where no layer says anything. */
  placeOf(path: Path): string | null {
    if (this.value(path) === undefined) return null;
    let at = this.draft.place;
    for (const step of path) {
      const child = at.children.get(step);
      if (!child) break;
      at = child;
    }
    if (at.setter?.kind === 'environment') return `environment ${at.setter.variable}`;
    if (at.setter?.kind === 'change') return `run time ${at.setter.time}`;
    const { line, column } = this.position(at.value);
    return `${this.origin.file}:${line}:${column}`;
  }

  /** Whether something was set at run time in one of these keys of the file. */
  isChanged(keys: readonly string[]): boolean {
    return keys.some((key) => hasChange(this.draft.place.children.get(key)));
  }
}

function hasChange(place: Place | undefined): boolean {
  if (place === undefined) return false;
  return place.setter?.kind === 'change' || [...place.children.values()].some(hasChange);
}
