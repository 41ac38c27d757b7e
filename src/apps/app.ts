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
  /** Something in the app's life changed: its queues may have to open or close. */
  changed: (app: App) => void;
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
  /** Size that an operator pinned with `scale`; null: the configuration's. */
  #pinned: number | null;
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
    taken: { pinned: number | null; numbers: ReadonlyMap<string | null, number> } = {
      pinned: null,
      numbers: new Map(),
    },
  ) {
    this.#config = config;
    this.#pinned = taken.pinned;
    for (const [version, number] of taken.numbers) this.#numbers.set(version, number);
    for (const version of parts.versions(config)) this.#addPool(version);
  }

  get name(): string {
    return this.#config.name;
  }
  get config(): AppConfig {
    return this.#config;
  }
  get pinned(): number | null {
    return this.#pinned;
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
  #sizeOf(pool: Pool): number {
    const { min, max } = this.#config.workers;
    return this.#pinned ?? Math.min(max, Math.max(min, pool.desired));
  }

  /** What it starts with. */
  #firstSize(): number {
    return this.#pinned ?? this.#config.workers.min;
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
    const pools = this.#select(version);
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
    const starting = pools.map((pool) => pool.start(this.#firstSize()));
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

  /** Rolls every pool over to this configuration and the code that is on disk now. @throws SupError SUP_ACT_FAILED; what serves goes on serving */
  async reload(config: AppConfig, version?: string): Promise<void> {
    if (!this.running) {
      this.#adopt(config);
      return this.start(version);
    }
    const wanted = new Set(this.parts.versions(config));
    const before = this.#config;
    this.#adopt(config);
    const selected = this.#select(version);
    const acts: Promise<void>[] = [];
    for (const [name, pool] of this.#pools) {
      if (!selected.includes(pool)) continue;
      if (!wanted.has(name)) acts.push(this.#removePool(name, pool));
      else if (pool.phase !== 'running') acts.push(pool.start(this.#firstSize()));
      else acts.push(this.#roll(name, pool));
    }
    for (const name of wanted) if (!this.#pools.has(name)) acts.push(this.#addPool(name).start(this.#firstSize()));
    this.deps.changed(this);
    try {
      await all(acts);
    } catch (error) {
      // Policies and queues go back with the code that they were written for.
      if (acts.length === 1) this.#adopt(before);
      throw error;
    }
  }

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
    if (min !== config.workers.min || max !== config.workers.max) this.#pinned = null;
    this.#config = config;
    this.parts.configure(config);
    for (const pool of this.#pools.values()) {
      pool.configure(config);
      this.#configureSizing(pool);
    }
  }

  async #resize(pool: Pool): Promise<void> {
    const size = this.#sizeOf(pool);
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
    const target = this.checkSize(size, version);
    this.#pinned = size === null ? null : target;
    const resizing = this.#select(version).map((pool) => pool.resize(target));
    this.deps.changed(this);
    await all(resizing);
  }

  /** What the size would be. @throws SupError SUP_BAD_REQUEST below the least one, SUP_CONFLICT while it is stopped */
  checkSize(size: Size | null, version?: string): number {
    const least = this.#config.kind === 'model' ? 0 : 1;
    const current = this.#select(version)[0]?.desired ?? 0;
    const { min, max } = this.#config.workers;
    const auto = Math.min(max, Math.max(min, current));
    const target = size === null ? auto : 'to' in size ? size.to : current + size.by;
    const { name } = this;
    if (!this.running)
      throw new SupError('SUP_CONFLICT', `${name} is stopped; start it first: supervisor start ${name}`, { app: name });
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
      if (box && !stalled) this.#sizings.get(pool)?.tick(box, this.#pinned !== null);
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

/** Waits for all of them, then throws the first failure: an act is over only when each of its parts is. */
async function all(acts: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(acts)).find((r) => r.status === 'rejected');
  if (failed) throw failed.reason;
}
