import type { Clock } from '../clock.js';
import type { AppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import { Pool, type PoolEvents } from '../pool/pool.js';
import { Sizing } from '../pool/sizing.js';
import type { AppKindParts } from './kind.js';
import { sizingConfig } from './sizing-config.js';

export interface PoolsDependencies {
  clock: Clock;
  random: () => number;
  events: PoolEvents;
  /** Whether the box's memory has room for so much more. */
  hasRoom: (bytes: number) => boolean;
  warn: (text: string) => void;
}

/** The pools of an app, one for each version, and what sizes them. An app without versions has one, of version null. */
export class VersionPools {
  readonly #pools = new Map<string | null, Pool>();
  readonly #sizings = new Map<Pool, Sizing>();
  /** Worker numbers given so far, also by pools that are gone: numbers only grow. */
  readonly #numbers: Map<string | null, number>;

  constructor(
    private readonly parts: AppKindParts,
    private readonly deps: PoolsDependencies,
    numbers: ReadonlyMap<string | null, number>,
  ) {
    this.#numbers = new Map(numbers);
  }

  get byVersion(): ReadonlyMap<string | null, Pool> {
    return this.#pools;
  }
  get all(): Pool[] {
    return [...this.#pools.values()];
  }
  get running(): Pool[] {
    return this.all.filter((pool) => pool.phase === 'running');
  }
  get lastNumbers(): Map<string | null, number> {
    return new Map([...this.#numbers, ...this.all.map((pool) => [pool.version, pool.lastNumber] as const)]);
  }

  /** How its size follows demand; undefined where the size is fixed. */
  sizing(pool: Pool): Sizing | undefined {
    return this.#sizings.get(pool);
  }

  /** @param version undefined: all. @throws SupError SUP_NO_SUCH_TARGET */
  select(version: string | null | undefined, app: string): Pool[] {
    if (version === undefined) return this.all;
    const pool = this.#pools.get(version);
    if (!pool) throw new SupError('SUP_NO_SUCH_TARGET', `${app} has no version ${version}`);
    return [pool];
  }

  add(version: string | null, config: AppConfig): Pool {
    const { clock, random, events, hasRoom } = this.deps;
    const pool = new Pool(
      version === null ? config.name : `${config.name}@${version}`,
      config,
      this.parts.blueprint(config, version),
      { clock, random, events, hasRoom, work: this.parts.work(version) },
      version,
      this.#numbers.get(version) ?? 0,
    );
    this.#pools.set(version, pool);
    this.#configureSizing(pool, config);
    return pool;
  }

  remove(pool: Pool): void {
    this.#numbers.set(pool.version, pool.lastNumber);
    this.#pools.delete(pool.version);
    this.#sizings.delete(pool);
  }

  configure(config: AppConfig): void {
    for (const pool of this.all) {
      pool.configure(config);
      this.#configureSizing(pool, config);
    }
  }

  #configureSizing(pool: Pool, app: AppConfig): void {
    const config = sizingConfig(app);
    const { clock, events, warn } = this.deps;
    const sizing = this.#sizings.get(pool);
    if (config === null || pool.work.demand === undefined) this.#sizings.delete(pool);
    else if (sizing) sizing.configure(config);
    else
      this.#sizings.set(
        pool,
        new Sizing(pool, config, {
          clock,
          decided: events.decided,
          failed: (error) => warn(`${pool.name} has not got its new size: ${error.message}`),
        }),
      );
  }
}
