import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { STANDARD_BOX, type UnloadingConfig } from '../../src/config/schema.js';
import { Exchanges } from '../../src/models/exchanges.js';
import type { Model } from '../../src/models/model.js';
import { Strategies } from '../../src/models/strategies.js';
import { IdleHistory } from '../../src/policy/keepalive.js';
import type { LoadedModel, LoadFacts } from '../../src/policy/load.js';
import type { PressureLevel } from '../../src/policy/pressure.js';

const HOUR = 3_600_000;
const MIB = 1024 ** 2;

/** A box of 100 MiB with `old` in it, while `new` is likely to be used soon. */
class Scene {
  readonly clock = new ManualClock();
  config = { models: STANDARD_BOX.models, unloading: STANDARD_BOX.unloading };
  pressure: PressureLevel = 'low';
  readonly acts: string[] = [];
  readonly old = this.#model('old', true);
  readonly newcomer = this.#model('new', false);
  given: Partial<LoadFacts> = {};
  oldGiven: Partial<LoadedModel> = {};
  loading = false;
  readonly exchanges = new Exchanges({
    clock: this.clock,
    config: () => this.config,
    strategies: new Strategies(() => {}),
    pressure: () => this.pressure,
    facts: () => this.#facts(),
    newcomer: ({ name }) => ({ name, size: { bytes: 100 * MIB, gpuBytes: null }, loadValue: 10, isTime: () => true }),
    isLoading: () => this.loading,
    decided: (subject, policy, { action }) => this.acts.push(`${policy}: ${action} ${subject}`),
    unload: ({ name }, reason) => {
      this.acts.push(`unload ${name}: ${reason}`);
      this.given = { ...this.given, others: [], coming: { bytes: 100 * MIB, gpuBytes: null } };
    },
    load: ({ name }) => {
      this.acts.push(`load ${name}`);
      this.loading = true;
    },
  });

  tick(ms = 0): string[] {
    this.clock.advance(ms);
    this.exchanges.tick([this.old, this.newcomer]);
    return this.acts.splice(0);
  }

  unloading(given: Partial<UnloadingConfig>): void {
    this.config = { ...this.config, unloading: { ...this.config.unloading, ...given } };
  }

  #model(name: string, loaded: boolean): Model {
    const history = new IdleHistory();
    history.used(null, this.clock.wall() - 2 * HOUR);
    return {
      name,
      history,
      loaded,
      onDemand: true,
      pool: { phase: 'running' },
      unloading: null,
      unloaded: null,
      failure: null,
      unload: { strategy: null, preference: null },
      config: { unload: { requires: [] } },
      size: { bytes: 100 * MIB, gpuBytes: null },
    } as unknown as Model;
  }

  #facts(): LoadFacts {
    const old: LoadedModel = {
      name: 'old',
      size: { bytes: 100 * MIB, gpuBytes: null },
      onDemand: true,
      kept: false,
      evict: false,
      idle: true,
      keepValue: 1,
      standby: false,
      youngForMs: 0,
      required: false,
      neededBy: [],
      follows: false,
      ...this.oldGiven,
    };
    return {
      cause: 'forecast',
      onDemand: true,
      need: { bytes: 100 * MIB, gpuBytes: null },
      least: { bytes: 100 * MIB, gpuBytes: null },
      room: { bytes: 0, gpuBytes: null },
      coming: { bytes: 0, gpuBytes: null },
      unknown: 0,
      brings: 0,
      leaving: 0,
      standbyRoom: 0,
      loading: 0,
      concurrentLoads: 2,
      maxLoaded: null,
      others: [old],
      ...this.given,
    };
  }
}

describe('Exchanges', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });

  it('lets one go for another, which is loaded once the memory is back', () => {
    expect(scene.tick()).toEqual(['exchange: load new', 'unload old: it makes room for new, which is worth more']);
    expect(scene.tick(500)).toEqual([]);
    scene.given = { others: [], room: { bytes: 100 * MIB, gpuBytes: null } };
    expect(scene.tick(500)).toEqual(['load new']);
    expect(scene.tick(10_000)).toEqual([]);
  });

  it('gives up where the memory does not come back', () => {
    scene.tick();
    scene.given = { others: [], coming: { bytes: 100 * MIB, gpuBytes: null } };
    expect(scene.tick(11_000)).toEqual([]);
    scene.given = { others: [], coming: { bytes: 0, gpuBytes: null } };
    expect(scene.tick(500)).toEqual([]);
  });

  it('looks each 10 s', () => {
    scene.oldGiven = { keepValue: 9 };
    expect(scene.tick()).toEqual([]);
    scene.oldGiven = {};
    expect(scene.tick(9999)).toEqual([]);
    expect(scene.tick(1)).not.toEqual([]);
  });

  it('takes free room only below the pressure at which models go', () => {
    scene.given = { others: [], room: { bytes: 200 * MIB, gpuBytes: null }, standbyRoom: 99 * MIB };
    expect(scene.tick()).toEqual([]);
    scene.given = { ...scene.given, standbyRoom: 100 * MIB };
    expect(scene.tick(10_000)).toEqual(['exchange: load new', 'load new']);
  });

  it.each<[string, (scene: Scene) => void]>([
    ['pinned', ({ oldGiven }) => Object.assign(oldGiven, { kept: true })],
    ['busy', ({ oldGiven }) => Object.assign(oldGiven, { idle: false })],
    ['too young', ({ oldGiven }) => Object.assign(oldGiven, { youngForMs: 1 })],
    ['needed', ({ oldGiven }) => Object.assign(oldGiven, { neededBy: ['other'] })],
    ['always loaded', ({ oldGiven }) => Object.assign(oldGiven, { onDemand: false })],
  ])('lets nobody go that is %s', (_, change) => {
    change(scene);
    expect(scene.tick()).toEqual([]);
  });

  it.each<[string, Partial<Record<keyof Model, unknown>>]>([
    ['was unloaded by hand', { unloaded: { at: -HOUR, cause: 'manual' } }],
    ['has only just gone', { unloaded: { at: 0, cause: 'room' } }],
    ['failed to load', { failure: {} }],
    ['is loaded always', { onDemand: false }],
    ['is to go first', { unload: { strategy: null, preference: 'evict' } }],
    ['requires others', { config: { unload: { requires: ['other'] } } }],
    ['was never measured', { size: { bytes: null, gpuBytes: null } }],
    ['has only been known for minutes', { history: new IdleHistory() }],
    ['is on its way out', { unloading: Promise.resolve() }],
  ])('loads nobody who %s', (_, given) => {
    Object.assign(scene.newcomer, given);
    expect(scene.tick()).toEqual([]);
  });

  it.each<[string, (scene: Scene) => void]>([
    ['pressure is high', (given) => Object.assign(given, { pressure: 'high' })],
    ['unloading is off', (given) => given.unloading({ enabled: false })],
    ['models go in another order', (given) => given.unloading({ order: 'lru' })],
    ['others load', ({ given }) => Object.assign(given, { loading: 1 })],
  ])('does nothing while %s', (_, change) => {
    change(scene);
    expect(scene.tick()).toEqual([]);
  });

  it('does nothing where forecasts are only foretold', () => {
    const { models, unloading } = scene.config;
    scene.config = { models: { ...models, predictive: { ...models.predictive, forecastOnly: true } }, unloading };
    expect(scene.tick()).toEqual([]);
  });
});
