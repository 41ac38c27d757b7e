/** Which versions of a model are served, and in which shares requests that name none reach them. */
import type { ModelVersion, VersionPolicy } from './types.js';

const NATURAL = new Intl.Collator('en', { numeric: true });

/** Those that the policy wants, in the order of the file. `latest` goes by name: v10 is later than v9. */
export function servedVersions(versions: readonly ModelVersion[], policy: VersionPolicy): ModelVersion[] {
  switch (policy.kind) {
    case 'all':
      return [...versions];
    case 'listed':
      return versions.filter(({ version }) => policy.versions.includes(version));
    case 'latest': {
      const latest = versions.toSorted((a, b) => NATURAL.compare(a.version, b.version)).slice(-policy.count);
      return versions.filter((version) => latest.includes(version));
    }
  }
}

/**
 * Shares of the requests that name no version; null where no weight is given and the default version takes all. A default
 * version without a weight of its own takes what the others leave of 100.
 */
export function versionWeights({
  versions,
  defaultVersion,
}: {
  versions: readonly ModelVersion[];
  defaultVersion: string;
}): Map<string, number> | null {
  if (versions.every(({ weight }) => weight === null)) return null;
  const weights = new Map(versions.map(({ version, weight }) => [version, weight ?? 0]));
  const fallback = versions.find(({ version }) => version === defaultVersion);
  if (fallback?.weight === null) {
    const others = [...weights.values()].reduce((sum, value) => sum + value, 0);
    weights.set(defaultVersion, Math.max(0, 100 - others));
  }
  return weights;
}

/**
 * Which one is the default where nobody says so: the last one, which is where a new version is usually added. One with a weight is on
 * trial beside those without: then it is the last of them, or the heaviest where each has a weight.
 */
export function usualVersion(versions: readonly ModelVersion[]): string | null {
  const open = versions.filter(({ weight }) => weight === null);
  if (open.length > 0) return open.at(-1)!.version;
  const byWeight = versions.toSorted((a, b) => (a.weight as number) - (b.weight as number));
  return byWeight.at(-1)?.version ?? null;
}
