/** What can be done to apps: one path for each verb. */
import type { FastifyInstance } from 'fastify';
import { badRequest, objectBody, queryOf } from '../../http/fields.js';
import type { Supervisor, Verb } from '../../master/supervisor.js';
import { reportOrRefusal, reportOrThrow } from '../act-report.js';

const VERBS: readonly Verb[] = ['start', 'stop', 'restart', 'reload', 'recycle', 'delete', 'load', 'unload'];

/** Which state a model is in decides whether these can be done at all. */
const MODEL_VERBS: ReadonlySet<Verb> = new Set(['load', 'unload']);

type ToTarget = { Params: { target: string } };

export function actRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  for (const verb of VERBS)
    app.post<ToTarget>(`/api/apps/:target/${verb}`, async ({ params, body }) => {
      objectBody(body, []);
      const report = await supervisor.act(verb, params.target);
      return MODEL_VERBS.has(verb) ? reportOrRefusal(report) : reportOrThrow(report);
    });

  app.post<ToTarget>('/api/apps/:target/scale', async ({ params, body, query }) => {
    const size = objectBody(body, ['size']).size ?? queryOf(query, ['size']).size;
    return reportOrRefusal(await supervisor.scale(params.target, sizeOf(size)));
  });
}

function sizeOf(value: unknown): string {
  // In a query, `+1` arrives as ` 1` unless the client encoded the plus.
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.replace(/^ /, '+') : '';
  if (!/^(?:[+-]?\d{1,6}|auto)$/.test(text)) throw badRequest("'size' must be a number of workers, +N, -N or auto");
  return text;
}
