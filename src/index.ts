/** What programs may import from 'model-supervisor'. */
import type { Supervisor } from './master/supervisor.js';

export {
  defineModel,
  type ModelContext,
  type ModelDefinition,
  type ModelLog,
  type ResourceSpec,
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
export { type ErrorCode, SupError } from './errors.js';
export type { Plugin, PluginApi } from './master/plugins.js';
export type * from './master/supervisor.js';
export type { DecisionNotice, MonitorHooks, PressureChange, Span } from './monitor/hooks.js';
export { createResourceMonitor, type ResourceMonitor, type ResourceMonitorOptions } from './monitor/monitor.js';
export type { MonitorStatus } from './monitor/status.js';
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
