/** The raw values of a file while the environment, and what was changed at run time, are laid over them. */
import { type Place, place, type Setter } from './source.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Values and their places; overrides change both. */
export interface Draft {
  value: Record<string, unknown>;
  place: Place;
}

/** Sets one key, and the maps above it where there are none. The setter is what problems with it are told about. */
export function set(draft: Draft, path: readonly string[], value: unknown, setter: Setter): void {
  let parent = draft.value;
  let at = draft.place;
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1;
    const before = Object.hasOwn(parent, step) ? parent[step] : undefined;
    const child = (last ? undefined : at.children.get(step)) ?? place(at.key, at.value, setter);
    at.children.set(step, child);
    at = child;
    if (last) {
      parent[step] = value;
      return;
    }
    const map = mapOf(step, before);
    // Something else stands where a map should be: the file's own error says so.
    if (map === null) return;
    parent[step] = map;
    parent = map;
  }
}

/** What a key below `step` is written into; null where that cannot be. */
function mapOf(step: string, before: unknown): Record<string, unknown> | null {
  if (isMap(before)) return { ...before };
  if (step === 'workers' && before !== undefined) return { min: before, max: before };
  // A list, or `all`: another policy takes its place as a whole.
  return before === undefined || step === 'version_policy' ? {} : null;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
