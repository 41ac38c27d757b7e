import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/schema.js';
import { STANDARD_BOX } from '../../src/config/schema.js';
import { rulingConfig } from '../../src/master/ruling-config.js';

function config(file: string, memoryBytes: number | null = null): Config {
  return { ...STANDARD_BOX, limits: { ...STANDARD_BOX.limits, memoryBytes }, file } as Config;
}

const rule = (...configs: Config[]) => {
  const { ruling, warnings } = rulingConfig(configs, STANDARD_BOX);
  return [ruling?.file ?? null, warnings.length];
};

describe('the file that speaks for the box', () => {
  it('is the only one, or none', () => {
    expect(rule()).toEqual([null, 0]);
    expect(rule(config('a'))).toEqual(['a', 0]);
    expect(rule(config('a', 1e9))).toEqual(['a', 0]);
  });

  it('is not one that says nothing, wherever it stands', () => {
    expect(rule(config('plain'), config('a', 1e9))).toEqual(['a', 0]);
    expect(rule(config('a', 1e9), config('plain'))).toEqual(['a', 0]);
  });

  it('is the first of several, and the others are warned about where they differ', () => {
    expect(rule(config('a', 1e9), config('b', 2e9))).toEqual(['a', 1]);
    expect(rule(config('a', 1e9), config('b', 1e9))).toEqual(['a', 0]);
    const { warnings } = rulingConfig([config('a', 1e9), config('b', 2e9)], STANDARD_BOX);
    expect(warnings[0]).toMatch(/^b: .*while a is in force/);
  });
});
