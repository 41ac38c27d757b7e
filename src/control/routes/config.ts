/** The configuration that is in force, and changes of it while everything goes on. */
import type { FastifyInstance } from 'fastify';
import { badRequest, queryOf } from '../../http/fields.js';
import type { ConfigSetting, Supervisor } from '../../master/supervisor.js';

export function configRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  app.get('/api/config', async ({ query }) => {
    const { origin = 'false' } = queryOf(query, ['origin']);
    if (origin !== 'true' && origin !== 'false') throw badRequest("'origin' must be true or false");
    const { values, origins } = supervisor.config();
    return origin === 'true' ? origins : values;
  });

  app.patch('/api/config', async ({ body, query }) => {
    queryOf(query, []);
    return supervisor.patchConfig(settingsOf(body));
  });

  app.delete('/api/config', async ({ query }) => {
    const { key } = queryOf(query, ['key']);
    if (key === '') throw badRequest("'key' must name a key; leave it out to take back everything");
    return supervisor.resetConfig(key === undefined ? null : [key]);
  });
}

/** One for each key at the top, dotted or not; what is in their maps is for whoever knows the keys. */
function settingsOf(body: unknown): ConfigSetting[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badRequest('the body must be a JSON object of keys, such as {"unloading.strategy": "aggressive"}');
  return Object.entries(body).map(([key, value]) => ({ path: [key], value: value as unknown }));
}
