/** Which versions of a model answer what, and keys of a model that contradict each other. */
import type { ParsedModel } from './app-schema.js';
import { didYouMean, nearest } from './nearest.js';
import type { Report } from './report.js';
import type { ModelVersion, VersionPolicy } from './types.js';
import { servedVersions, usualVersion, versionWeights } from './versions.js';

type Path = readonly string[];

export function resolveServing(
  at: Path,
  versions: readonly ModelVersion[],
  { default: wanted, version_policy: versionPolicy }: ParsedModel,
  report: Report,
): { defaultVersion: string; versionPolicy: VersionPolicy } {
  const names = versions.map(({ version }) => version);
  const unknown = (name: string, path: Path) =>
    `names no version${report.isSecret(path) ? '' : didYouMean(nearest(name, names))}; there are: ${names.join(', ')}`;
  const defaultPath = [...at, 'default'];
  if (wanted !== undefined && !names.includes(wanted)) report.problem(defaultPath, unknown(wanted, defaultPath));
  if (versionPolicy.kind === 'listed')
    for (const [index, name] of versionPolicy.versions.entries()) {
      const path = [...at, 'version_policy', String(index)];
      if (!names.includes(name)) report.problem(path, unknown(name, path));
    }
  const served = servedVersions(versions, versionPolicy);
  if (wanted !== undefined && names.includes(wanted) && !served.some(({ version }) => version === wanted))
    report.problem(defaultPath, 'is not served: `version_policy` leaves it out');
  const defaultVersion = wanted ?? usualVersion(served) ?? names.at(-1)!;
  checkWeights([...at, 'versions'], served, defaultVersion, report);
  return { defaultVersion, versionPolicy };
}

function checkWeights(at: Path, served: readonly ModelVersion[], defaultVersion: string, report: Report): void {
  const weights = versionWeights({ versions: served, defaultVersion });
  if (weights === null) return;
  const isUnsaid = served.some(({ version, weight }) => version === defaultVersion && weight === null);
  if ([...weights.values()].every((weight) => weight === 0))
    report.problem(at, 'no served version has a `weight` above 0: requests that name none would go nowhere');
  else if (isUnsaid && weights.get(defaultVersion) === 0)
    report.warning(
      at,
      `the weights of the other versions leave nothing of 100 for \`${defaultVersion}\`, the default: give it one too`,
    );
}

export function checkModel(
  at: Path,
  { batching, scale, routing, isolation, thread_host: threadHost }: ParsedModel,
  workers: { min: number; max: number },
  report: Report,
): void {
  if (batching.preferred.some((size) => size > batching.maxSize))
    report.problem(
      [...at, 'batching', 'preferred'],
      'has a size above `batching.max_size`: raise that, or leave the size out',
    );
  if (scale.toZeroAfterMs !== null && workers.min > 0)
    report.problem(
      [...at, 'scale', 'to_zero_after'],
      `needs a model that may have no worker: write \`workers: { min: 0, max: ${workers.max} }\``,
      'key',
    );
  if (threadHost !== null && isolation !== 'thread')
    report.problem([...at, 'thread_host'], 'is for models with `isolation: thread`: set that, or leave it out', 'key');
  const key = [...at, 'routing', 'key'];
  if (report.has(key) && routing.strategy !== 'consistent_hash')
    report.warning(key, 'has no effect: only `strategy: consistent_hash` looks at it');
}
