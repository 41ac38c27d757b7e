/** Why the supervisor did what it did, and what happens now. */

import type { HttpApp } from '../../http/app.js';
import { queryOf, wholeNumber } from '../../http/fields.js';
import type { Supervisor } from '../../master/supervisor.js';
import { openStream } from '../sse.js';

const MAX_DECISIONS = 100_000;

export function decisionRoutes(http: HttpApp, supervisor: Supervisor): void {
  http.app.get('/api/decisions', async ({ query }) => {
    const { policy, subject, limit } = queryOf(query, ['policy', 'subject', 'limit']);
    return {
      decisions: supervisor.decisions({
        ...(policy !== undefined && { policy }),
        ...(subject !== undefined && { subject }),
        ...(limit !== undefined && { limit: wholeNumber('limit', limit, 1, MAX_DECISIONS) }),
      }),
    };
  });

  http.app.get('/api/events', (_request, reply) => {
    const stream = openStream(http, reply);
    stream.onEnd(supervisor.onEvent((event) => stream.send(event.type, event)));
  });
}
