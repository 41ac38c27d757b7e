import type { ListRow } from '../../control/unloading-columns.js';
import { EXIT } from '../exit.js';
import { modelsOf } from '../models.js';
import { appsTable } from '../render/apps.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, _args, { json }) => {
  const { apps } = await context.client.get<{ apps: ListRow[] }>('/api/apps');
  if (json) context.printJson(apps);
  else context.print(appsTable(apps, context.colors, await modelsOf(context, apps)));
  return EXIT.done;
};
