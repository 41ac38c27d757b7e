import { EXIT } from '../exit.js';
import { printable } from '../printable.js';
import { formatAge } from '../render/values.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, _args, { json }) => {
  const health = await context.client.health();
  if (json) context.printJson(health);
  else
    context.print(
      `pong from pid ${health.pid}, up ${formatAge(health.uptime_seconds)}, version ${printable(health.version)}, ${printable(health.status)}`,
    );
  return EXIT.done;
};
