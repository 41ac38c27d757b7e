import type { ActReport, Verb } from '../master/supervisor.js';
import type { Context } from './context.js';
import { EXIT, ReplyError } from './exit.js';
import { modelsOf } from './models.js';
import { appsTable } from './render/apps.js';
import { failures } from './render/failures.js';

/** Asks for an act and tells how it came out. Resolves with the exit code. */
export async function runAct(context: Context, verb: Verb, target: string, json: boolean): Promise<number> {
  return showReport(context, await act(context, `${targetPath(target)}/${verb}`), json);
}

/** A target in a path: worker ids and regular expressions hold slashes. */
export function targetPath(target: string): string {
  return `/api/apps/${encodeURIComponent(target)}`;
}

/** The report also where the act failed; other errors are thrown. */
export async function act(context: Context, path: string, body?: unknown): Promise<ActReport> {
  try {
    return await context.client.post<ActReport>(path, body);
  } catch (error) {
    if (!(error instanceof ReplyError) || error.code !== 'SUP_ACT_FAILED') throw error;
    const { results = [], warnings = [], apps = [] } = error.data as Partial<ActReport>;
    if (results.length > 0) return { ok: false, results, warnings, apps };
    throw error;
  }
}

export async function showReport(context: Context, report: ActReport, json: boolean): Promise<number> {
  for (const warning of report.warnings) context.warn(warning);
  if (!report.ok) context.io.stderr.write(`${failures(report, context.errorColors)}\n`);
  if (json) {
    context.printJson(report);
    return report.ok ? EXIT.done : EXIT.failed;
  }
  // What was done is done: without them the table only says less.
  const models = await modelsOf(context, report.apps).catch(() => []);
  context.print(appsTable(report.apps, context.colors, models));
  return report.ok ? EXIT.done : EXIT.failed;
}
