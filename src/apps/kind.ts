import type { AppConfig } from '../config/schema.js';
import type { Company } from '../pool/company.js';
import type { Blueprint, Work } from '../pool/work.js';
import type { ChildEnvironment } from '../worker/backends/child.js';
import type { ThreadHosts } from '../worker/backends/thread.js';

/** What the three kinds of app do differently; apps/app.ts does the rest. */
export interface AppKindParts {
  /** Names of the pools; null for the one of an app without versions. */
  versions(config: AppConfig): (string | null)[];
  /** Those of them that start with the app. */
  served(config: AppConfig): (string | null)[];
  /** Takes what its workers need (a listening socket) before the first of them starts. @throws SupError SUP_PORT_IN_USE */
  open(): Promise<void>;
  /** Gives it back after the last one is gone. */
  close(): void;
  work(version: string | null): Work;
  blueprint(config: AppConfig, version: string | null): Blueprint;
  /** The workers run new code: what was held against inputs of the old one is void. */
  renewed(version: string | null): void;
  /** Resolves when nothing is queued there that its workers are to answer. */
  emptied(version: string | null): Promise<void>;
  /** It is gone for good, or until it is made anew. */
  removed(version: string | null): void;
  /** New queues, limits and policies, in place. */
  configure(config: AppConfig): void;
}

export interface KindDependencies {
  workersDir: string;
  environment: ChildEnvironment;
  /** State folder, if there is one. */
  home: string | null;
  /** What models have in common whose threads share a host. */
  hosts: ThreadHosts;
  company: Company;
  /** Whether memory is plentiful enough to keep processes without a use. */
  calm: () => boolean;
}

/** What a worker finds in its environment: the master's own, the app's, and who it is. */
export function workerEnv(config: AppConfig, home: string | null, worker: string, slot: number): NodeJS.ProcessEnv {
  const { SUPERVISOR_HOME: _another, ...inherited } = process.env;
  return {
    ...inherited,
    ...config.env,
    NODE_APP_INSTANCE: String(slot),
    SUPERVISOR_APP: config.name,
    SUPERVISOR_WORKER: worker,
    ...(home !== null && { SUPERVISOR_HOME: home }),
  };
}
