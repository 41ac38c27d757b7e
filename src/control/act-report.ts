import { isErrorCode, SupError } from '../errors.js';
import type { ActReport } from '../master/supervisor.js';

/** The report of an act that worked; one that did not becomes an error that carries the whole report. */
export function reportOrThrow(report: ActReport): ActReport {
  if (report.ok) return report;
  const failed = report.results.find((result) => !result.ok);
  const message = failed ? `${failed.app}: ${failed.error?.message ?? 'failed'}` : 'the act failed';
  throw new SupError('SUP_ACT_FAILED', message, { ...report });
}

/** For acts on one app, whose own error says more than that the act failed: what was in the way is a 409, what did not load a 503. */
export function reportOrCause(report: ActReport): ActReport {
  const [only, ...others] = report.results;
  if (report.ok || !only?.error || others.length > 0 || !isErrorCode(only.error.code)) return reportOrThrow(report);
  const { code, message } = only.error;
  throw new SupError(code, message, { app: only.app });
}

/** For acts that a model's state may not allow: that is a 409, or a 400, of its own. What was tried and failed keeps its report. */
export function reportOrRefusal(report: ActReport): ActReport {
  const code = report.results.length === 1 ? report.results[0]?.error?.code : undefined;
  return code === 'SUP_CONFLICT' || code === 'SUP_BAD_REQUEST' ? reportOrCause(report) : reportOrThrow(report);
}
