import type { Decision } from '../../master/supervisor.js';
import { EXIT } from '../exit.js';
import { wholeNumber } from '../numbers.js';
import { decisionsTable } from '../render/decisions.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, _args, { policy, subject, limit, json }) => {
  const query = new URLSearchParams();
  if (typeof policy === 'string') query.set('policy', policy);
  if (typeof subject === 'string') query.set('subject', subject);
  if (limit !== undefined) query.set('limit', String(wholeNumber('-n', limit, 1)));
  const { decisions } = await context.client.get<{ decisions: Decision[] }>(`/api/decisions?${query}`);
  if (json) context.printJson(decisions);
  else context.print(decisionsTable(decisions, context.colors));
  return EXIT.done;
};
