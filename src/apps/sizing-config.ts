import type { AppConfig } from '../config/schema.js';
import type { SizingConfig } from '../pool/sizing.js';

/** What somebody at a browser waits without minding: http requests have no deadline that we know. */
const HTTP_DEADLINE_MS = 1000;

/** Null where its size is fixed, or nothing is known of its demand. */
export function sizingConfig(config: AppConfig): SizingConfig | null {
  const { workers, limits } = config;
  if (config.kind === 'command' || workers.min === workers.max) return null;
  const model = config.kind === 'model';
  return {
    workers,
    scale: config.scale,
    concurrency: model ? config.concurrency : 1,
    deadlineMs: model ? config.timeoutMs : HTTP_DEADLINE_MS,
    memoryBytes: limits.memoryBytes,
  };
}
