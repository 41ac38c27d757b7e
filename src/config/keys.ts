/** What may be written where, read from the schemas: for suggestions and for environment overrides. */
import { z } from 'zod';

export type KeyShape =
  | { kind: 'map'; keys: ReadonlyMap<string, z.core.$ZodType> }
  /** A map whose keys the user chooses. */
  | { kind: 'free'; value: z.core.$ZodType }
  | { kind: 'leaf' };

/** What a schema expects at its top, seen through defaults, transforms and unions with a map among their options. */
export function shapeOf(schema: z.core.$ZodType): KeyShape {
  if (schema instanceof z.ZodObject) return { kind: 'map', keys: new Map(Object.entries(schema.shape)) };
  if (schema instanceof z.ZodRecord) return { kind: 'free', value: schema.valueType };
  if (schema instanceof z.ZodPipe) return shapeOf(schema.in);
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return shapeOf(schema.unwrap());
  }
  if (schema instanceof z.ZodUnion) {
    const maps = schema.options.map(shapeOf).filter((shape) => shape.kind === 'map');
    return maps[0] ?? { kind: 'leaf' };
  }
  return { kind: 'leaf' };
}

/** The shape at a path, or null where the path leaves the schema. */
export function shapeAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): KeyShape | null {
  let shape = shapeOf(schema);
  for (const step of path) {
    const next = shape.kind === 'map' ? shape.keys.get(String(step)) : shape.kind === 'free' ? shape.value : undefined;
    if (!next) return null;
    shape = shapeOf(next);
  }
  return shape;
}

// Schemas never change, and a file with ten thousand wrong keys asks ten thousand times.
const KNOWN_PATHS = new WeakMap<z.core.$ZodType, readonly string[]>();

/** Every fixed key below a schema as a dotted path, nearest to the top first. */
export function keyPaths(schema: z.core.$ZodType): readonly string[] {
  const known = KNOWN_PATHS.get(schema) ?? findKeyPaths(schema);
  KNOWN_PATHS.set(schema, known);
  return known;
}

function findKeyPaths(schema: z.core.$ZodType): string[] {
  const found: string[] = [];
  const open: { shape: KeyShape; prefix: string }[] = [{ shape: shapeOf(schema), prefix: '' }];
  for (const { shape, prefix } of open) {
    if (shape.kind !== 'map') continue;
    for (const [key, value] of shape.keys) {
      found.push(`${prefix}${key}`);
      open.push({ shape: shapeOf(value), prefix: `${prefix}${key}.` });
    }
  }
  return found;
}
