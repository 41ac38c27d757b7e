import { SupError } from '../errors.js';
import type { ActReport } from '../master/supervisor.js';

/** The report of an act that worked; one that did not becomes an error that carries the whole report. */
export function reportOrThrow(report: ActReport): ActReport {
  if (report.ok) return report;
  const failed = report.results.find((result) => !result.ok);
  const message = failed ? `${failed.app}: ${failed.error?.message ?? 'failed'}` : 'the act failed';
  throw new SupError('SUP_ACT_FAILED', message, { ...report });
}
