import { ManualClock } from '../../src/clock.js';
import {
  type ModelsConfig,
  STANDARD_BOX,
  type UnloadingConfig,
  type UnloadPreference,
} from '../../src/config/schema.js';
import { Idle } from '../../src/models/idle.js';
import type { Model } from '../../src/models/model.js';
import { Strategies } from '../../src/models/strategies.js';
import { Unloader } from '../../src/models/unloader.js';
import { IdleHistory } from '../../src/policy/keepalive.js';
import type { PressureLevel } from '../../src/policy/pressure.js';

const MIB = 1024 ** 2;

/** Models, loaded or not, whose requests are over in no time, under the clocks and cycles that they would have in a master. */
export class IdleModels {
  readonly clock = new ManualClock();
  /** What was done: `load`, `unload: reason` or `trim`, with the model's name in front where there are several. */
  readonly acts: string[] = [];
  readonly said: string[] = [];
  readonly warnings: string[] = [];
  models: ModelsConfig = STANDARD_BOX.models;
  unloading: UnloadingConfig = STANDARD_BOX.unloading;
  pressure: PressureLevel = 'low';
  usedShare: number | null = null;
  /** What was unloaded or trimmed is measured. */
  settled = true;
  readonly all: IdleModel[] = [];
  readonly strategies = new Strategies((text) => this.warnings.push(text));
  readonly idle = new Idle({
    clock: this.clock,
    config: () => ({ models: this.models, unloading: this.unloading }),
    strategies: this.strategies,
    pressure: () => this.pressure,
    decided: (_subject, policy, { reason }) => this.said.push(`${policy}: ${reason}`),
    load: (model) => {
      this.#of(model).load();
      this.acts.push(`${this.#prefix(model)}load`);
    },
  });
  readonly unloader = new Unloader({
    clock: this.clock,
    config: () => ({ models: this.models, unloading: this.unloading }),
    strategies: this.strategies,
    idle: this.idle,
    pressure: () => this.pressure,
    usedShare: () => this.usedShare,
    isLoading: () => false,
    keepValue: (model) => this.#of(model).keepValue,
    settled: () => this.settled,
    unload: (model, { label, decision: { reason } }) => {
      this.#of(model).loaded = false;
      this.acts.push(`${this.#prefix(model)}unload: ${reason}`);
      this.labels.push(label);
    },
    trim: (model) => {
      this.settled = false;
      this.acts.push(`${this.#prefix(model)}trim`);
    },
  });
  readonly labels: string[] = [];

  /** A tick each second. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      this.clock.advance(1000);
      this.tick();
    }
  }

  tick(): void {
    const models = this.all.map((each) => each.model);
    this.idle.tick(models);
    this.unloader.tick(models);
  }

  #of(model: Model): IdleModel {
    return this.all.find(({ name }) => model.name === `${name}@v1`) as IdleModel;
  }

  #prefix({ app }: Model): string {
    return this.all.length > 1 ? `${app.name} ` : '';
  }
}

/** One of them; alone unless it is added to others. */
export class IdleModel {
  readonly history = new IdleHistory();
  loaded = true;
  onDemand = true;
  toZeroAfterMs: number | null = null;
  loadedAt: number | null;
  strategy: string | null = null;
  preference: UnloadPreference = null;
  requires: string[] = [];
  bytes = 200 * MIB;
  patience = 1;
  keepValue = 0;
  busy = false;
  #usedAt: number | null = null;
  #identity: Model | null = null;

  constructor(
    readonly name = 'm',
    readonly box = new IdleModels(),
  ) {
    this.loadedAt = box.clock.now();
    box.all.push(this);
  }

  /** One object for its life, since windows are kept by it. */
  get model(): Model {
    this.#identity ??= this.#made();
    return this.#identity;
  }

  load(): void {
    this.loaded = true;
    this.loadedAt = this.box.clock.now();
  }

  request(): void {
    const { clock } = this.box;
    const now = clock.now();
    this.history.used(this.#usedAt === null ? null : now - this.#usedAt, clock.wall());
    this.#usedAt = now;
    if (!this.loaded) this.load();
  }

  #made(): Model {
    const self = this;
    const since = () => Math.max(self.#usedAt ?? Number.NEGATIVE_INFINITY, self.loadedAt ?? Number.NEGATIVE_INFINITY);
    return {
      name: `${self.name}@v1`,
      version: 'v1',
      app: { name: self.name },
      unloading: null,
      loadSeconds: 5,
      history: self.history,
      pool: { phase: 'running' },
      get config() {
        return {
          defaultVersion: 'v1',
          scale: { toZeroAfterMs: self.toZeroAfterMs },
          unload: { requires: self.requires },
        };
      },
      get onDemand() {
        return self.onDemand;
      },
      get unload() {
        return { strategy: self.strategy, preference: self.preference };
      },
      get loaded() {
        return self.loaded;
      },
      get isReady() {
        return self.loaded;
      },
      get loadedAt() {
        return self.loaded ? self.loadedAt : null;
      },
      get patience() {
        return self.patience;
      },
      get size() {
        return { bytes: self.bytes, gpuBytes: null };
      },
      measured: () => ({ bytes: self.loaded ? self.bytes : null, gpuBytes: null }),
      idleMs: (now: number) => (self.busy ? null : now - since()),
      unusedMs: (now: number) => (self.busy ? 0 : self.#usedAt === null ? null : now - self.#usedAt),
    } as unknown as Model;
  }
}
