/** The schema of supervisor.yaml for editors, from the schemas that the loader itself uses. */
import { z } from 'zod';
import { publishedSchema } from './schema.js';

/** JSON Schema (2020-12) of the file as it is written: snake_case, units as text, defaults that are shown and not applied. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(publishedSchema, { io: 'input' });
  return { $schema, title: 'supervisor.yaml', required: ['apps'], ...schema };
}
