import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { STANDARD_BOX } from '../../src/config/schema.js';
import { SupError } from '../../src/errors.js';
import { Loads } from '../../src/models/loads.js';
import { MemoryLedger } from '../../src/models/memory-ledger.js';
import type { Model } from '../../src/models/model.js';
import type { LoadCause } from '../../src/policy/load.js';
import { turn } from '../support/fake-pool.js';

const MIB = 1024 ** 2;

/** As much of a pool as a load needs; its workers boot, fail and end by hand. */
class FakePool {
  phase: 'running' | 'stopped' = 'running';
  desired = 0;
  stops = 0;
  waitingFor: string | null = null;
  ready = false;
  /** Still there though it is to be none. */
  draining = false;
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  /** It is to have workers, and had none. */
  started: () => void = () => {};

  setSize(size: number): void {
    if (size > 0 && this.desired === 0) this.started();
    if (size === 0 && this.desired > 0) this.draining = true;
    this.desired = size;
    if (size === 0) this.boots(false);
  }

  settled(): Promise<void> {
    return this.ready || this.desired === 0
      ? Promise.resolve()
      : new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  boots(ready = true): void {
    this.ready = ready;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  active(): { failedBoots: number; state: string }[] {
    return [];
  }

  fails(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('did not boot'));
  }
}

class FakeModel {
  readonly pool = new FakePool();
  readonly history = { popularity: () => 1 };
  readonly version = 'v1';
  readonly app: { name: string; sizeOf: () => number; isRestarting: () => boolean; serves: () => boolean };
  onDemand = true;
  requests = 0;
  standby = false;
  loads = 0;
  loadedAt: number | null = null;
  failure: { error: SupError; until: number } | null = null;
  unload = { preference: null as 'keep' | 'evict' | null };
  requires: string[] = [];
  toZeroAfterMs: number | null = null;

  constructor(
    readonly name: string,
    readonly bytes: number,
  ) {
    this.app = { name, sizeOf: () => 1, isRestarting: () => false, serves: () => true };
  }

  get config() {
    return {
      name: this.name,
      versions: [{ version: 'v1' }],
      defaultVersion: 'v1',
      scale: { toZeroAfterMs: this.toZeroAfterMs },
      unload: { requires: this.requires },
    };
  }
  get least() {
    return this.size;
  }
  get size() {
    return { bytes: this.bytes, gpuBytes: null };
  }
  get loaded(): boolean {
    return this.pool.phase === 'running' && this.pool.desired > 0;
  }
  get isLeaving(): boolean {
    return !this.loaded && this.pool.draining;
  }
  get isReady(): boolean {
    return this.loaded && this.pool.ready;
  }
  get isIdle(): boolean {
    return this.requests === 0;
  }
  measured() {
    return { bytes: this.isReady || this.pool.draining ? this.bytes : null, gpuBytes: null };
  }
  loadEnded(_seconds: number, now: number): void {
    this.loads++;
    this.loadedAt = now;
  }
}

class Rig {
  readonly clock = new ManualClock();
  readonly ledger = new MemoryLedger<Model>();
  readonly models: FakeModel[];
  readonly loads: Loads;
  readonly refused: { model: Model; error: SupError }[] = [];
  readonly unloaded: string[] = [];
  /** Unloaded while they were busy, loading, pinned, needed or too young; or loaded before what they require. */
  readonly wronged: string[] = [];
  /** In the order in which their loads began. */
  readonly order: string[] = [];
  limitBytes = 1000 * MIB;
  /** As of the last sample. */
  usedBytes = 0;
  readonly config = { ...STANDARD_BOX.models, concurrentLoads: 2, maxLoaded: null as number | null };
  readonly unloading = { ...STANDARD_BOX.unloading, minResidencyMs: 0 };

  constructor(sizes: readonly number[]) {
    this.models = sizes.map((mib, i) => new FakeModel(`m${i}`, mib * MIB));
    for (const fake of this.models)
      fake.pool.started = () => {
        this.order.push(fake.name);
        if (this.models.some((each) => fake.requires.includes(each.name) && !each.isReady))
          this.wronged.push(fake.name);
      };
    this.loads = new Loads({
      clock: this.clock,
      ledger: this.ledger,
      config: () => ({ models: this.config, unloading: this.unloading }),
      models: () => this.models as unknown as Model[],
      room: () => ({ room: { bytes: this.limitBytes - this.usedBytes, gpuBytes: null }, standbyRoom: null }),
      keepValue: (model) => Number(model.name.slice(1)),
      decided() {},
      unload: (model) => this.unload(model as unknown as FakeModel),
      changed() {},
      refused: (model, error) => {
        this.refused.push({ model, error });
        (model as unknown as FakeModel).requests = 0;
      },
    });
  }

