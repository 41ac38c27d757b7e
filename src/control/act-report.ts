import { type ErrorCode, isErrorCode, SupError } from '../errors.js';
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

/** Refused, and not tried. */
const REFUSALS: ReadonlySet<string | undefined> = new Set<ErrorCode>([
  'SUP_CONFLICT',
  'SUP_BAD_REQUEST',
  'SUP_NO_ROOM',
  'SUP_CHURN',
]);

/** For acts that the state of a model, or of the memory, may not allow: such a refusal has a status of its own. What was tried and failed keeps its report. */
export function reportOrRefusal(report: ActReport): ActReport {
  const code = report.results.length === 1 ? report.results[0]?.error?.code : undefined;
  return REFUSALS.has(code) ? reportOrCause(report) : reportOrThrow(report);
}
