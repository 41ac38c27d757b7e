import { resolve } from 'node:path';
import { loadConfig } from '../../config/load.js';
import { EXIT, problemsOf } from '../exit.js';
import { printable } from '../printable.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [file = 'supervisor.yaml'], { json }) => {
  try {
    const { config, warnings } = loadConfig(resolve(context.io.cwd, file), { env: context.io.env });
    for (const warning of warnings) context.warn(warning);
    const count = config.apps.length;
    if (json) context.printJson({ valid: true, file: config.file, apps: config.apps.map((app) => app.name), warnings });
    else context.print(`${printable(file)} is valid: ${count} ${count === 1 ? 'app' : 'apps'}`);
    return EXIT.done;
  } catch (error) {
    const problems = problemsOf(error);
    if (!json || problems.length === 0) throw error;
    context.printJson({ valid: false, problems });
    return EXIT.usage;
  }
};