  of(i: number): { fake: FakeModel; model: Model } {
    const fake = this.models[i % this.models.length] as FakeModel;
    return { fake, model: fake as unknown as Model };
  }

  /** These are loaded, since this moment. */
  loaded(...indices: number[]): void {
    for (const i of indices) {
      const { fake } = this.of(i);
      fake.pool.desired = 1;
      fake.pool.ready = true;
      fake.loadedAt = this.clock.now();
    }
    this.sample();
  }

  /** A request comes, which nobody can take. */
  ask(i: number): Promise<void> {
    this.of(i).fake.requests++;
    return this.loads.want(this.of(i).model, 'request', 1);
  }

  get starting(): FakeModel[] {
    return this.models.filter((model) => model.loaded && !model.pool.ready);
  }

  unload(fake: FakeModel): void {
    if (!fake.loaded) return;
    const now = this.clock.now();
    const isYoung = now - (fake.loadedAt ?? now) < this.unloading.minResidencyMs;
    const needing = this.models.filter((each) => (each.loaded || each.isLeaving) && this.needs(each, fake));
    const isPinned = !fake.onDemand || fake.unload.preference === 'keep';
    if (fake.requests > 0 || !fake.pool.ready || (isYoung && !fake.standby) || isPinned || needing.length > 0)
      this.wronged.push(fake.name);
    this.unloaded.push(fake.name);
    this.ledger.leaves(fake as unknown as Model, fake.measured());
    fake.loadedAt = null;
    fake.pool.setSize(0);
  }

  /** Directly or not. */
  needs(fake: FakeModel, required: FakeModel): boolean {
    return fake.requires.some(
      (name) =>
        name === required.name || this.needs(this.models.find((each) => each.name === name) as FakeModel, required),
    );
  }

  /** Its last process has ended. */
  gone(fake: FakeModel): void {
    if (!fake.pool.draining) return;
    fake.pool.draining = false;
    this.ledger.left(fake as unknown as Model, this.clock.now());
    this.loads.look();
  }

