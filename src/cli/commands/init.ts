import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { starterConfig } from '../../config/init.js';
import { EXIT } from '../exit.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, _args, { force }) => {
  const file = join(context.io.cwd, 'supervisor.yaml');
  try {
    writeFileSync(file, starterConfig(context.io.cwd), { flag: force ? 'w' : 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    context.fail('supervisor.yaml is there already; --force overwrites it');
    return EXIT.failed;
  }
  context.print('wrote supervisor.yaml; look it through, then: supervisor start');
  return EXIT.done;
};
