/** What one app may use, how its size follows its demand, and when it is said to leak. */
import { z } from 'zod';
import * as field from './fields.js';
import { toZeroAfter } from './model-schema.js';
import type { LeakConfig, ScaleConfig } from './types.js';

const MIB = 1024 ** 2;
const HOUR_MS = 3_600_000;
/** Below this, Node itself does not start. */
const SMALLEST_HEAP_BYTES = 16 * MIB;

const scaleKeys = {
  headroom: field
    .decimal(0, 100)
    .describe('Workers in hand: for an offered load of a, the size is a + headroom·√a')
    .prefault(1.2),
  target: field
    .decimal(0.01, 1_000_000)
    .nullable()
    .describe('Requests in flight and waiting for each worker, in the mean; replaces the offered load where it is set')
    .prefault(null),
  up_window: field
    .duration({ minMs: 1000, maxMs: HOUR_MS })
    .describe('The time over which demand is measured')
    .prefault('5s'),
  up_cooldown: field.duration({ maxMs: HOUR_MS }).describe('The least time between two growths').prefault('10s'),
  down_window: field
    .duration({ minMs: 1000, maxMs: 24 * HOUR_MS })
    .describe('The size shrinks to the most that was needed in this time')
    .prefault('120s'),
};

const SCALE_TEXT = 'How the size follows the demand, where `workers` is a range';

export const scale = z.strictObject(scaleKeys).describe(SCALE_TEXT).prefault({}).transform(scaleConfig);

/** Models may go down to nothing, too. */
export const modelScale = z
  .strictObject({ ...scaleKeys, to_zero_after: toZeroAfter })
  .describe(SCALE_TEXT)
  .prefault({})
  .transform((given) => ({ ...scaleConfig(given), toZeroAfterMs: given.to_zero_after }));

function scaleConfig(given: z.output<z.ZodObject<typeof scaleKeys>>): ScaleConfig {
  return {
    headroom: given.headroom,
    target: given.target,
    upWindowMs: given.up_window,
    upCooldownMs: given.up_cooldown,
    downWindowMs: given.down_window,
  };
}

export const leak = z
  .strictObject({
    window: field
      .duration({ minMs: 60_000, maxMs: 24 * HOUR_MS })
      .describe('How long memory must grow steadily')
      .prefault('15m'),
    min_growth: field.size().describe('Growth a minute; less is no leak').prefault('1MiB'),
    recycle: z.boolean().describe('Replace a worker that is suspected').prefault(false),
  })
  .describe('When a worker is suspected of leaking memory')
  .prefault({})
  .transform(
    (given): LeakConfig => ({ windowMs: given.window, minGrowthBytes: given.min_growth, recycle: given.recycle }),
  );

const memory = field
  .size({ minBytes: MIB })
  .nullable()
  .describe('What all workers of the app together should stay below')
  .prefault(null);
const heap = field
  .size({ minBytes: SMALLEST_HEAP_BYTES })
  .nullable()
  .describe("The most that V8's old space of one worker may hold")
  .prefault(null);
const LIMITS_TEXT = 'How much memory the app may use';

export const servingLimits = z
  .strictObject({ memory, heap })
  .describe(LIMITS_TEXT)
  .prefault({})
  .transform((given) => ({ memoryBytes: given.memory, heapBytes: given.heap }));

/** A command may be in any language: it has no heap that the supervisor knows. */
export const commandLimits = z
  .strictObject({ memory })
  .describe(LIMITS_TEXT)
  .prefault({})
  .transform((given): { memoryBytes: number | null; heapBytes: number | null } => ({
    memoryBytes: given.memory,
    heapBytes: null,
  }));
