/** Looking at apps, and applying a configuration file. */
import { isAbsolute } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { badRequest, objectBody } from '../../http/fields.js';
import type { Supervisor } from '../../master/supervisor.js';
import { reportOrThrow } from '../act-report.js';
import { withUnloading, withUnloadingColumns } from '../unloading-columns.js';

export function appRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  app.get('/api/apps', async () => ({ apps: withUnloadingColumns(supervisor.list(), supervisor.unloading()) }));

  app.get<{ Params: { target: string } }>('/api/apps/:target', async ({ params: { target } }) => {
    const versions = withUnloading(supervisor.describe(target), supervisor.unloading());
    const names = new Set(versions.map((row) => row.name));
    const [only] = names;
    return { name: names.size === 1 ? only : target, versions };
  });

  app.post('/api/apps', async ({ body }) => {
    const { file, only } = objectBody(body, ['file', 'only']);
    // The master's folder is not the client's: a relative path would mean another file here.
    if (typeof file !== 'string' || !isAbsolute(file))
      throw badRequest("'file' must be the absolute path of a configuration");
    if (only !== undefined && !isNames(only)) throw badRequest("'only' must be an array of app names");
    return reportOrThrow(await supervisor.apply(file, only === undefined ? {} : { only }));
  });
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}
