import { EXIT, usage } from '../exit.js';
import { packagesOf, setForPackages } from '../packages.js';
import { packagesTable } from '../render/packages.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [target = '', name], { reset, json }) => {
  if (reset === true && name !== undefined) throw usage('a strategy and --reset do not go together');
  if (reset === true || name !== undefined)
    return setForPackages(context, target, {
      path: 'strategy',
      body: { strategy: reset === true ? null : name },
      json: json === true,
    });
  const packages = await packagesOf(context, target);
  if (json) context.printJson(packages);
  else context.print(packagesTable(packages, context.colors));
  return EXIT.done;
};
