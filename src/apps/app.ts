import type { Clock } from '../clock.js';
import type { AppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { AppRow, AppState } from '../master/supervisor.js';
import { Pool, type PoolEvents } from '../pool/pool.js';
import { type BoxFacts, Sizing } from '../pool/sizing.js';
import { appRow } from './app-row.js';
import { poolState } from './app-state.js';
import type { AppKindParts } from './kind.js';
import { sizingConfig } from './sizing-config.js';

export interface AppDependencies {
  clock: Clock;
  random: () => number;
  events: PoolEvents;
  /** Whether the box's memory has room for so much more. */
  hasRoom: (bytes: number) => boolean;
  warn: (text: string) => void;
  life: PoolLife;
  /** Something in the app's life changed: its queues may have to open or close. */
  changed: (app: App) => void;
}

/** Brings pools up and down: models wait for their turn and for room. */
export interface PoolLife {
  /** The pool runs already, without workers. Resolves when it has this size, or none where it starts on demand. */
  start(app: App, pool: Pool, size: number): Promise<void>;
  /** @throws SupError SUP_BAD_REQUEST where it is no model's */
  load(app: App, pool: Pool): Promise<void>;
  /** @throws SupError SUP_BAD_REQUEST where it is no model's, SUP_CONFLICT while it loads */
  unload(app: App, pool: Pool, reason: string): Promise<void>;
}

/** A typing mistake in a size should not fill the machine. */
const MAX_WORKERS = 512;

export type Size = { to: number } | { by: number };

/** An entry under `apps:`, whatever its kind: one pool for each version, and the acts that operators ask for. */
export class App {
  readonly #pools = new Map<string | null, Pool>();
  readonly #sizings = new Map<Pool, Sizing>();
  readonly #numbers = new Map<string | null, number>();
  #config: AppConfig;
  /** Sizes that an operator pinned with `scale`, by version. */
  readonly #pins: Map<string | null, number>;
  #waitingFor: string | null = null;
  /** Starts that wait for what they need. */
  #opening = 0;
  #stops = 0;
  #retired = false;
  /** Between a stop and the start that follows it in the same act. */
  #restarting = false;

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
    this.#pins = new Map(taken.pins);
    for (const [version, number] of taken.numbers) this.#numbers.set(version, number);
    for (const version of parts.versions(config)) this.#addPool(version);
  }

  get name(): string {
    return this.#config.name;
  }
  get config(): AppConfig {
    return this.#config;
  }
  /** By version, null for an app without any. */
  get pins(): ReadonlyMap<string | null, number> {
    return this.#pins;
  }
  pinnedSize(version: string | null): number | null {
    return this.#pins.get(version) ?? null;
  }
  /** Whether it starts with the app; others are there to be started by hand. */
  serves(version: string | null): boolean {
    return this.parts.served(this.#config).includes(version);
  }
  get restarting(): boolean {
    return this.#restarting;
  }
  get pools(): ReadonlyMap<string | null, Pool> {
    return this.#pools;
  }
  /** What has to be there before it starts; shown while it is stopped. */
  waitFor(what: string | null): void {
    this.#waitingFor = what;
  }
  /** Resolves when every running pool has its size ready. @throws SupError */
  async settled(): Promise<void> {
    await all([...this.#pools.values()].filter((p) => p.phase === 'running').map((pool) => pool.settled()));
  }
  /** How often it was asked to stop: whoever waits to start it sees whether that was called off. */
  get stops(): number {
    return this.#stops;
  }
  get running(): boolean {
    return [...this.#pools.values()].some((pool) => pool.phase === 'running');
  }
  /** Worker numbers given so far, for an app that takes over from this one. */
  get lastNumbers(): Map<string | null, number> {
    return new Map([...this.#pools].map(([version, pool]) => [version, pool.lastNumber]));
  }

  /** What it should have now: an operator's word, else what its policy has made of it, within the configured range. */
  sizeOf(pool: Pool): number {
    const { min, max } = this.#config.workers;
    return this.pinnedSize(pool.version) ?? Math.min(max, Math.max(min, pool.desired));
  }

  /** In a pool that runs, nothing goes that serves. */
  #startPool(pool: Pool): Promise<unknown> {
    const size = this.pinnedSize(pool.version) ?? this.#config.workers.min;
    if (this.#config.kind !== 'model') return pool.start(size);
    if (pool.phase === 'running') return pool.start(Math.max(size, pool.desired));
    return all([pool.start(0), this.deps.life.start(this, pool, size)]);
  }

  /** How its size follows demand; undefined where the size is fixed. */
  sizing(pool: Pool): Sizing | undefined {
    return this.#sizings.get(pool);
  }

  #addPool(version: string | null): Pool {
    const { clock, random, events } = this.deps;
    const name = version === null ? this.name : `${this.name}@${version}`;
    const pool = new Pool(
      name,
      this.#config,
      this.parts.blueprint(this.#config, version),
      { clock, random, events, hasRoom: this.deps.hasRoom, work: this.parts.work(version) },
      version,
      this.#numbers.get(version) ?? 0,
    );
    this.#pools.set(version, pool);
    this.#configureSizing(pool);
    return pool;
  }

  #configureSizing(pool: Pool): void {
    const config = sizingConfig(this.#config);
    const { decided } = this.deps.events;
    const sizing = this.#sizings.get(pool);
    if (config === null || pool.work.demand === undefined) this.#sizings.delete(pool);
    else if (sizing) sizing.configure(config);
    else
      this.#sizings.set(
        pool,
        new Sizing(pool, config, {
          clock: this.deps.clock,
          decided,
          failed: (error) => this.deps.warn(`${pool.name} has not got its new size: ${error.message}`),
        }),
      );
  }

  /** The pools that a target names. @throws SupError SUP_NO_SUCH_TARGET */
  #select(version: string | null | undefined): Pool[] {
    if (version === undefined) return [...this.#pools.values()];
    const pool = this.#pools.get(version);
    if (!pool) throw new SupError('SUP_NO_SUCH_TARGET', `${this.name} has no version ${version}`);
    return [pool];
  }

  /** Resolves when every pool has its size ready. @throws SupError what kept it from it */
  async start(version?: string): Promise<void> {
    const pools = this.#select(version).filter((pool) => version !== undefined || this.serves(pool.version));
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
    await all(starting);
  }

  async stop(version?: string): Promise<void> {
    this.#stops++;
    this.#waitingFor = null;
    const stopping = this.#select(version).map((pool) => pool.stop());
    // Now, not after the drain: else connections would queue for workers that never come, and be reset at the end.
    if (!this.#restarting && !this.running) this.parts.close();
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
    this.#restarting = true;
    try {
      await this.stop(version);
    } finally {
      this.#restarting = false;
    }
    await this.start(version);
  }

  /**
   * Rolls pools over to this configuration and the code that is on disk now; versions come and go.
   * @param changed the versions that run other code now; null: all. Those of the same code go on as they are.
   * @throws SupError SUP_ACT_FAILED; what serves goes on serving
   */
  async reload(config: AppConfig, changed: ReadonlySet<string | null> | null = null): Promise<void> {
    if (!this.running) {
      this.#adopt(config);
      return this.start();
    }
    const wanted = new Set(this.parts.versions(config));
    const before = this.#config;
    this.#adopt(config);
    const gone = [...this.#pools].filter(([name]) => !wanted.has(name));
    const stays = [...this.#pools].filter(([name]) => wanted.has(name));
    const acts = gone.map(([name, pool]): Promise<unknown> => this.#removePool(name, pool));
    const rolled = stays.filter(
      ([name, pool]) => isRunning(pool) && pool.desired > 0 && (changed === null || changed.has(name)),
    );
    for (const [name, pool] of stays) {
      if (changed === null || changed.has(name)) acts.push(this.#roll(name, pool));
      else if (isRunning(pool)) acts.push(this.#resize(pool));
    }
    for (const name of wanted) {
      const pool = this.#pools.get(name) ?? this.#addPool(name);
      if (!isRunning(pool) && this.serves(name)) acts.push(this.#startPool(pool));
    }
    this.deps.changed(this);
    try {
      await all(acts);
    } catch (error) {
      // Policies and queues go back with the code that they were written for.
      if (acts.length === 1 && rolled.length === 1) this.#adopt(before);
      throw error;
    }
  }

  /** Code and options of a version that does not serve count from its next start. */

  async #roll(version: string | null, pool: Pool): Promise<void> {
    await pool.reload({ config: this.#config, blueprint: this.parts.blueprint(this.#config, version) });
    this.parts.renewed(version);
    await this.#resize(pool);
  }

  /** Changes that need no new process. Sizes follow at once. */
  async configure(config: AppConfig): Promise<void> {
    this.#adopt(config);
    await all([...this.#pools.values()].filter((p) => p.phase === 'running').map((pool) => this.#resize(pool)));
  }

  #adopt(config: AppConfig): void {
    // Whoever edits the size in the file means it: the file wins over an older pin.
    const { min, max } = this.#config.workers;
    if (min !== config.workers.min || max !== config.workers.max) this.#pins.clear();
    this.#config = config;
    this.parts.configure(config);
    for (const pool of this.#pools.values()) {
      pool.configure(config);
      this.#configureSizing(pool);
    }
  }

  async #resize(pool: Pool): Promise<void> {
    const size = this.sizeOf(pool);
    // Pinned to nothing and woken since: it goes when it is idle, not now.
    if (pool.desired !== size && pool.phase === 'running' && !(size === 0 && pool.desired > 0)) await pool.resize(size);
  }

  async #removePool(name: string | null, pool: Pool): Promise<void> {
    await pool.stop();
    this.#pools.delete(name);
    this.#sizings.delete(pool);
  }

  /** Pins the size; null takes the pin away. @throws SupError as `checkSize` */
  async scale(size: Size | null, version?: string): Promise<void> {
    const pools = this.#select(version).filter((pool) => pool.phase === 'running');
    const targets = pools.map((pool) => this.#checkSize(size, pool));
    const resizing = pools.map((pool, i) => {
      const target = targets[i] as number;
      if (size === null) this.#pins.delete(pool.version);
      else this.#pins.set(pool.version, target);
      return target > 0 && pool.desired === 0 ? this.deps.life.start(this, pool, target) : pool.resize(target);
    });
    this.deps.changed(this);
    await all(resizing);
  }

  /** Models alone. @throws SupError SUP_BAD_REQUEST, or why it did not load */
  async load(version?: string): Promise<void> {
    const pools = this.#select(version).filter((pool) => version !== undefined || this.serves(pool.version));
    await this.parts.open();
    await all(pools.map((pool) => this.deps.life.load(this, pool)));
  }

  /** Models alone: the next request loads it again. @throws SupError SUP_BAD_REQUEST, SUP_CONFLICT */
  async unload(version?: string): Promise<void> {
    await all(this.#select(version).map((pool) => this.deps.life.unload(this, pool, 'asked for by an operator')));
  }

  /** What the size would be. @throws SupError SUP_BAD_REQUEST below the least one, SUP_CONFLICT while it is stopped */
  checkSize(size: Size | null, version?: string): void {
    const pools = this.#select(version);
    for (const pool of pools.some(isRunning) ? pools.filter(isRunning) : pools) this.#checkSize(size, pool);
  }

  #checkSize(size: Size | null, pool: Pool): number {
    const least = this.#config.kind === 'model' ? 0 : 1;
    const current = pool.desired;
    const { min, max } = this.#config.workers;
    const auto = Math.min(max, Math.max(min, current));
    const target = size === null ? auto : 'to' in size ? size.to : current + size.by;
    const { name } = this;
    if (!isRunning(pool))
      throw new SupError('SUP_CONFLICT', `${pool.name} is stopped; start it first: supervisor start ${pool.name}`, {
        app: name,
      });
    if (target < least || target > MAX_WORKERS)
      throw new SupError(
        'SUP_BAD_REQUEST',
        `${name} has ${current} ${current === 1 ? 'worker' : 'workers'} and can have ${least} to ${MAX_WORKERS}, not ${target}${target === 0 ? `; to end it: supervisor stop ${name}` : ''}`,
        { app: name },
      );
    return target;
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

  /** @param box null: nothing is known of it */
  tick(now: number, stalled: boolean, box: BoxFacts | null): void {
    for (const pool of this.#pools.values()) {
      pool.tick(now, stalled);
      if (box && !stalled) this.#sizings.get(pool)?.tick(box, this.#pins.has(pool.version));
    }
  }

  /** Why a queue of it stands still, if one does. */
  get stalled(): string | null {
    return [...this.#pools.values()].find((pool) => pool.stalled !== null)?.stalled ?? null;
  }

  states(): { name: string; version: string | null; state: AppState }[] {
    return [...this.#pools].map(([version, pool]) => ({ name: this.name, version, state: poolState(pool).state }));
  }

  /** Exit code when all that it runs has ended by itself and stays so, the worst of them; else null. */
  endedWith(): number | null {
    const workers = [...this.#pools.values()].flatMap((pool) => (pool.phase === 'running' ? pool.active() : []));
    if (workers.length === 0 || workers.some((w) => w.ended === null)) return null;
    return Math.max(...workers.map((w) => w.exitCode ?? 1));
  }

  rows(): AppRow[] {
    return [...this.#pools].map(([version, pool]) => this.#row(version, pool));
  }

  #row(version: string | null, pool: Pool): AppRow {
    return appRow(this.#config, version, pool, this.#waitingFor, this.deps.clock.now());
  }
}

function isRunning(pool: Pool): boolean {
  return pool.phase === 'running';
}

/** Waits for all of them, then throws the first failure: an act is over only when each of its parts is. */
async function all(acts: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(acts)).find((r) => r.status === 'rejected');
  if (failed) throw failed.reason;
}
