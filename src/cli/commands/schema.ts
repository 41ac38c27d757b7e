import { configJsonSchema } from '../../config/json-schema.js';
import { EXIT } from '../exit.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context) => {
  context.printJson(configJsonSchema());
  return EXIT.done;
};
