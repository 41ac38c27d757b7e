import type { ActReport } from '../../master/supervisor.js';
import type { Colors } from '../context.js';
import { printable } from '../printable.js';

/** Which apps did not come out well, why, and what they printed last. */
export function failures(report: Pick<ActReport, 'results'>, colors: Colors): string {
  return report.results
    .filter((result) => !result.ok)
    .map(({ app, error }) => {
      const head = `${colors.red('✗')} ${printable(app)}: ${printable(error?.message ?? 'failed')}`;
      return [head, ...(error?.log_tail ?? []).map((line) => `    ${colors.dim('|')} ${printable(line)}`)].join('\n');
    })
    .join('\n');
}
