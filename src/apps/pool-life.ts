import type { Pool } from '../pool/pool.js';
import type { App } from './app.js';

/** Brings pools up and down: models wait for their turn and for room. */
export interface PoolLife {
  /** The pool runs already, with fewer workers or none. Resolves when it has this size, or with 0 where it starts on demand. */
  start(app: App, pool: Pool, size: number): Promise<void>;
  /** Resolves when what was begun is done. @throws SupError why it has not got its size */
  settled(app: App, pool: Pool): Promise<void>;
  /** Scaled to nothing by hand. @throws SupError SUP_CONFLICT where others cannot do without it */
  empty(app: App, pool: Pool): Promise<void>;
  /** @throws SupError SUP_BAD_REQUEST where it is no model's */
  load(app: App, pool: Pool): Promise<void>;
  /** @throws SupError SUP_BAD_REQUEST where it is no model's, SUP_CONFLICT while it loads */
  unload(app: App, pool: Pool, reason: string): Promise<void>;
}
