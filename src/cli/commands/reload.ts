import { resolve } from 'node:path';
import { runAct } from '../act.js';
import { isConfigFile } from '../files.js';
import type { Run } from '../verbs.js';

/** A file stands for all that runs from it, what is new in it, and what went from it. */
export const run: Run = async (context, [what = 'all'], { json }) => {
  const { cwd } = context.io;
  return runAct(context, 'reload', isConfigFile(what, cwd) ? resolve(cwd, what) : what, json === true);
};
