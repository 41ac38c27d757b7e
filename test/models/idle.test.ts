import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { type ModelsConfig, STANDARD_BOX, type UnloadingConfig } from '../../src/config/schema.js';
import { Idle } from '../../src/models/idle.js';
import type { Model } from '../../src/models/model.js';
import { IdleHistory } from '../../src/policy/keepalive.js';
import type { PressureLevel } from '../../src/policy/pressure.js';

const MINUTE = 60_000;
const MIB = 1024 ** 2;

/** One model, loaded or not, whose requests are over in no time. */
class Rig {
  readonly clock = new ManualClock();
  readonly acts: string[] = [];
  readonly said: string[] = [];
  models: ModelsConfig = STANDARD_BOX.models;
  unloading: UnloadingConfig = STANDARD_BOX.unloading;
  pressure: PressureLevel = 'low';
  readonly history = new IdleHistory();
  loaded = true;
  onDemand = true;
  toZeroAfterMs: number | null = null;
  loadedAt = 0;
  #usedAt: number | null = null;
  readonly idle = new Idle({
    clock: this.clock,
    config: () => ({ models: this.models, unloading: this.unloading }),
    pressure: () => this.pressure,
    decided: (_subject, policy, { reason }) => this.said.push(`${policy}: ${reason}`),
    unload: (_model, reason) => {
      this.loaded = false;
      this.acts.push(`unload: ${reason}`);
    },
    load: () => {
      this.load();
      this.acts.push('load');
    },
  });

  get model(): Model {
    const since = () => Math.max(this.#usedAt ?? 0, this.loadedAt);
    return {
      name: 'm@v1',
      onDemand: this.onDemand,
      unloading: null,
      loaded: this.loaded,
      isReady: this.loaded,
      loadedAt: this.loaded ? this.loadedAt : null,
      loadSeconds: 5,
      size: { bytes: 200 * MIB, gpuBytes: null },
      history: this.history,
      pool: { phase: 'running' },
      config: { scale: { toZeroAfterMs: this.toZeroAfterMs } },
      idleMs: (now: number) => now - since(),
      unusedMs: (now: number) => (this.#usedAt === null ? null : now - this.#usedAt),
    } as unknown as Model;
  }

  load(): void {
    this.loaded = true;
    this.loadedAt = this.clock.now();
  }

  request(): void {
    const now = this.clock.now();
    this.history.used(this.#usedAt === null ? null : now - this.#usedAt, this.clock.wall());
    this.#usedAt = now;
    if (!this.loaded) this.load();
  }

  /** A tick each second. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      this.clock.advance(1000);
      this.idle.tick([this.sighted()]);
    }
  }

  private identity: Model | null = null;

  /** One object for its life, since windows are kept by it. */
  private sighted(): Model {
    const now = this.model;
    if (this.identity) return Object.assign(this.identity, now);
    this.identity = now;
    return now;
  }
}

/** So many requests at these distances, kept loaded meanwhile. */
function live(rig: Rig, gapMs: number, count: number): void {
  const { unloading } = rig;
  rig.unloading = { ...unloading, enabled: false };
  for (let i = 0; i < count; i++) {
    rig.request();
    rig.pass(gapMs);
  }
  rig.unloading = unloading;
  rig.acts.length = 0;
}

describe('an idle model', () => {
  it('goes after its strategy’s time as long as nothing is learned', () => {
    const rig = new Rig();
    rig.request();
    rig.pass(15 * MINUTE - 1000);
    expect(rig.acts).toEqual([]);
    rig.pass(1000);
    expect(rig.acts).toEqual([expect.stringMatching(/^unload: .*strategy/)]);
    expect(rig.idle.describe(rig.model)).toMatchObject({ keep_seconds: 900, basis: 'strategy' });
  });

  it('goes exactly by to_zero_after, and at the latest by ttl', () => {
    const exact = new Rig();
    exact.toZeroAfterMs = 5000;
    exact.request();
    exact.pass(4000);
    expect(exact.acts).toEqual([]);
    exact.pass(1000);
    expect(exact.acts).toEqual([expect.stringContaining('to_zero_after')]);

    const capped = new Rig();
    capped.models = { ...capped.models, ttlMs: 60_000 };
    capped.request();
    expect(capped.idle.describe(capped.model)).toMatchObject({ keep_seconds: 60, basis: 'ttl' });
    capped.pass(MINUTE);
    expect(capped.acts).toEqual([expect.stringContaining('ttl')]);
  });

  it('stays where unloading is off, where it is always loaded, and while it has hardly come', () => {
    const off = new Rig();
    off.unloading = { ...off.unloading, enabled: false };
    const pinned = new Rig();
    pinned.onDemand = false;
    for (const rig of [off, pinned]) {
      rig.request();
      rig.pass(60 * MINUTE);
      expect(rig.acts).toEqual([]);
      expect(rig.idle.describe(rig.model)).toBeNull();
    }
  });

  it('learns nothing from bursts: a crowd of requests in the first minutes does not make it go sooner', () => {
    const rig = new Rig();
    for (let i = 0; i < 100; i++) {
      rig.request();
      rig.pass(2000);
    }
    rig.pass(14 * MINUTE);
    expect(rig.acts).toEqual([]);
  });

  it('goes sooner than the strategy says where its requests come close together, and stays longer where they come late', () => {
    const close = new Rig();
    live(close, 20_000, 400);
    close.request();
    close.pass(14 * MINUTE);
    expect(close.acts).toEqual([expect.stringMatching(/^unload: /)]);

    const late = new Rig();
    late.unloading = { ...late.unloading, strategy: 'aggressive' };
    live(late, 8 * MINUTE, 40);
    late.request();
    late.pass(6 * MINUTE);
    const { keep_seconds: keep = 0, basis } = late.idle.describe(late.model) ?? {};
    expect(basis).toBe('learned');
    expect(late.loaded || (late.idle.describe(late.model)?.prewarm_seconds ?? 0) > 0).toBe(true);
    expect(keep).not.toBe(300);
  });

  it('is dearer under pressure', () => {
    const rig = new Rig();
    const calm = rig.idle.describe(rig.model)?.price as number;
    rig.pressure = 'critical';
    expect(rig.idle.describe(rig.model)?.price).toBeGreaterThan(calm);
  });

  it('that is called by the clock is loaded before it is called', () => {
    const rig = new Rig();
    live(rig, 30 * MINUTE, 60);
    rig.request();
    rig.pass(30 * MINUTE - 1000);
    expect(rig.acts.at(-1)).toBe('load');
    expect(rig.loaded).toBe(true);
  });

  it('with forecast_only goes by the strategy, and what the forecast would have done is said once', () => {
    const rig = new Rig();
    rig.models = { ...rig.models, predictive: { ...rig.models.predictive, forecastOnly: true } };
    live(rig, 20_000, 400);
    rig.said.length = 0;
    rig.request();
    rig.pass(14 * MINUTE);
    expect(rig.acts).toEqual([]);
    expect(new Set(rig.said.filter((text) => text.includes('would unload'))).size).toBe(1);
    rig.pass(2 * MINUTE);
    expect(rig.acts).toEqual([expect.stringContaining('strategy')]);
  });
});
