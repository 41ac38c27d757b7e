/** What the box and its workers use, and giving memory back by hand. */
import type { FastifyInstance } from 'fastify';
import { objectBody, queryOf } from '../../http/fields.js';
import type { Supervisor } from '../../master/supervisor.js';

export function resourceRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  app.get('/api/memory', async ({ query }) => {
    queryOf(query, []);
    return supervisor.memory();
  });

  app.get('/api/resources', async ({ query }) => {
    queryOf(query, []);
    return supervisor.resources();
  });

  app.post('/api/cleanup', async ({ body, query }) => {
    objectBody(body, []);
    queryOf(query, []);
    return supervisor.cleanup();
  });
}
