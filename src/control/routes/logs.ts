/** An app's output: the last lines as JSON, or these and all that follow as a stream. */

import type { HttpApp } from '../../http/app.js';
import { badRequest, queryOf, wholeNumber } from '../../http/fields.js';
import type { Supervisor } from '../../master/supervisor.js';
import { LogFollow } from '../log-follow.js';
import { openStream } from '../sse.js';

const DEFAULT_LINES = 100;
const MAX_LINES = 100_000;

export function logRoutes(http: HttpApp, supervisor: Supervisor): void {
  http.app.get<{ Params: { target: string } }>('/api/apps/:target/logs', async ({ params, query }, reply) => {
    const wanted = queryOf(query, ['lines', 'since', 'follow']);
    const lines = wanted.lines === undefined ? DEFAULT_LINES : wholeNumber('lines', wanted.lines, 0, MAX_LINES);
    const since = wanted.since === undefined ? null : dateOf(wanted.since);
    const tail = async () => supervisor.logs(params.target, { lines, since });
    if (!flag('follow', wanted.follow)) return { lines: await tail() };

    // Following starts before the tail is read: a line that comes in between must not fall between the two.
    const follow = new LogFollow(supervisor, params.target);
    try {
      const last = await tail();
      await follow.start(openStream(http, reply), last);
    } catch (error) {
      follow.end();
      throw error;
    }
    return reply;
  });
}

function dateOf(text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw badRequest("'since' must be a time such as 2026-01-31T12:00:00Z");
  return date;
}

function flag(key: string, text: string | undefined): boolean {
  if (text === undefined || text === 'false' || text === '0') return false;
  if (text === 'true' || text === '1' || text === '') return true;
  throw badRequest(`'${key}' must be true or false`);
}
