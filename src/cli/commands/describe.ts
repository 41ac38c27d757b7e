import type { DetailRow } from '../../control/unloading-columns.js';
import type { LogLine } from '../../master/supervisor.js';
import { targetPath } from '../act.js';
import { EXIT } from '../exit.js';
import { appDetails } from '../render/details.js';
import { logText } from '../render/logs.js';
import type { Run } from '../verbs.js';

const LAST_LINES = 10;

export const run: Run = async (context, [target = ''], { json }) => {
  const { versions } = await context.client.get<{ versions: DetailRow[] }>(targetPath(target));
  if (json) {
    context.printJson(versions);
    return EXIT.done;
  }
  const { lines } = await context.client.get<{ lines: LogLine[] }>(`${targetPath(target)}/logs?lines=${LAST_LINES}`);
  const parts = versions.map((app) => appDetails(app, context.colors));
  if (lines.length > 0) parts.push(lines.map((line) => logText(line, context.colors)).join('\n'));
  context.print(parts.join('\n\n') || 'no apps');
  return EXIT.done;
};
