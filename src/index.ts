/** What programs may import from 'model-supervisor'. */
import { homePaths } from './master/home.js';
import { createMaster } from './master/master.js';
import type { Supervisor } from './master/supervisor.js';

export {
  defineModel,
  type ModelContext,
  type ModelDefinition,
  type ModelLog,
  type ResourceSpec,
  type TensorSpec,
} from './define-model.js';
export { type ErrorCode, SupError } from './errors.js';
export type * from './master/supervisor.js';

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
export function createSupervisor(options: SupervisorOptions = {}): Promise<Supervisor> {
  const env = options.env ?? process.env;
  const home = homePaths(options.home === undefined ? env : { ...env, SUPERVISOR_HOME: options.home });
  return createMaster({ home, env, echo: null });
}
