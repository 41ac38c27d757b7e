import type { App } from '../apps/app.js';
import type { AppConfig } from '../config/schema.js';
import type { DecisionLog } from './decisions.js';
import type { Registry } from './registry.js';
import { sizingRow } from './resource-rows.js';
import type { Resources } from './resources.js';
import type { AppDetail, ModelStatus } from './supervisor.js';
import type { Selection } from './targets.js';

const DECISIONS = 5;

/** All that there is to say about what a target names; environment variables by name only. */
export function describe(
  selection: Selection,
  registry: Registry,
  decisions: DecisionLog,
  resources: Resources,
  models: readonly ModelStatus[],
): AppDetail[] {
  const { app, version } = selection;
  const { config } = app;
  const entry = registry.get(app.name);
  return app
    .rows()
    .filter((row) => version === undefined || row.version === version)
    .map((row) => ({
      ...row,
      config_file: entry?.file ?? '',
      runs: runs(config, row.version),
      cwd: config.cwd,
      env_names: Object.keys(config.env).sort(),
      recycle: {
        max_users: config.recycle.maxUsers,
        user_key: config.recycle.userKey ? `header:${config.recycle.userKey.header}` : null,
        max_requests: config.recycle.maxRequests,
        jitter: config.recycle.jitter,
        max_age_ms: config.recycle.maxAgeMs,
        max_memory_bytes: config.recycle.maxMemoryBytes,
        max_concurrent: config.recycle.maxConcurrent,
      },
      restart: {
        policy: config.restart.policy,
        backoff_ms: config.restart.backoffMs,
        max_backoff_ms: config.restart.maxBackoffMs,
        max_restarts: config.restart.maxRestarts,
        window_ms: config.restart.windowMs,
        retry_after_ms: config.restart.retryAfterMs,
      },
      stop: { signal: config.stop.signal, grace_ms: config.stop.graceMs },
      model: models.find((model) => model.name === row.name && model.version === row.version) ?? null,
      ...measured(app, row.version, resources),
      decisions: decisions.list({
        subject: row.version === null ? row.name : `${row.name}@${row.version}`,
        limit: DECISIONS,
      }),
    }));
}

function measured(app: App, version: string | null, resources: Resources): Pick<AppDetail, 'sizing' | 'resources'> {
  const pool = app.pools.get(version);
  if (!pool) return { sizing: null, resources: [] };
  const { min, max } = app.config.workers;
  return {
    sizing: min === max && app.pinnedSize(version) === null ? null : sizingRow(app, pool),
    resources: pool.workers.filter((w) => w.state !== 'stopped').map((worker) => resources.worker(pool, worker)),
  };
}

function runs(config: AppConfig, version: string | null): string {
  switch (config.kind) {
    case 'model':
      return config.versions.find((v) => v.version === version)?.module ?? '';
    case 'http':
      if ('script' in config.runs) return config.runs.script;
      return 'handler' in config.runs ? config.runs.handler : config.runs.command.join(' ');
    case 'command':
      return config.command.join(' ');
  }
}
