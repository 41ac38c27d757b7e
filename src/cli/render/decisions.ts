import type { Decision } from '../../master/supervisor.js';
import type { Colors } from '../context.js';
import { table } from './table.js';
import { settings } from './values.js';

export function decisionsTable(decisions: readonly Decision[], colors: Colors): string {
  if (decisions.length === 0) return 'no decisions';
  return table(
    ['time', 'policy', 'subject', 'action', 'reason', 'numbers'],
    decisions.map((d) => [d.time, d.policy, d.subject, d.action, d.reason, settings(d.numbers)]),
    colors,
  );
}
