import type { AppConfig } from '../config/schema.js';
import type { Pool } from '../pool/pool.js';
import { all } from './all.js';
import type { AppKindParts } from './kind.js';
import type { Pins } from './pins.js';
import type { VersionPools } from './version-pools.js';

/** What a rollover needs of its app. */
export interface Rolling {
  readonly config: AppConfig;
  readonly parts: AppKindParts;
  readonly pools: VersionPools;
  readonly pins: Pins;
  serves(version: string | null): boolean;
  /** New queues, limits and policies, in place. */
  adopt(config: AppConfig): void;
  start(pool: Pool): Promise<void>;
  /** To the size that it is to have now. */
  resize(pool: Pool): Promise<void>;
  changed(): void;
}

/** How an app goes over to another configuration: versions are rolled over, resized, come and go, and no request is lost by it. */
export class Rollover {
  /** Versions that were to run other code and do not: the next one tries again. */
  readonly stale = new Set<string | null>();

  constructor(private readonly app: Rolling) {}

  /** Nothing runs: new code and versions count from the next start. */
  async prepare(config: AppConfig): Promise<void> {
    const { app } = this;
    const wanted = app.parts.versions(config);
    app.adopt(config);
    const gone = app.pools.all.filter(({ version }) => !wanted.includes(version));
    for (const version of wanted) this.#renew(version);
    await Promise.all(gone.map((pool) => this.#remove(pool)));
  }

  /**
   * @param changed the versions that run other code now; null: all. Those of the same code go on as they are.
   * @throws SupError SUP_ACT_FAILED; what serves goes on serving
   */
  async run(config: AppConfig, changed: ReadonlySet<string | null> | null): Promise<void> {
    const { app } = this;
    const { parts, pools, config: before } = app;
    const served = new Set(parts.served(before));
    const wanted = parts.versions(config);
    const isChanged = (version: string | null) => changed === null || changed.has(version);
    app.adopt(config);
    const acts: Promise<unknown>[] = [];
    let rolled = 0;
    for (const pool of pools.all) {
      const { version } = pool;
      if (!wanted.includes(version)) acts.push(this.#remove(pool));
      else if (pool.phase !== 'running') continue;
      else if (served.has(version) && !app.serves(version)) acts.push(this.#leave(pool));
      else if (isChanged(version)) {
        if (pool.desired > 0) rolled++;
        acts.push(this.#roll(pool));
      } else acts.push(app.resize(pool));
    }
    for (const version of wanted) {
      const known = pools.byVersion.get(version);
      if (known?.phase === 'running') continue;
      const pool = this.#renew(version);
      // One that was stopped by hand stays so, unless it is meant now.
      if (app.serves(version) && (!known || isChanged(version) || !served.has(version))) acts.push(app.start(pool));
    }
    app.changed();
    try {
      await all(acts);
    } catch (error) {
      // Policies and queues go back with the code that they were written for.
      if (acts.length === 1 && rolled === 1 && app.config === config) app.adopt(before);
      throw error;
    }
  }

  /** The pool of a version that does not run, with the code that it starts with next. */
  #renew(version: string | null): Pool {
    const { config, parts, pools } = this.app;
    const pool = pools.byVersion.get(version);
    if (!pool) return pools.add(version, config);
    pool.adopt({ config, blueprint: parts.blueprint(config, version) });
    return pool;
  }

  async #roll(pool: Pool): Promise<void> {
    const { config, parts, resize } = this.app;
    const { version } = pool;
    this.stale.add(version);
    await pool.reload({ config, blueprint: parts.blueprint(config, version) });
    this.stale.delete(version);
    parts.renewed(version);
    await resize(pool);
  }

  /** It is served no more: what is queued there is its own to answer. */
  async #leave(pool: Pool): Promise<void> {
    if (pool.phase === 'running') await this.app.parts.emptied(pool.version);
    if (this.app.serves(pool.version)) return;
    await pool.stop();
    this.app.changed();
  }

  async #remove(pool: Pool): Promise<void> {
    const { parts, pools, pins } = this.app;
    const { version } = pool;
    await this.#leave(pool);
    // It may have come back while it drained.
    if (parts.versions(this.app.config).includes(version) || pools.byVersion.get(version) !== pool) return;
    pools.remove(pool);
    pins.set(version, null);
    this.stale.delete(version);
    parts.removed(version);
  }
}
