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

  setSize(size: number): void {
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

  fails(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('did not boot'));
  }
}

class FakeModel {
  readonly pool = new FakePool();
  readonly history = { popularity: () => 1 };
  onDemand = true;
  requests = 0;
  standby = false;
  loads = 0;

  constructor(
    readonly name: string,
    readonly bytes: number,
  ) {}

  get config() {
    return { name: this.name };
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
  loadEnded(): void {
    this.loads++;
  }
}

class Rig {
  readonly clock = new ManualClock();
  readonly ledger = new MemoryLedger<Model>();
  readonly models: FakeModel[];
  readonly loads: Loads;
  readonly refused: { model: Model; error: SupError }[] = [];
  readonly unloaded: string[] = [];
  /** Unloaded while they were busy, or loading. */
  readonly wronged: string[] = [];
  limitBytes = 1000 * MIB;
  /** As of the last sample. */
  usedBytes = 0;
  readonly config = { ...STANDARD_BOX.models, concurrentLoads: 2, maxLoaded: null as number | null };

  constructor(sizes: readonly number[]) {
    this.models = sizes.map((mib, i) => new FakeModel(`m${i}`, mib * MIB));
    this.loads = new Loads({
      clock: this.clock,
      ledger: this.ledger,
      config: () => this.config,
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

  get starting(): FakeModel[] {
    return this.models.filter((model) => model.loaded && !model.pool.ready);
  }

  unload(fake: FakeModel): void {
    if (!fake.loaded) return;
    if (fake.requests > 0 || !fake.pool.ready) this.wronged.push(fake.name);
    this.unloaded.push(fake.name);
    this.ledger.leaves(fake as unknown as Model, fake.measured());
    fake.pool.setSize(0);
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
        async (steps, sizes, maxLoaded) => {
          const rig = new Rig(sizes);
          rig.config.maxLoaded = maxLoaded;
          let wanted = 0;
          let ended = 0;
          const want = (model: Model, cause: LoadCause) => {
            wanted++;
            void rig.loads.want(model, cause, 1).then(
              () => ended++,
              () => ended++,
            );
          };
          const there = () => rig.models.filter((model) => model.loaded || model.pool.draining);
          for (const { what, model: i, cause } of steps) {
            const { fake, model } = rig.of(i);
            if (what === 'want' && fake.pool.phase === 'running') want(model, cause);
            else if (what === 'ask' && fake.pool.phase === 'running') {
              fake.requests++;
              if (!fake.loaded) want(model, 'request');
            } else if (what === 'leave') fake.requests = 0;
            else if (what === 'boot' && fake.loaded) fake.pool.boots();
            else if (what === 'fail' && fake.loaded && !fake.pool.ready) {
              rig.loads.fail(model, new SupError('SUP_WORKER_BOOT_FAILED', 'no'));
              fake.pool.setSize(0);
            } else if (what === 'gone') rig.gone(fake);
            else if (what === 'sample') rig.sample();
            else if (what === 'unload' && fake.requests === 0 && rig.loads.stateOf(model) === null) rig.unload(fake);
            else if (what === 'stop') {
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
          for (let round = 0; round < 60 && (rig.loads.size > 0 || rig.ledger.size > 0); round++) {
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
