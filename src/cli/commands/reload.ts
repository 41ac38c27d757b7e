import { resolve } from 'node:path';
import type { ActReport, AppDetail } from '../../master/supervisor.js';
import { act, runAct, showReport, targetPath } from '../act.js';
import type { Context } from '../context.js';
import { isConfigFile } from '../files.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [what = 'all'], { json }) => {
  if (!isConfigFile(what, context.io.cwd)) return runAct(context, 'reload', what, json === true);
  return showReport(context, await reloadFile(context, resolve(context.io.cwd, what)), json === true);
};

/** First what runs from the file, which also removes what went from it; then what is new in it. */
async function reloadFile(context: Context, file: string): Promise<ActReport> {
  const { versions } = await context.client.get<{ versions: AppDetail[] }>(targetPath('all'));
  const names = [...new Set(versions.filter((row) => row.config_file === file).map((row) => row.name))];
  const reloaded = names.length > 0 ? await act(context, `${targetPath(patternOf(names))}/reload`) : null;
  if (reloaded && !reloaded.ok) return reloaded;
  const applied = await act(context, '/api/apps', { file });
  return { ...applied, warnings: [...new Set([...(reloaded?.warnings ?? []), ...applied.warnings])] };
}

function patternOf(names: readonly string[]): string {
  return `/^(?:${names.map((name) => name.replace(/[^A-Za-z0-9_]/g, '\\$&')).join('|')})$/`;
}
