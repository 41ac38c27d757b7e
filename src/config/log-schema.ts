/** `log:`, which the file and every app may have. An app's keys are laid over the file's, so all of them are optional. */
import { z } from 'zod';
import * as field from './fields.js';
import type { LogConfig } from './types.js';

const YEARS_MS = 3650 * 86_400_000;
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const DEFAULTS: LogConfig = {
  level: 'info',
  format: 'json',
  rotate: { sizeBytes: 50 * 1024 ** 2, keep: 5, maxAgeMs: 7 * 86_400_000 },
};

export const logOverrides = z.strictObject({
  level: z.enum(LEVELS).optional().describe('The least severe level that is kept. Default info'),
  format: z
    .enum(['json', 'plain'])
    .optional()
    .describe('json lines with time and worker, or the plain output. Default json'),
  rotate: z
    .strictObject({
      size: field.size({ minBytes: 1024 }).optional().describe('A log file is closed at this size. Default 50MiB'),
      keep: field.count(0, 10_000).optional().describe('Old files that are kept. Default 5'),
      max_age: field
        .duration({ minMs: 1000, maxMs: YEARS_MS })
        .optional()
        .describe('Older files are removed. Default 7d'),
    })
    .optional()
    .describe('When log files are closed and removed'),
});

/** The settings of `over` where it has them, else those of `base`. */
export function logOver(over: z.output<typeof logOverrides>, base: LogConfig = DEFAULTS): LogConfig {
  return {
    level: over.level ?? base.level,
    format: over.format ?? base.format,
    rotate: {
      sizeBytes: over.rotate?.size ?? base.rotate.sizeBytes,
      keep: over.rotate?.keep ?? base.rotate.keep,
      maxAgeMs: over.rotate?.max_age ?? base.rotate.maxAgeMs,
    },
  };
}
