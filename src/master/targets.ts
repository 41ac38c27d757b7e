import type { App } from '../apps/app.js';
import { SupError } from '../errors.js';

/** What a target names: an app, one of its versions, or one worker. */
export interface Selection {
  app: App;
  version: string | undefined;
  worker: string | null;
}

/**
 * Target: an app, `app@version`, a worker (`web/3`, `intents@v1/2`), a namespace, `/regex/` or `all`. A name wins over a namespace.
 * @throws SupError SUP_NO_SUCH_TARGET, naming what there is; SUP_BAD_REQUEST for a regular expression that does not compile
 */
export function selectTargets(apps: readonly App[], target: string): Selection[] {
  const whole = (app: App): Selection => ({ app, version: undefined, worker: null });
  if (target === 'all') return apps.map(whole);
  const byName = apps.find((app) => app.name === target);
  if (byName) return [whole(byName)];
  if (target.length > 2 && target.startsWith('/') && target.endsWith('/')) {
    const pattern = compile(target.slice(1, -1));
    return found(apps.filter((app) => pattern.test(app.name)).map(whole), apps, target);
  }
  const inNamespace = apps.filter((app) => app.config.namespace === target);
  if (inNamespace.length > 0) return inNamespace.map(whole);
  const [, name, version, number] = /^([^@/]+)(?:@([^@/]+))?(?:\/(\d+))?$/.exec(target) ?? [];
  const app = apps.find((each) => each.name === name);
  if (!app) return found([], apps, target);
  if (version !== undefined && !app.pools.has(version)) throw noVersion(app, version, target);
  if (number === undefined) return found([{ app, version, worker: null }], apps, target);
  const pool = app.pools.get(version ?? null);
  const worker = pool?.workers.find((each) => each.id === target);
  return found(worker ? [{ app, version, worker: worker.id }] : [], apps, target);
}

function found(selections: Selection[], apps: readonly App[], target: string): Selection[] {
  if (selections.length > 0) return selections;
  const names = apps.map((app) => app.name);
  const there =
    names.length > 0
      ? `; there are: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`
      : '; no app is configured';
  throw new SupError('SUP_NO_SUCH_TARGET', `no app, worker or namespace '${target}'${there}`, { target });
}

function noVersion({ name, pools }: App, version: string, target: string): SupError {
  const versions = [...pools.keys()].filter((each) => each !== null);
  const there = versions.length > 0 ? `no version '${version}'; there are: ${versions.join(', ')}` : 'no versions';
  return new SupError('SUP_NO_SUCH_TARGET', `${name} has ${there}`, { target });
}

function compile(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new SupError('SUP_BAD_REQUEST', `/${source}/ is no regular expression: ${(error as Error).message}`);
  }
}
