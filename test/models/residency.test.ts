import { describe, expect, it } from 'vitest';
import { STANDARD_BOX } from '../../src/config/schema.js';
import type { Model } from '../../src/models/model.js';
import { residencyMs, youngForMs } from '../../src/models/residency.js';

function model(loadedAt: number | null, toZeroAfterMs: number | null = null, standby = false): Model {
  return { loadedAt, standby, config: { scale: { toZeroAfterMs } } } as unknown as Model;
}

function settings(minResidencyMs: number, ttlMs: number | null = null) {
  const { models, unloading } = STANDARD_BOX;
  return { models: { ...models, ttlMs }, unloading: { ...unloading, minResidencyMs } };
}

describe('a model that was loaded', () => {
  it('is young until it has stayed for long enough', () => {
    expect([1000, 30_000, 61_000, 99_000].map((now) => youngForMs(model(1000), settings(60_000), now))).toEqual([
      60_000, 31_000, 0, 0,
    ]);
  });

  it('is young for the whole time while it still loads', () => {
    expect(youngForMs(model(null), settings(60_000), 5)).toBe(60_000);
  });

  it('need not stay longer than its own clock lets it', () => {
    expect(residencyMs(model(0, 2000), settings(60_000))).toBe(2000);
    expect(residencyMs(model(0), settings(60_000, 3000))).toBe(3000);
    expect(residencyMs(model(0, 90_000), settings(60_000, 80_000))).toBe(60_000);
  });

  it('has no time to stay that was loaded on a chance which did not come', () => {
    expect(youngForMs(model(0, null, true), settings(60_000), 1)).toBe(0);
  });
});
