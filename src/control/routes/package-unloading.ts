/** Unloading as a package manager's users know it, where a package is a model: how it goes, what it brought, and each model's part in it. */

import { closest, distance } from 'fastest-levenshtein';
import type { FastifyInstance } from 'fastify';
import { SupError } from '../../errors.js';
import { badRequest, objectBody, queryOf } from '../../http/fields.js';
import type { ConfigChange, PackageStatus, Supervisor, UnloadingStatus } from '../../master/supervisor.js';
import { reportOrCause } from '../act-report.js';
import {
  allowsUnload,
  garbageReport,
  impactReport,
  metricsReport,
  packagesReport,
  statusReport,
} from '../package-unloading-report.js';

const ROOT = '/api/package-unloading';
const PACKAGE = `${ROOT}/packages/:name`;
const SHOWN_NAMES = 20;

const REPORTS: Readonly<Record<string, (status: UnloadingStatus) => object>> = {
  status: statusReport,
  metrics: metricsReport,
  'performance-impact': impactReport,
  packages: packagesReport,
};

type ToPackage = { Params: { name: string } };

/** A model, or one version of it. */
interface Named {
  name: string;
  model: string;
  packages: readonly PackageStatus[];
}

export function packageUnloadingRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  for (const [path, report] of Object.entries(REPORTS))
    app.route({
      method: ['GET', 'HEAD'],
      url: `${ROOT}/${path}`,
      handler: async ({ query }) => {
        queryOf(query, []);
        return report(supervisor.unloading());
      },
    });

  app.put<ToPackage>(`${PACKAGE}/strategy`, async ({ params, body, query }) => {
    queryOf(query, []);
    const given = objectBody(body, ['strategy']).strategy;
    const status = supervisor.unloading();
    const named = find(status.packages, params.name);
    const strategy = strategyOf(given, status.strategies);
    const { warnings } = await setWord(supervisor, named, 'strategy', strategy, (own) => own.ownStrategy === strategy);
    return done(
      `Successfully set unloading strategy for package '${named.name}' to ${strategy ?? "the box's own"}`,
      warnings,
      {
        package_name: named.name,
        strategy,
      },
    );
  });

  app.put<ToPackage>(`${PACKAGE}/user-preference`, async ({ params, body, query }) => {
    queryOf(query, []);
    const allowed = objectBody(body, ['allow_unload']).allow_unload;
    const named = find(supervisor.unloading().packages, params.name);
    if (allowed !== null && typeof allowed !== 'boolean')
      throw badRequest("'allow_unload' must be true (unload it first), false (keep it) or null (no preference)");
    const word = allowed === null ? 'none' : allowed ? 'evict' : 'keep';
    const isSet = ({ preference }: PackageStatus) => allowsUnload(preference) === allowed;
    const { warnings } = await setWord(supervisor, named, 'preference', word, isSet);
    return done(`Successfully set user preference for package '${named.name}' unloading to ${allowed}`, warnings, {
      package_name: named.name,
      allow_unload: allowed,
    });
  });

  app.post<ToPackage>(`${PACKAGE}/unload`, async ({ params, body, query }) => {
    queryOf(query, []);
    objectBody(body, []);
    const { name, packages } = find(supervisor.unloading().packages, params.name);
    const wasLoaded = packages.some((each) => each.loaded);
    const { warnings } = reportOrCause(await supervisor.act('unload', name));
    const message = wasLoaded ? `Successfully unloaded package '${name}'` : `Package '${name}' was not loaded`;
    const flaws = flawsSince(packages, supervisor.unloading().packages);
    return done(message, [...warnings, ...flaws], { package_name: name, was_loaded: wasLoaded });
  });

  app.post(`${ROOT}/force-garbage-collection`, async ({ body, query }) => {
    queryOf(query, []);
    objectBody(body, []);
    return garbageReport(await supervisor.collectGarbage());
  });
}

/** What went wrong in unloadings since then: they are over, and count as failed. */
function flawsSince(before: readonly PackageStatus[], now: readonly PackageStatus[]): string[] {
  return before.flatMap(({ key, totals }) => {
    const own = now.find((each) => each.key === key)?.totals;
    return own && own.failed > totals.failed ? [`unloading ${key} did not go well: ${own.lastError}`] : [];
  });
}

/**
 * Sets it for the whole model, and for each version that says something else for itself; or for the one version that was named.
 * @param isSet whether what rules a version is what was asked for
 */
async function setWord(
  supervisor: Supervisor,
  { name, model, packages }: Named,
  key: 'strategy' | 'preference',
  value: string | null,
  isSet: (own: PackageStatus) => boolean,
): Promise<Pick<ConfigChange, 'warnings'>> {
  const ofVersion = ({ version }: PackageStatus) => ['apps', model, 'versions', version, 'unload', key];
  const isWhole = packages.length > 1 || packages[0]!.key === model;
  const paths = isWhole ? [['apps', model, 'unload', key]] : packages.map(ofVersion);
  const { warnings } = await supervisor.patchConfig(paths.map((path) => ({ path, value })));
  if (!isWhole) return { warnings };
  const left = find(supervisor.unloading().packages, name).packages.filter((own) => !isSet(own));
  if (left.length === 0) return { warnings };
  const further = await supervisor.patchConfig(left.map((own) => ({ path: ofVersion(own), value })));
  return { warnings: [...warnings, ...further.warnings] };
}

/** @throws SupError SUP_BAD_REQUEST, naming those that there are */
function strategyOf(given: unknown, known: readonly string[]): string | null {
  // None of its own.
  if (given === null) return null;
  const names = `one of: ${known.join(', ')}`;
  if (typeof given !== 'string') throw badRequest(`'strategy' must be ${names}; or null: that of the whole box`);
  const strategy =
    known.find((name) => name === given) ?? known.find((name) => name.toLowerCase() === given.toLowerCase());
  if (strategy === undefined)
    throw badRequest(`there is no strategy '${shortened(given)}'; it must be ${names}`, { strategies: known });
  return strategy;
}

/** @throws SupError SUP_MODEL_NOT_FOUND, with names near it */
function find(packages: readonly PackageStatus[], name: string): Named {
  const all = packages.filter(({ model }) => model === name);
  const found = all.length > 0 ? all : packages.filter(({ model, version }) => `${model}@${version}` === name);
  const [first] = found;
  if (first) return { name, model: first.model, packages: found };
  throw new SupError('SUP_MODEL_NOT_FOUND', `there is no package '${shortened(name)}'${others(name, packages)}`, {
    package: shortened(name),
  });
}

function others(name: string, packages: readonly PackageStatus[]): string {
  const known = [...new Set(packages.map(({ key }) => key))];
  if (known.length === 0) return '; no model is configured';
  const near = closest(name, known);
  if (distance(name, near) <= Math.ceil(near.length / 3)) return `; did you mean '${near}'?`;
  return `; there are: ${known.slice(0, SHOWN_NAMES).join(', ')}${known.length > SHOWN_NAMES ? ', …' : ''}`;
}

function shortened(name: string): string {
  return name.length > 64 ? `${name.slice(0, 64)}…` : name;
}

function done(message: string, warnings: readonly string[], data: object) {
  return { success: true, message, data, ...(warnings.length > 0 && { warnings }) };
}
