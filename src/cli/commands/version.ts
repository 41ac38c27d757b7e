import { packageVersion } from '../../master/version.js';
import { EXIT } from '../exit.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, _args, { json }) => {
  const version = packageVersion();
  if (json) context.printJson({ version, node: process.versions.node });
  else context.print(version);
  return EXIT.done;
};
