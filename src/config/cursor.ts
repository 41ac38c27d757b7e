/** Where in the schema and in a file some steps lead: fixed keys by the schema, names of apps, versions and options by the file. */
import { APP_SCHEMAS } from './app-schema.js';
import { isMap } from './draft.js';
import { type KeyShape, shapeOf } from './keys.js';
import { kindOf } from './kind.js';
import { fileSchema } from './schema.js';

export interface Cursor {
  path: readonly string[];
  shape: KeyShape;
  value: unknown;
}

/** Groups of keys that may be written as one value: `workers: 3`, `version_policy: all`. */
const SHORT_FORMS = new Set(['workers', 'version_policy']);

/** @param root the keys of the file as they are written */
export function atRoot(root: Record<string, unknown>): Cursor {
  return { path: [], shape: shapeOf(fileSchema), value: root };
}

export function knownKeys({ shape, value }: Cursor): string[] {
  if (shape.kind === 'map') return [...shape.keys.keys()];
  return shape.kind === 'free' && isMap(value) ? Object.keys(value) : [];
}

/** Null where the schema has no such key, and where an app is not one, or of no kind. */
export function follow({ path, shape, value }: Cursor, step: string): Cursor | null {
  const next = isMap(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  const inside = [...path, step];
  if (path.length === 1 && path[0] === 'apps') {
    const kind = isMap(next) ? kindOf(next) : null;
    return kind && { path: inside, shape: shapeOf(APP_SCHEMAS[kind]), value: next };
  }
  const schema = shape.kind === 'map' ? shape.keys.get(step) : shape.kind === 'free' ? shape.value : undefined;
  return schema ? { path: inside, shape: shapeOf(schema), value: next } : null;
}

/** Whether a value may stand there, and not only further keys. */
export function takesValue({ path, shape }: Cursor): boolean {
  return shape.kind === 'leaf' || (path.length === 3 && path[0] === 'apps' && SHORT_FORMS.has(path[2]!));
}
