import type { AppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { AppRow, AppState } from '../master/supervisor.js';
import type { Pool } from '../pool/pool.js';
import type { BoxFacts, Sizing } from '../pool/sizing.js';
import { all } from './all.js';
import { appRow } from './app-row.js';
import { poolState } from './app-state.js';
import type { AppKindParts } from './kind.js';
import { Pins, type Size, targetSize } from './pins.js';
import type { PoolLife } from './pool-life.js';
import { type Rolling, Rollover } from './rollover.js';
import { type PoolsDependencies, VersionPools } from './version-pools.js';

export interface AppDependencies extends PoolsDependencies {
  life: PoolLife;
  /** Something in the app's life changed: its queues may have to open or close. */
  changed: (app: App) => void;
}

/** An entry under `apps:`, whatever its kind: one pool for each version, and the acts that operators ask for. */
export class App {
  readonly #pools: VersionPools;
  readonly #pins: Pins;
  #config: AppConfig;
  #waitingFor: string | null = null;
  /** Starts that wait for what they need. */
  #opening = 0;
  #stops = 0;
  #retired = false;
  /** Between a stop and the start that follows it in the same act; once for each such act. */
  readonly #restarting: Pool[] = [];
  readonly #rollover: Rollover;

  constructor(
    config: AppConfig,
    readonly parts: AppKindParts,
    private readonly deps: AppDependencies,
    taken: { pins: ReadonlyMap<string | null, number>; numbers: ReadonlyMap<string | null, number> } = {
      pins: new Map(),
      numbers: new Map(),
    },
  ) {
    this.#config = config;
    this.#pins = new Pins(taken.pins);
    this.#pools = new VersionPools(parts, deps, taken.numbers);
    for (const version of parts.versions(config)) this.#pools.add(version, config);
    this.#rollover = new Rollover(this.#rolling());
  }

  get name(): string {
    return this.#config.name;
  }
  get config(): AppConfig {
    return this.#config;
  }
  get pools(): ReadonlyMap<string | null, Pool> {
    return this.#pools.byVersion;
  }
  get running(): boolean {
    return this.#pools.running.length > 0;
  }
  /** How often it was asked to stop: whoever waits to start it sees whether that was called off. */
  get stops(): number {
    return this.#stops;
  }
  /** Versions that were to run other code and do not. */
  get stale(): ReadonlySet<string | null> {
    return this.#rollover.stale;
  }
  /** Worker numbers given so far, for an app that takes over from this one. */
  get lastNumbers() {
    return this.#pools.lastNumbers;
  }
  /** By version, null for an app without any. */
  get pins(): ReadonlyMap<string | null, number> {
    return this.#pins.sizes;
  }
  pinnedSize(version: string | null): number | null {
    return this.#pins.get(version);
  }
  /** How its size follows demand; undefined where the size is fixed. */
  sizing(pool: Pool): Sizing | undefined {
    return this.#pools.sizing(pool);
  }
  /** Whether it starts with the app; others are there to be started by hand. */
  serves(version: string | null): boolean {
    return this.parts.served(this.#config).includes(version);
  }
  /** It has stopped to start again. */
  isRestarting(pool: Pool): boolean {
    return this.#restarting.includes(pool);
  }
  /** What has to be there before it starts; shown while it is stopped. */
  waitFor(what: string | null): void {
    this.#waitingFor = what;
  }
  /** What it should have now: an operator's word, else what its policy has made of it, within the configured range. */
  sizeOf(pool: Pool): number {
    const { min, max } = this.#config.workers;
    return this.pinnedSize(pool.version) ?? Math.min(max, Math.max(min, pool.desired));
  }

  /** Resolves when every running pool has its size ready. @throws SupError */
  async settled(): Promise<void> {
    await all(this.#pools.running.map((pool) => this.deps.life.settled(this, pool)));
  }

  /** Resolves when every pool has its size ready. @throws SupError what kept it from it */
  async start(version?: string): Promise<void> {
    await all(await this.#begin(version));
  }

  /** Resolves when it runs; its workers may still boot. */
  async #begin(version: string | undefined): Promise<Promise<unknown>[]> {
    const pools = this.#toStart(version);
    const stops = pools.map((pool) => pool.stops);
    this.#opening++;
    try {
      // What still drains may still hold what is opened next.
      await Promise.all(pools.map((pool) => pool.stopped()));
      await this.parts.open();
    } finally {
      this.#opening--;
    }
    if (this.#retired || pools.some((pool, i) => pool.stops !== stops[i])) {
      if (!this.running && this.#opening === 0) this.parts.close();
      throw new SupError('SUP_CONFLICT', `${this.name} was stopped meanwhile`, { app: this.name });
    }
    const starting = pools.map((pool) => this.#startPool(pool));
    this.deps.changed(this);
    return starting;
  }

  #toStart(version: string | undefined): Pool[] {
    return this.#select(version).filter((pool) => version !== undefined || this.serves(pool.version));
  }

  /** In a pool that runs, nothing goes that serves. */
  async #startPool(pool: Pool): Promise<void> {
    const { stops } = pool;
    if (pool.phase === 'stopping') await pool.stopped();
    if (pool.stops !== stops) throw new SupError('SUP_CONFLICT', `${pool.name} was stopped meanwhile`);
    const size = this.pinnedSize(pool.version) ?? this.#config.workers.min;
    if (this.#config.kind !== 'model') return pool.start(size);
    const wanted = Math.max(size, pool.desired);
    await all([pool.start(pool.desired), this.deps.life.start(this, pool, wanted)]);
  }

  async stop(version?: string): Promise<void> {
    this.#stops++;
    this.#waitingFor = null;
    const stopping = this.#select(version).map((pool) => pool.stop());
    // Now, not after the drain: else connections would queue for workers that never come, and be reset at the end.
    if (this.#restarting.length === 0 && !this.running) this.parts.close();
    this.deps.changed(this);
    await all(stopping);
    this.deps.changed(this);
  }

  /** Stops it for good: no act that is still under way brings it back. */
  retire(): Promise<void> {
    this.#retired = true;
    return this.stop();
  }

  /** Stops everything and starts it again; requests wait meanwhile. */
  async restart(version?: string): Promise<void> {
    const pools = this.#select(version);
    this.#restarting.push(...pools);
    let starting: Promise<unknown>[];
    try {
      await this.stop(version);
      starting = await this.#begin(version);
    } finally {
      for (const pool of pools) this.#restarting.splice(this.#restarting.indexOf(pool), 1);
    }
    await all(starting);
  }

  /**
   * Rolls pools over to this configuration and the code that is on disk now; versions come and go.
   * @param changed the versions that run other code now; null: all. Those of the same code go on as they are.
   * @throws SupError SUP_ACT_FAILED; what serves goes on serving
   */
  async reload(config: AppConfig, changed: ReadonlySet<string | null> | null = null): Promise<void> {
    if (this.running) return this.#rollover.run(config, changed);
    await this.#rollover.prepare(config);
    await this.start();
  }

  /** Changes that need no new process. Sizes follow at once, and so does which versions are served. */
  configure(config: AppConfig): Promise<void> {
    return this.running ? this.#rollover.run(config, new Set()) : this.#rollover.prepare(config);
  }

  #adopt(config: AppConfig): void {
    // Whoever edits the size in the file means it: the file wins over an older pin.
    const { min, max } = this.#config.workers;
    if (min !== config.workers.min || max !== config.workers.max) this.#pins.clear();
    this.#config = config;
    this.parts.configure(config);
    this.#pools.configure(config);
  }

  async #resize(pool: Pool): Promise<void> {
    const size = this.sizeOf(pool);
    if (pool.phase !== 'running' || pool.desired === size) return;
    if (pool.desired === 0) return this.deps.life.start(this, pool, size);
    // Pinned to nothing and woken since: it goes when it is idle, not now.
    if (size > 0) await pool.resize(size);
  }

  #rolling(): Rolling {
    const app = this;
    return {
      get config() {
        return app.config;
      },
      parts: this.parts,
      pools: this.#pools,
      pins: this.#pins,
      serves: (version) => this.serves(version),
      adopt: (config) => this.#adopt(config),
      start: (pool) => this.#startPool(pool),
      resize: (pool) => this.#resize(pool),
      changed: () => this.deps.changed(this),
    };
  }

  /** Pins the size; null takes the pin away. @throws SupError as `checkSize` */
  async scale(size: Size | null, version?: string): Promise<void> {
    const pools = this.#select(version).filter((pool) => pool.phase === 'running');
    const targets = pools.map((pool) => targetSize(size, pool, this.#config));
    const resizing = pools.map((pool, i) => {
      const target = targets[i] as number;
      const before = this.#pins.get(pool.version);
      this.#pins.set(pool.version, size === null ? null : target);
      if (target === 0)
        return this.deps.life.empty(this, pool).catch((error) => {
          this.#pins.set(pool.version, before);
          throw error;
        });
      return pool.desired === 0 ? this.deps.life.start(this, pool, target) : pool.resize(target);
    });
    this.deps.changed(this);
    await all(resizing);
  }

  /** @throws SupError SUP_BAD_REQUEST below the least size, SUP_CONFLICT while it is stopped */
  checkSize(size: Size | null, version?: string): void {
    const pools = this.#select(version);
    const running = pools.filter((pool) => pool.phase === 'running');
    for (const pool of running.length > 0 ? running : pools) targetSize(size, pool, this.#config);
  }

  /** Models alone. @throws SupError SUP_BAD_REQUEST, or why it did not load */
  async load(version?: string): Promise<void> {
    await all(this.#toStart(version).map((pool) => this.deps.life.load(this, pool)));
  }

  /** Models alone: the next request loads it again. @throws SupError SUP_BAD_REQUEST, SUP_CONFLICT */
  async unload(version?: string): Promise<void> {
    await all(this.#select(version).map((pool) => this.deps.life.unload(this, pool, 'asked for by an operator')));
  }

  /** Replaces the workers (or one of them) by fresh ones of the same generation. */
  async recycle(worker: string | null, version?: string): Promise<void> {
    await all(
      this.#select(version).map((pool) => {
        const chosen = pool.active().filter((w) => worker === null || w.id === worker);
        return pool.recycle(chosen, 'asked for by an operator');
      }),
    );
  }

  #select(version: string | null | undefined): Pool[] {
    return this.#pools.select(version, this.name);
  }

  /** @param box null: nothing is known of it */
  tick(now: number, stalled: boolean, box: BoxFacts | null): void {
    for (const pool of this.#pools.all) {
      pool.tick(now, stalled);
      if (box && !stalled) this.sizing(pool)?.tick(box, this.pinnedSize(pool.version) !== null);
    }
  }

  /** Why a queue of it stands still, if one does. */
  get stalled(): string | null {
    return this.#pools.all.find((pool) => pool.stalled !== null)?.stalled ?? null;
  }

  states(): { name: string; version: string | null; state: AppState }[] {
    return this.#pools.all.map((pool) => ({ name: this.name, version: pool.version, state: poolState(pool).state }));
  }

  /** Exit code when all that it runs has ended by itself and stays so, the worst of them; else null. */
  endedWith(): number | null {
    const workers = this.#pools.running.flatMap((pool) => pool.active());
    if (workers.length === 0 || workers.some((w) => w.ended === null)) return null;
    return Math.max(...workers.map((w) => w.exitCode ?? 1));
  }

  rows(): AppRow[] {
    const now = this.deps.clock.now();
    return this.#pools.all.map((pool) => appRow(this.#config, pool.version, pool, this.#waitingFor, now));
  }
}