  sample(): void {
    this.clock.advance(1);
    this.usedBytes = this.models.reduce((sum, model) => sum + (model.measured().bytes ?? 0), 0);
    this.ledger.sampled(this.clock.now());
    this.loads.look();
  }
}

describe('loads', () => {
  it('are single flight: whoever wants the same joins, and the most workers win', async () => {
    const rig = new Rig([10]);
    const { fake, model } = rig.of(0);
    const first = rig.loads.want(model, 'start', 1);
    expect(rig.loads.want(model, 'operator', 3)).toBe(first);
    expect(rig.loads.stateOf(model)).toBe('waiting');
    await turn();
    expect([rig.loads.stateOf(model), fake.pool.desired]).toEqual(['loading', 3]);
    fake.pool.boots();
    await first;
    expect([rig.loads.size, fake.loads]).toEqual([0, 1]);
  });

  it('begin in the order of who asks: requests, operators, what starts, what is foreseen', async () => {
    const rig = new Rig([1, 1, 1, 1]);
    rig.config.concurrentLoads = 1;
    const order: string[] = [];
    const causes: LoadCause[] = ['popular', 'start', 'operator', 'request'];
    causes.forEach((cause, i) => {
      rig.of(i).fake.requests = cause === 'request' ? 1 : 0;
      void rig.loads.want(rig.of(i).model, cause, 1);
    });
    for (let i = 0; i < 4; i++) {
      await turn();
      const [starting] = rig.starting;
      order.push(starting?.name ?? 'none');
      starting?.pool.boots();
      await turn();
    }
    expect(order).toEqual(['m3', 'm2', 'm1', 'm0']);
  });

  it('do not unload more while the memory of those that go is on its way back', async () => {
    const rig = new Rig([400, 400, 400]);
    for (const i of [0, 1]) {
      rig.of(i).fake.pool.desired = 1;
      rig.of(i).fake.pool.ready = true;
    }
    rig.sample();
    rig.of(2).fake.requests = 1;
    const loaded = rig.loads.want(rig.of(2).model, 'request', 1);
    await turn();
    expect(rig.unloaded).toEqual(['m0']);
    // Its process has gone, and the last sample knows nothing of it.
    rig.gone(rig.of(0).fake);
    for (let i = 0; i < 3; i++) {
      rig.loads.look();
      await turn();
    }
    expect([rig.unloaded, rig.loads.stateOf(rig.of(2).model)]).toEqual([['m0'], 'waiting']);
    rig.sample();
    await turn();
    rig.of(2).fake.pool.boots();
    await loaded;
    expect(rig.unloaded).toEqual(['m0']);
  });

  it('take no room that is being made for another one', async () => {
    const rig = new Rig([400, 500, 450, 100]);
    for (const i of [0, 1]) {
      rig.of(i).fake.pool.desired = 1;
      rig.of(i).fake.pool.ready = true;
    }
    rig.of(1).fake.requests = 1;
    rig.sample();
    for (const i of [2, 3]) {
      rig.of(i).fake.requests = 1;
      void rig.loads.want(rig.of(i).model, 'request', 1);
      rig.clock.advance(1);
    }
    await turn();
    // There are 100 MiB, but with them the large one will have enough.
    expect([rig.unloaded, rig.starting]).toEqual([['m0'], []]);
    rig.gone(rig.of(0).fake);
    rig.loads.look();
    await turn();
    expect(rig.starting).toEqual([]);
    rig.sample();
    await turn();
    expect(rig.starting.map(({ name }) => name)).toEqual(['m2']);
  });

  it('wait for no worker of before that still drains', async () => {
    const rig = new Rig([10]);
    const { fake, model } = rig.of(0);
    fake.pool.draining = true;
    fake.requests = 1;
    const loaded = rig.loads.want(model, 'request', 1);
    await turn();
    fake.pool.boots();
    await loaded;
    expect(fake.pool.draining).toBe(true);
  });

  it('that start are not refused because a request joined', async () => {
    const rig = new Rig([2000]);
    const { fake, model } = rig.of(0);
    const starting = rig.loads.want(model, 'start', 1);
    fake.requests = 1;
    void rig.loads.want(model, 'request', 1);
    await turn();
    fake.pool.boots();
    await starting;
    expect(rig.refused).toEqual([]);
  });

  it('are called off when those who asked have gone', async () => {
    const rig = new Rig([10, 10, 10]);
    rig.config.concurrentLoads = 1;
    rig.of(0).fake.requests = rig.of(1).fake.requests = 1;
    void rig.loads.want(rig.of(0).model, 'request', 1);
    const second = rig.loads.want(rig.of(1).model, 'request', 1);
    await turn();
    rig.of(1).fake.requests = 0;
    rig.of(0).fake.pool.boots();
    await expect(second).rejects.toMatchObject({ code: 'SUP_CONFLICT' });
    expect(rig.of(1).fake.pool.desired).toBe(0);
  });

  it('that end in nothing say so: scaled to zero, failed, stopped', async () => {
    const rig = new Rig([10, 10, 10]);
    rig.config.concurrentLoads = 3;
    const [a, b, c] = [0, 1, 2].map((i) => rig.loads.want(rig.of(i).model, 'operator', 1));
    await turn();
    rig.of(0).fake.pool.setSize(0);
    rig.of(1).fake.pool.fails();
    rig.loads.callOff(rig.of(2).model);
    await expect(a).rejects.toMatchObject({ code: 'SUP_CONFLICT' });
    await expect(b).rejects.toThrow('did not boot');
    await expect(c).rejects.toMatchObject({ code: 'SUP_CONFLICT' });
    expect(rig.models.map(({ loads }) => loads)).toEqual([0, 0, 0]);
    rig.sample();
    expect(rig.ledger.size).toBe(0);
  });
});

describe('a load for which others would have to go', () => {
  it('is refused at once while they are too young, and told when they are old enough', async () => {
    const rig = new Rig([400, 400, 400]);
    rig.unloading.minResidencyMs = 60_000;
    rig.loaded(0);
    rig.clock.advance(10_000);
    rig.loaded(1);
    rig.clock.advance(9998);
    const refused = rig.ask(2);
    await expect(refused).rejects.toMatchObject({
      code: 'SUP_CHURN',
      data: { victim: 'm0', age_seconds: 20, retry_after_seconds: 40 },
    });
    await expect(refused).rejects.toThrow(
      /m2 cannot be loaded yet: it needs 400 MiB and 200 MiB are left, and m0, .* 20 s ago/,
    );
    expect(rig.refused.map(({ error }) => error.code)).toEqual(['SUP_CHURN']);
    await expect(rig.loads.want(rig.of(2).model, 'operator', 1)).rejects.toMatchObject({ code: 'SUP_CHURN' });
    expect([rig.loads.refused, rig.unloaded]).toEqual([{ pinned: 0, young: 2 }, []]);
    rig.clock.advance(40_000);
    void rig.ask(2);
    await turn();
    expect([rig.unloaded, rig.wronged]).toEqual([['m0'], []]);
  });

  it('takes those of its victims that are to go sooner anyhow, and those that nobody has used', async () => {
    const rig = new Rig([500, 500, 500]);
    rig.unloading.minResidencyMs = 60_000;
    rig.loaded(0, 1);
    rig.of(1).fake.toZeroAfterMs = 5000;
    await expect(rig.ask(2)).rejects.toMatchObject({
      code: 'SUP_CHURN',
      data: { victim: 'm1', retry_after_seconds: 5 },
    });
    rig.of(0).fake.standby = true;
    void rig.ask(2);
    await turn();
    expect(rig.unloaded).toEqual(['m0']);
  });

  it('is refused with the names of those that are pinned, by a user or by their size', async () => {
    const rig = new Rig([400, 400, 100, 400]);
    rig.loaded(0, 1, 2);
    rig.of(0).fake.unload.preference = 'keep';
    rig.of(1).fake.onDemand = false;
    const refused = rig.ask(3);
    await expect(refused).rejects.toMatchObject({ code: 'SUP_NO_ROOM', data: { pinned: ['m1', 'm0'] } });
    await expect(refused).rejects.toThrow(/always loaded: m1 .*pinned: m0 .*supervisor unpin m0/);
    expect([rig.loads.refused, rig.unloaded]).toEqual([{ pinned: 1, young: 0 }, []]);
    rig.of(0).fake.unload.preference = null;
    void rig.ask(3);
    await turn();
    expect(rig.unloaded).toEqual(['m0']);
  });

  it('says so where it is max_loaded that leaves no place', async () => {
    const rig = new Rig([10, 10]);
    rig.config.maxLoaded = 1;
    rig.loaded(0);
    rig.of(0).fake.unload.preference = 'keep';
    await expect(rig.ask(1)).rejects.toThrow('m1 cannot be loaded: models.max_loaded allows 1,');
  });

  it('lets a model go first that a user wants to go, unless that is switched off', async () => {
    for (const byPreference of [true, false]) {
      const rig = new Rig([400, 400, 400]);
      rig.unloading.byPreference = byPreference;
      rig.loaded(0, 1);
      rig.of(1).fake.unload.preference = 'evict';
      void rig.ask(2);
      await turn();
      expect(rig.unloaded).toEqual([byPreference ? 'm1' : 'm0']);
    }
  });
});

describe('what a model requires', () => {
  /** m0 ← m1 ← m2: each requires the one before it. */
  function chain(...sizes: number[]): Rig {
    const rig = new Rig(sizes);
    rig.models.forEach((fake, i) => {
      if (i > 0) fake.requires = [`m${i - 1}`];
    });
    return rig;
  }

  async function boots(rig: Rig): Promise<void> {
    for (const fake of rig.starting) fake.pool.boots();
    await turn();
    await turn();
  }

  it('is loaded before it, once for all that require it, and keeps nobody’s turn', async () => {
    const rig = chain(10, 10, 10, 10);
    rig.of(3).fake.requires = ['m1'];
    rig.config.concurrentLoads = 1;
    const both = Promise.all([rig.ask(2), rig.ask(3), rig.ask(2)]);
    await turn();
    await turn();
    expect(rig.of(2).fake.pool.waitingFor).toBe('its requirement m1');
    for (let i = 0; i < 4; i++) {
      await turn();
      expect(rig.starting.length).toBe(1);
      await boots(rig);
    }
    await both;
    expect([rig.order, rig.wronged, rig.loads.size]).toEqual([['m0', 'm1', 'm2', 'm3'], [], 0]);
    expect(rig.models.map(({ pool }) => pool.waitingFor)).toEqual([null, null, null, null]);
  });

  it('is as urgent as whoever waits for it', async () => {
    const rig = chain(10, 10);
    const other = new FakeModel('other', 10 * MIB);
    rig.models.push(other);
    other.pool.started = () => rig.order.push('other');
    rig.config.concurrentLoads = 1;
    void rig.loads.want(rig.of(1).model, 'forecast', 1);
    await turn();
    // By now what it requires waits for a turn, or loads.
    void rig.loads.want(other as unknown as Model, 'operator', 1);
    rig.of(1).fake.requests = 1;
    void rig.loads.want(rig.of(1).model, 'request', 1);
    for (let i = 0; i < 6; i++) {
      await turn();
      await boots(rig);
    }
    expect(rig.order).toEqual(['m0', 'm1', 'other']);
  });

  it('takes those along that wait for it when it fails, and is not tried again before it may be', async () => {
    const rig = chain(10, 10, 10);
    const asked = rig.ask(2);
    await turn();
    await turn();
    await turn();
    expect(rig.starting.map(({ name }) => name)).toEqual(['m0']);
    const error = new SupError('SUP_WORKER_BOOT_FAILED', 'no weights');
    const { fake, model } = rig.of(0);
    fake.failure = { error, until: rig.clock.now() + 30_000 };
    rig.loads.fail(model, error);
    fake.pool.setSize(0);
    await expect(asked).rejects.toMatchObject({ code: 'SUP_LOAD_FAILED' });
    await expect(asked).rejects.toThrow(
      'm2 could not be loaded, since it requires m1: m1 could not be loaded, since it requires m0: no weights',
    );
    expect(rig.refused.map((each) => [each.model.name, each.error.data.retry_after_seconds])).toEqual([
      ['m2', undefined],
      ['m1', 30],
    ]);
    rig.of(2).fake.requests = 0;
    for (let i = 0; i < 3; i++)
      await expect(rig.ask(1)).rejects.toMatchObject({ code: 'SUP_LOAD_FAILED', data: { retry_after_seconds: 30 } });
    expect(rig.order).toEqual(['m0']);
    // An operator need not wait.
    void rig.loads.want(rig.of(1).model, 'operator', 1);
    await turn();
    await turn();
    expect(rig.order).toEqual(['m0', 'm0']);
  });

  it('is loaded again where it went while the other one waited', async () => {
    const rig = chain(10, 10, 10);
    rig.models[1]!.requires = [];
    rig.models[2]!.requires = ['m0'];
    rig.config.concurrentLoads = 1;
    const asked = rig.ask(2);
    void rig.ask(1);
    await turn();
    await turn();
    expect(rig.starting.map(({ name }) => name)).toEqual(['m1']);
    await boots(rig);
    expect(rig.starting.map(({ name }) => name)).toEqual(['m0']);
    rig.of(0).fake.pool.boots();
    rig.unload(rig.of(0).fake);
    rig.wronged.splice(0);
    for (let i = 0; i < 4; i++) {
      await turn();
      await boots(rig);
    }
    await asked;
    expect([rig.order, rig.wronged]).toEqual([['m1', 'm0', 'm0', 'm2'], []]);
  });

  it('stays while what requires it is loaded, and is no victim of its own', async () => {
    const rig = chain(300, 300, 300, 300);
    rig.models[2]!.requires = [];
    rig.models[3]!.requires = ['m2'];
    rig.loaded(0, 1, 2);
    const asked = rig.ask(3);
    await turn();
    // m0 is worth least, but m1 could not do without it.
    expect(rig.unloaded).toEqual(['m1']);
    rig.gone(rig.of(1).fake);
    rig.sample();
    await turn();
    await boots(rig);
    await asked;
    expect([rig.unloaded, rig.wronged]).toEqual([['m1'], []]);
  });

  it('is not taken away from one that waits for room by one that comes later', async () => {
    const rig = new Rig([300, 600, 500, 300]);
    rig.loaded(0, 1);
    rig.of(1).fake.requests = 1;
    rig.of(2).fake.requires = ['m0'];
    void rig.ask(2);
    rig.clock.advance(1);
    void rig.ask(3);
    await turn();
    // m0 is idle, and would be enough for m3.
    expect([rig.unloaded, rig.of(3).fake.pool.waitingFor]).toEqual([[], 'a busy model to make room']);
    rig.of(1).fake.requests = 0;
    rig.loads.look();
    await turn();
    expect(rig.unloaded).toEqual(['m1']);
  });

  it('goes after what requires it, where all of that has to go', async () => {
    const rig = chain(300, 300, 900);
    rig.models[2]!.requires = [];
    rig.loaded(0, 1);
    const asked = rig.ask(2);
    await turn();
    expect(rig.unloaded).toEqual(['m1']);
    rig.loads.look();
    await turn();
    expect([rig.unloaded, rig.of(2).fake.pool.waitingFor]).toEqual([['m1'], 'memory that is being given back']);
    rig.gone(rig.of(1).fake);
    await turn();
    expect(rig.unloaded).toEqual(['m1', 'm0']);
    rig.gone(rig.of(0).fake);
    rig.sample();
    await turn();
    await boots(rig);
    await asked;
    expect(rig.wronged).toEqual([]);
  });

  it('is not loaded for one that there will be no room for', async () => {
    const rig = chain(10, 2000);
    await expect(rig.ask(1)).rejects.toMatchObject({ code: 'SUP_NO_ROOM' });
    rig.of(1).fake.requests = 0;
    await rig.loads.want(rig.of(1).model, 'forecast', 1);
    expect(rig.order).toEqual([]);
  });

  it('counts where it is looked whether there is room: it is not loaded for one that would not fit beside it', async () => {
    const rig = chain(2000, 10);
    const asked = rig.ask(1);
    await expect(asked).rejects.toMatchObject({ code: 'SUP_NO_ROOM', data: { model: 'm1' } });
    await expect(asked).rejects.toThrow(/it, with what it requires, needs/);
    expect(rig.order).toEqual([]);
  });

  it('is made up for by a start that failed without it', async () => {
    const rig = chain(10, 10);
    const { fake } = rig.of(0);
    fake.pool.phase = 'stopped';
    rig.of(1).fake.onDemand = false;
    const starting = rig.loads.want(rig.of(1).model, 'start', 2);
    await expect(starting).rejects.toThrow(/requires m0: m0 is stopped; start it with: supervisor start m0/);
    expect(rig.of(1).fake.pool.waitingFor).toBe('its requirement m0');
    // A request that fails just so takes nothing away from that.
    await expect(rig.ask(1)).rejects.toMatchObject({ code: 'SUP_LOAD_FAILED' });
    rig.of(1).fake.requests = 0;
    rig.sample();
    await turn();
    expect([rig.order, rig.of(1).fake.pool.waitingFor]).toEqual([[], 'its requirement m0']);
    fake.pool.phase = 'running';
    for (let i = 0; i < 5; i++) {
      rig.sample();
      await turn();
      await boots(rig);
    }
    expect([rig.order, rig.of(1).fake.pool.desired, rig.of(1).fake.pool.waitingFor]).toEqual([['m0', 'm1'], 2, null]);
  });

  it('is called off with those who wanted it', async () => {
    const rig = chain(10, 10, 10);
    rig.models[2]!.requires = [];
    rig.config.concurrentLoads = 1;
    void rig.ask(2);
    await turn();
    const asked = rig.ask(1);
    await turn();
    await turn();
    expect(rig.loads.stateOf(rig.of(0).model)).toBe('waiting');
    rig.of(1).fake.requests = 0;
    await boots(rig);
    await expect(asked).rejects.toMatchObject({ code: 'SUP_CONFLICT' });
    await turn();
    expect([rig.loads.size, rig.order]).toEqual([0, ['m2']]);
  });

  it('goes round in a circle for nobody', async () => {
    const rig = chain(10, 10);
    rig.models[0]!.requires = ['m1'];
    const both = Promise.all([rig.ask(0), rig.ask(1)]);
    await turn();
    rig.wronged.splice(0);
    await boots(rig);
    await both;
    expect(rig.loads.size).toBe(0);
  });
});

describe('whatever happens', () => {
  const tickets: Promise<unknown>[] = [];
  afterEach(() => void tickets.splice(0));

  const step = fc.record({
    what: fc.constantFrom('want', 'ask', 'leave', 'boot', 'boot', 'fail', 'gone', 'sample', 'stop', 'unload'),
    model: fc.integer({ min: 0, max: 5 }),
    cause: fc.constantFrom<LoadCause>('operator', 'start', 'eager', 'forecast', 'popular', 'standby'),
  });

  it('each load ends once, turns and places are kept, and the books are empty at rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.array(fc.integer({ min: 50, max: 600 }), { minLength: 3, maxLength: 6 }),
        fc.option(fc.integer({ min: 1, max: 4 }), { nil: null }),
        fc.constantFrom(0, 0, 3, 20),
        fc.array(fc.record({ requires: fc.integer({ min: 0, max: 9 }), kept: fc.integer({ min: 0, max: 9 }) }), {
          minLength: 6,
          maxLength: 6,
        }),
        async (steps, sizes, maxLoaded, minResidencyMs, each) => {
          const rig = new Rig(sizes);
          rig.config.maxLoaded = maxLoaded;
          rig.unloading.minResidencyMs = minResidencyMs;
          rig.models.forEach((fake, i) => {
            const { requires, kept } = each[i] as { requires: number; kept: number };
            if (requires < i) fake.requires = [`m${requires}`];
            if (kept === 0) fake.unload.preference = 'keep';
            fake.onDemand = kept !== 1;
          });
          let wanted = 0;
          let ended = 0;
          const want = (model: Model, cause: LoadCause) => {
            wanted++;
            void rig.loads.want(model, cause, 1).then(
              () => ended++,
              () => ended++,
            );
          };
          const there = () => rig.models.filter((model) => model.onDemand && (model.loaded || model.pool.draining));
          for (const { what, model: i, cause } of steps) {
            const { fake, model } = rig.of(i);
            if (what === 'want' && fake.pool.phase === 'running') want(model, cause);
            else if (what === 'ask' && fake.pool.phase === 'running') {
              fake.requests++;
              if (!fake.loaded) want(model, 'request');
            } else if (what === 'leave') fake.requests = 0;
            else if (what === 'boot' && fake.loaded) fake.pool.boots();
            else if (what === 'fail' && fake.loaded && !fake.pool.ready) {
              const error = new SupError('SUP_WORKER_BOOT_FAILED', 'no');
              fake.failure = { error, until: rig.clock.now() + 3 };
              rig.loads.fail(model, error);
              fake.pool.setSize(0);
            } else if (what === 'gone') rig.gone(fake);
            else if (what === 'sample') rig.sample();
            else if (what === 'unload' && fake.requests === 0 && rig.loads.stateOf(model) === null) {
              // By hand: whatever it is.
              const wronged = [...rig.wronged];
              rig.unload(fake);
              rig.wronged.splice(0, Number.POSITIVE_INFINITY, ...wronged);
            } else if (what === 'stop') {
              fake.pool.stops++;
              fake.pool.setSize(0);
              rig.loads.callOff(model);
            }
            rig.loads.look();
            await turn();
            expect(rig.starting.length).toBeLessThanOrEqual(2);
            expect(rig.wronged).toEqual([]);
            if (maxLoaded !== null) expect(there().length).toBeLessThanOrEqual(maxLoaded);
          }
          // From here on all goes well: what is wanted comes to an end.
          // A start that failed for want of what it requires is made up for.
          const isAtRest = () =>
            rig.loads.size + rig.ledger.size === 0 && rig.models.every(({ pool }) => pool.waitingFor === null);
          for (let round = 0; round < 60 && !isAtRest(); round++) {
            for (const fake of rig.models) {
              if (fake.loaded) fake.pool.boots();
              rig.gone(fake);
            }
            await turn();
            for (const fake of rig.models) if (fake.isReady) fake.requests = 0;
            rig.sample();
            await turn();
          }
          expect([rig.loads.size, rig.ledger.size]).toEqual([0, 0]);
          expect(ended).toBe(wanted);
          expect(rig.models.map(({ pool }) => pool.waitingFor)).toEqual(sizes.map(() => null));
        },
      ),
      { numRuns: 150 },
    );
  });
});
