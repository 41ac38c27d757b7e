import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelVersion } from '../../src/config/types.js';
import { servedVersions, usualVersion, versionWeights } from '../../src/config/versions.js';

function named(version: string, weight: number | null = null): ModelVersion {
  return {
    version,
    module: `/models/${version}.mjs`,
    options: {},
    weight,
    unload: { strategy: null, preference: null },
  };
}

const names = (versions: readonly ModelVersion[]) => versions.map(({ version }) => version);

describe('servedVersions', () => {
  const FILE = ['v9', 'v10', 'v1', 'canary'].map((version) => named(version));

  it('serves all of them in the order of the file', () => {
    expect(names(servedVersions(FILE, { kind: 'all' }))).toEqual(['v9', 'v10', 'v1', 'canary']);
  });

  it('serves those that are listed, in the order of the file and not of the list', () => {
    expect(names(servedVersions(FILE, { kind: 'listed', versions: ['v1', 'v9', 'gone'] }))).toEqual(['v9', 'v1']);
  });

  it.each([
    [1, ['v10']],
    [2, ['v9', 'v10']],
    [3, ['v9', 'v10', 'v1']],
    [9, ['v9', 'v10', 'v1', 'canary']],
  ])('latest %i goes by the numbers in the names', (count, expected) => {
    expect(names(servedVersions(FILE, { kind: 'latest', count }))).toEqual(expected);
  });

  it.each([
    [['2024-12-01', '2025-01-01'], '2025-01-01'],
    [['1.10.0', '1.9.9'], '1.10.0'],
    [['2', '10'], '10'],
  ])('the latest of %j is %s', (versions, latest) => {
    const found = servedVersions(
      versions.map((version) => named(version)),
      { kind: 'latest', count: 1 },
    );
    expect(names(found)).toEqual([latest]);
  });
});

describe('versionWeights', () => {
  const weights = (versions: readonly ModelVersion[], defaultVersion: string) =>
    Object.fromEntries(versionWeights({ versions, defaultVersion }) ?? [['none', -1]]);

  it('says nothing where no version has one', () => {
    expect(versionWeights({ versions: [named('v1'), named('v2')], defaultVersion: 'v2' })).toBeNull();
  });

  it('leaves the rest of 100 to a default version that has none', () => {
    expect(weights([named('v1'), named('v2', 10), named('v3', 2.5)], 'v1')).toEqual({ v1: 87.5, v2: 10, v3: 2.5 });
  });

  it('leaves nothing to any other version that has none', () => {
    expect(weights([named('v1'), named('v2', 10), named('v3')], 'v1')).toEqual({ v1: 90, v2: 10, v3: 0 });
    expect(weights([named('v1', 3), named('v2', 1), named('v3')], 'v1')).toEqual({ v1: 3, v2: 1, v3: 0 });
  });

  it('never is below 0', () => {
    expect(weights([named('v1'), named('v2', 99), named('v3', 9)], 'v1')).toEqual({ v1: 0, v2: 99, v3: 9 });
  });

  it('keeps every weight that is given, and makes 100 of them where the default has none', () => {
    const given = fc.array(fc.option(fc.integer({ min: 0, max: 40 }), { nil: null }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(given, fc.nat(), (list, pick) => {
        const versions = list.map((weight, index) => named(`v${index}`, weight));
        const defaultVersion = `v${pick % list.length}`;
        const found = versionWeights({ versions, defaultVersion });
        if (list.every((weight) => weight === null)) return found === null;
        for (const { version, weight } of versions) {
          if (weight !== null) expect(found?.get(version)).toBe(weight);
          else if (version !== defaultVersion) expect(found?.get(version)).toBe(0);
        }
        const others = versions.filter(({ version }) => version !== defaultVersion);
        const sum = others.reduce((total, { weight }) => total + (weight ?? 0), 0);
        if (list[pick % list.length] === null) expect(found?.get(defaultVersion)).toBe(Math.max(0, 100 - sum));
        return true;
      }),
    );
  });
});

describe('usualVersion', () => {
  it('is the last one, or with weights the last one without, or the heaviest', () => {
    expect(usualVersion([named('v1'), named('v2')])).toBe('v2');
    expect(usualVersion([named('v1'), named('v2', 10)])).toBe('v1');
    expect(usualVersion([named('v1', 60), named('v2', 40)])).toBe('v1');
    expect(usualVersion([named('v1', 5), named('v2', 5)])).toBe('v2');
    expect(usualVersion([])).toBeNull();
  });
});
