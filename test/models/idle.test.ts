import { describe, expect, it } from 'vitest';
import { IdleModel } from '../support/idle-model.js';

const MINUTE = 60_000;

/** So many requests at these distances, kept loaded meanwhile. */
function live(rig: IdleModel, gapMs: number, count: number): void {
  const { unloading } = rig.box;
  rig.box.unloading = { ...unloading, enabled: false };
  for (let i = 0; i < count; i++) {
    rig.request();
    rig.box.pass(gapMs);
  }
  rig.box.unloading = unloading;
  rig.box.acts.length = 0;
}

describe('an idle model', () => {
  it('goes after its strategy’s time as long as nothing is learned', () => {
    const rig = new IdleModel();
    rig.request();
    rig.box.pass(15 * MINUTE - 1000);
    expect(rig.box.acts).toEqual([]);
    rig.box.pass(1000);
    expect(rig.box.acts).toEqual([expect.stringMatching(/^unload: .*strategy/)]);
    expect(rig.box.idle.describe(rig.model)).toMatchObject({ keep_seconds: 900, basis: 'strategy' });
  });

  it('goes exactly by to_zero_after, and at the latest by ttl', () => {
    const exact = new IdleModel();
    exact.toZeroAfterMs = 5000;
    exact.request();
    exact.box.pass(4000);
    expect(exact.box.acts).toEqual([]);
    exact.box.pass(1000);
    expect(exact.box.acts).toEqual([expect.stringContaining('to_zero_after')]);

    const capped = new IdleModel();
    capped.box.models = { ...capped.box.models, ttlMs: 60_000 };
    capped.request();
    expect(capped.box.idle.describe(capped.model)).toMatchObject({ keep_seconds: 60, basis: 'ttl' });
    capped.box.pass(MINUTE);
    expect(capped.box.acts).toEqual([expect.stringContaining('ttl')]);
  });

  it('stays where unloading is off, where it is always loaded, and while it has hardly come', () => {
    const off = new IdleModel();
    off.box.unloading = { ...off.box.unloading, enabled: false };
    const pinned = new IdleModel();
    pinned.onDemand = false;
    for (const rig of [off, pinned]) {
      rig.request();
      rig.box.pass(60 * MINUTE);
      expect(rig.box.acts).toEqual([]);
      expect(rig.box.idle.describe(rig.model)).toBeNull();
    }
  });

  it('learns nothing from bursts: a crowd of requests in the first minutes does not make it go sooner', () => {
    const rig = new IdleModel();
    for (let i = 0; i < 100; i++) {
      rig.request();
      rig.box.pass(2000);
    }
    rig.box.pass(14 * MINUTE);
    expect(rig.box.acts).toEqual([]);
  });

  it('goes sooner than the strategy says where its requests come close together, and stays longer where they come late', () => {
    const close = new IdleModel();
    live(close, 20_000, 400);
    close.request();
    close.box.pass(14 * MINUTE);
    expect(close.box.acts).toEqual([expect.stringMatching(/^unload: /)]);

    const late = new IdleModel();
    late.box.unloading = { ...late.box.unloading, strategy: 'aggressive' };
    live(late, 8 * MINUTE, 40);
    late.request();
    late.box.pass(6 * MINUTE);
    const { keep_seconds: keep = 0, basis } = late.box.idle.describe(late.model) ?? {};
    expect(basis).toBe('learned');
    expect(late.loaded || (late.box.idle.describe(late.model)?.prewarm_seconds ?? 0) > 0).toBe(true);
    expect(keep).not.toBe(300);
  });

  it('is dearer under pressure', () => {
    const rig = new IdleModel();
    const calm = rig.box.idle.describe(rig.model)?.price as number;
    rig.box.pressure = 'critical';
    expect(rig.box.idle.describe(rig.model)?.price).toBeGreaterThan(calm);
  });

  it('that is called by the clock is loaded before it is called', () => {
    const rig = new IdleModel();
    live(rig, 30 * MINUTE, 60);
    rig.request();
    rig.box.pass(30 * MINUTE - 1000);
    expect(rig.box.acts.at(-1)).toBe('load');
    expect(rig.loaded).toBe(true);
  });

  it('with forecast_only goes by the strategy, and what the forecast would have done is said once', () => {
    const rig = new IdleModel();
    rig.box.models = { ...rig.box.models, predictive: { ...rig.box.models.predictive, forecastOnly: true } };
    live(rig, 20_000, 400);
    rig.box.said.length = 0;
    rig.request();
    rig.box.pass(14 * MINUTE);
    expect(rig.box.acts).toEqual([]);
    expect(new Set(rig.box.said.filter((text) => text.includes('would unload'))).size).toBe(1);
    rig.box.pass(2 * MINUTE);
    expect(rig.box.acts).toEqual([expect.stringContaining('strategy')]);
  });
});
