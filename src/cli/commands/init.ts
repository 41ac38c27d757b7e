import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROFILE_NAMES, type ProfileName, starterConfig } from '../../config/init.js';
import { EXIT, usage } from '../exit.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, _args, { force, profile }) => {
  const chosen = profile === undefined ? null : profileOf(String(profile));
  const file = join(context.io.cwd, 'supervisor.yaml');
  try {
    writeFileSync(file, starterConfig(context.io.cwd, chosen), { flag: force ? 'w' : 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    context.fail('supervisor.yaml is there already; --force overwrites it');
    return EXIT.failed;
  }
  context.print('wrote supervisor.yaml; look it through, then: supervisor start');
  return EXIT.done;
};

/** @throws SupError SUP_USAGE */
function profileOf(name: string): ProfileName {
  const found = PROFILE_NAMES.find((known) => known === name);
  if (found === undefined) throw usage(`there is no profile '${name}'; choose from: ${PROFILE_NAMES.join(', ')}`);
  return found;
}
