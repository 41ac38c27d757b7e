/** Models as the verbs about unloading name them: by the target of a command. */
import type { PackageRow } from '../control/package-unloading-report.js';
import type { ActResult, AppDetail } from '../master/supervisor.js';
import { targetPath } from './act.js';
import type { Context } from './context.js';
import { EXIT, ReplyError, usage } from './exit.js';
import { failures } from './render/failures.js';
import { packagesTable } from './render/packages.js';

const ROOT = '/api/package-unloading/packages';

/** What a target names: whole models, or the one version that it names. */
interface Chosen {
  /** As the paths name them. */
  names: string[];
  has(row: PackageRow): boolean;
}

/**
 * Of a group (a namespace, a pattern, all) the models are meant.
 * @throws SupError SUP_USAGE for a worker, and where there is no model among what is named; ReplyError for what is not there
 */
async function choose(context: Context, target: string): Promise<Chosen> {
  const { versions } = await context.client.get<{ versions: AppDetail[] }>(targetPath(target));
  if (versions.some(({ workers }) => workers.some(({ id }) => id === target)))
    throw usage(`${target} is one worker: name its model`);
  const models = versions.filter(({ kind }) => kind === 'model');
  if (models.length === 0) {
    const names = [...new Set(versions.map(({ name }) => name))].join(', ');
    throw usage(`only models are unloaded, and there is none in '${target}'${names && `: it names ${names}`}`);
  }
  if (models.some(({ name, version }) => `${name}@${version}` === target))
    return { names: [target], has: ({ model, version }) => `${model}@${version}` === target };
  const names = new Set(models.map(({ name }) => name));
  return { names: [...names], has: ({ model }) => names.has(model) };
}

/** How the models of a target are unloaded. @throws as `choose` */
export async function packagesOf(context: Context, target: string): Promise<PackageRow[]> {
  const chosen = await choose(context, target);
  return rows(context, chosen);
}

/** Sets one thing for all models of a target, and tells how that came out. Resolves with the exit code. */
export async function setForPackages(
  context: Context,
  target: string,
  { path, body, json }: { path: 'strategy' | 'user-preference'; body: object; json: boolean },
): Promise<number> {
  const chosen = await choose(context, target);
  const results: ActResult[] = [];
  const warnings: string[] = [];
  for (const name of chosen.names) {
    try {
      const url = `${ROOT}/${encodeURIComponent(name)}/${path}`;
      warnings.push(...((await context.client.put<{ warnings?: string[] }>(url, body)).warnings ?? []));
      results.push({ app: name, ok: true, error: null });
    } catch (error) {
      if (!(error instanceof ReplyError) || chosen.names.length === 1) throw error;
      results.push({ app: name, ok: false, error: { code: error.code, message: error.message, log_tail: [] } });
    }
  }
  const ok = results.every((result) => result.ok);
  const packages = await rows(context, chosen);
  for (const warning of warnings) context.warn(warning);
  if (!ok) context.io.stderr.write(`${failures({ results }, context.errorColors)}\n`);
  if (json) context.printJson({ ok, results, warnings, packages });
  else context.print(packagesTable(packages, context.colors));
  return ok ? EXIT.done : EXIT.failed;
}

async function rows(context: Context, { has }: Chosen): Promise<PackageRow[]> {
  const { packages } = await context.client.get<{ packages: Record<string, PackageRow> }>(ROOT);
  return Object.values(packages).filter(has);
}
