/** What a changed configuration asks of an app that is running. */
import { isDeepStrictEqual } from 'node:util';
import type {
  AppConfig,
  CommandAppConfig,
  CommonAppConfig,
  HttpAppConfig,
  ModelAppConfig,
  ModelVersion,
} from './types.js';

/**
 * `versions`: new workers for those versions whose code changed; others come and go, weights change, and the rest stays as it is. `generation`: new workers
 * for all, one after the other. `new-pool`: a whole new pool beside the old one, then a switch.
 */
export type AppChange = 'same' | 'in-place' | 'versions' | 'generation' | 'new-pool';

const WEIGHT: readonly AppChange[] = ['same', 'in-place', 'versions', 'generation', 'new-pool'];

type Effects<T> = { readonly [K in Exclude<keyof T, 'kind'>]: Exclude<AppChange, 'same'> };

// One row for each key: a key that is added to a configuration without a row here does not compile.
const COMMON: Effects<CommonAppConfig> = {
  name: 'new-pool',
  namespace: 'in-place',
  workers: 'in-place',
  env: 'generation',
  cwd: 'generation',
  args: 'generation',
  nodeArgs: 'generation',
  ready: 'in-place',
  stop: 'in-place',
  restart: 'in-place',
  recycle: 'in-place',
  leak: 'in-place',
  limits: 'in-place',
  health: 'in-place',
  log: 'in-place',
  dependsOn: 'in-place',
};

const MODEL: Effects<ModelAppConfig> = {
  ...COMMON,
  versions: 'versions',
  defaultVersion: 'versions',
  versionPolicy: 'versions',
  routing: 'in-place',
  unload: 'in-place',
  isolation: 'new-pool',
  threadHost: 'generation',
  concurrency: 'in-place',
  timeoutMs: 'in-place',
  batching: 'in-place',
  queue: 'in-place',
  idempotent: 'in-place',
  scale: 'in-place',
};

const HTTP: Effects<HttpAppConfig> = {
  ...COMMON,
  runs: 'generation',
  host: 'new-pool',
  port: 'new-pool',
  scale: 'in-place',
};

const COMMAND: Effects<CommandAppConfig> = { ...COMMON, command: 'generation', overlap: 'in-place' };
const EFFECTS = { model: MODEL, http: HTTP, command: COMMAND } as const;

/** The heaviest of what all changed keys ask for. */
export function diffApp(before: AppConfig, after: AppConfig): AppChange {
  if (before.kind !== after.kind) return 'new-pool';
  const old = new Map<string, unknown>(Object.entries(before));
  const effects = new Map<string, AppChange>(Object.entries(EFFECTS[after.kind]));
  const changes = Object.entries(after).map(([key, value]): AppChange => {
    const effect = effects.get(key) ?? 'same';
    if (isDeepStrictEqual(old.get(key), value)) return 'same';
    return isBuiltIn(key, before, after) ? 'generation' : effect;
  });
  return changes.reduce(
    (heaviest, change) => (WEIGHT.indexOf(change) > WEIGHT.indexOf(heaviest) ? change : heaviest),
    'same',
  );
}

/** Whether an app can take a change while all of its workers go on, and none comes or goes with its version. */
export function isInPlace(before: AppConfig, after: AppConfig): boolean {
  const change = diffApp(before, after);
  if (change !== 'versions') return change === 'same' || change === 'in-place';
  if (before.kind !== 'model' || after.kind !== 'model') return false;
  const names = (app: ModelAppConfig) => app.versions.map(({ version }) => version);
  return (
    changedVersions(before, after).size === 0 &&
    isDeepStrictEqual(names(before), names(after)) &&
    isDeepStrictEqual(before.versionPolicy, after.versionPolicy)
  );
}

/** Parts of policies that a worker is started with, and that the master can't change from outside. */
function isBuiltIn(key: string, before: AppConfig, after: AppConfig): boolean {
  switch (key) {
    case 'ready':
      return !isDeepStrictEqual(before.ready.probe, after.ready.probe);
    case 'recycle':
      return after.kind === 'http' && !isDeepStrictEqual(before.recycle.userKey, after.recycle.userKey);
    case 'limits':
      return before.limits.heapBytes !== after.limits.heapBytes;
    case 'concurrency':
      return after.kind === 'model' && after.isolation === 'thread';
    default:
      return false;
  }
}

/** The versions of both that run other code, or the same with other options. */
export function changedVersions(before: AppConfig, after: AppConfig): Set<string> {
  if (before.kind !== 'model' || after.kind !== 'model') return new Set();
  const old = byName(before.versions);
  const changed = after.versions.filter((next) => {
    const former = old.get(next.version);
    return former !== undefined && !isDeepStrictEqual(codeOf(former), codeOf(next));
  });
  return new Set(changed.map(({ version }) => version));
}

function codeOf({ module, options }: ModelVersion) {
  return { module, options };
}

function byName(versions: readonly ModelVersion[]): Map<string, ModelVersion> {
  return new Map(versions.map((version) => [version.version, version]));
}
