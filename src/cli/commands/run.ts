import { resolve } from 'node:path';
import { usage } from '../exit.js';
import { isFile } from '../files.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [file = 'supervisor.yaml']) => {
  const { cwd, env } = context.io;
  if (!isFile(file, cwd)) throw usage(`there is no file ${file}; supervisor init writes a first one`);
  const { runMaster } = await import('../../master/run.js');
  return runMaster({ home: context.home.dir, files: [resolve(cwd, file)], env });
};
