/** What programs may import from 'model-supervisor'. */
import type { ModelPool } from './embed/model-pool.js';
import type { ModelPoolOptions } from './embed/pool-options.js';
import type { Supervisor } from './master/supervisor.js';

export {
  defineModel,
  type ModelContext,
  type ModelDefinition,
  type ModelLog,
  type ResourceSpec,
  type ShareOptions,
  type TensorSpec,
} from './define-model.js';
export type { CleanupHook } from './embed/cleanup-hook.js';
export {
  type CleanupOptions,
  type CleanupResult,
  checkAndCleanup,
  type MemorySnapshot,
  registerCleanup,
  snapshot,
} from './embed/memory.js';
export type { ModelPool, PoolStats } from './embed/model-pool.js';
export type {
  BoxOptions,
  CommonPoolOptions,
  ModelOptions,
  ModelPoolOptions,
  ModulePath,
} from './embed/pool-options.js';
export type { Ask, AskOptions } from './embed/pool-request.js';
export { type ErrorCode, SupError } from './errors.js';
export type { Plugin, PluginApi } from './master/plugins.js';
export type * from './master/supervisor.js';
export type { DecisionNotice, MonitorHooks, PressureChange, Span } from './monitor/hooks.js';
export { createResourceMonitor, type ResourceMonitor, type ResourceMonitorOptions } from './monitor/monitor.js';
export type { MonitorStatus } from './monitor/status.js';
export type { StrategyFacts, StrategyFunction } from './policy/unload/strategies.js';
export { type MeasuredSize, recommendSize, type SizeContext } from './sizing/recommend.js';

export interface SupervisorOptions {
  /** State folder. Default: `$SUPERVISOR_HOME`, else `~/.supervisor`. */
  home?: string;
  /** Overrides for the configuration (`SUPERVISOR__…`). Default: this process's environment. */
  env?: NodeJS.ProcessEnv;
}

/**
 * A master inside this process: the same that `supervisor start` runs in the background. It takes the state folder until `shutdown`.
 * @throws SupError SUP_MASTER_RUNNING when a master has the folder already
 */
export async function createSupervisor(options: SupervisorOptions = {}): Promise<Supervisor> {
  // Workers import this file too, for what is small in it.
  const [{ homePaths }, { createMaster }] = await Promise.all([
    import('./master/home.js'),
    import('./master/master.js'),
  ]);
  const env = options.env ?? process.env;
  const home = homePaths(options.home === undefined ? env : { ...env, SUPERVISOR_HOME: options.home });
  return createMaster({ home, env, echo: null });
}

/**
 * Models in workers of this program, without a master: no command, no port, no state folder. Resolves when they are ready, or idle where
 * they start on demand. The workers end with `close`, and with the program, however that ends.
 * @throws SupError SUP_CONFIG_INVALID that names every wrong key, or why a model did not start
 */
export async function createModelPool(options: ModelPoolOptions): Promise<ModelPool> {
  const { openModelPool } = await import('./embed/model-pool.js');
  return openModelPool(options);
}

/** A pool for as long as the function runs. */
export async function withPool<T>(options: ModelPoolOptions, use: (pool: ModelPool) => T | Promise<T>): Promise<T> {
  const pool = await createModelPool(options);
  try {
    return await use(pool);
  } finally {
    await pool.close();
  }
}
