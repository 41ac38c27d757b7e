/** What the file says about the box: what may be used of it, how often it is measured, and where pressure begins. */
import { z } from 'zod';
import * as field from './fields.js';
import type { LimitsConfig, PressureConfig } from './types.js';

const MIB = 1024 ** 2;

export const limits = z
  .strictObject({
    memory: field
      .sizeOrAuto({ minBytes: MIB })
      .describe('What all apps together may use; auto is what the machine or the control group has')
      .prefault('auto'),
    cpu: field
      .decimalOrAuto(0.1, 4096)
      .describe('Cores that all apps together may use, such as 1.5; auto is what the machine or the control group has')
      .prefault('auto'),
    gpu_memory: field
      .sizeOrAuto({ minBytes: MIB })
      .describe("What may be used of the GPUs' memory; auto is all")
      .prefault('auto'),
  })
  .describe('What all apps together may use of the box')
  .prefault({})
  .transform(
    (given): LimitsConfig => ({ memoryBytes: given.memory, cpuCores: given.cpu, gpuMemoryBytes: given.gpu_memory }),
  );

export const sensing = z
  .strictObject({
    interval: field
      .duration({ minMs: 100, maxMs: 60_000 })
      .describe('How often memory and CPU are measured')
      .prefault('1s'),
  })
  .describe('How the box and the workers are measured')
  .prefault({})
  .transform((given) => ({ intervalMs: given.interval }));

/** From low to high. A share is one of the memory limit. */
export const PRESSURE_LEVELS = { medium: '50%', high: '70%', critical: '85%' } as const;
export const MEMORY_RUNGS = { cleanup: '80%', recycle: '90%', emergency: '95%' } as const;

export const pressure = z
  .strictObject({
    medium: field.threshold().describe('From here the pressure is medium').prefault(PRESSURE_LEVELS.medium),
    high: field.threshold().describe('From here the pressure is high').prefault(PRESSURE_LEVELS.high),
    critical: field
      .threshold()
      .describe('From here the pressure is critical: pools above their fair share shrink')
      .prefault(PRESSURE_LEVELS.critical),
    cleanup: field
      .threshold()
      .describe('From here caches are trimmed and workers clean up')
      .prefault(MEMORY_RUNGS.cleanup),
    recycle: field
      .threshold()
      .describe('From here the largest worker above its fair share is replaced')
      .prefault(MEMORY_RUNGS.recycle),
    emergency: field
      .threshold()
      .describe('From here idle models go, nothing grows, and at last the largest worker is killed')
      .prefault(MEMORY_RUNGS.emergency),
    adaptive: z.boolean().describe('Let the levels follow what is usual on this box').prefault(false),
  })
  .describe('Where memory pressure begins: shares of the memory limit, or sizes')
  .prefault({})
  .transform((given): PressureConfig => given);

export const CPU_LEVELS = { moderate: '70%', high: '85%', critical: '95%' } as const;

export const cpu = z
  .strictObject({
    moderate: field.share({ min: 0.01 }).describe('From here the load is moderate').prefault(CPU_LEVELS.moderate),
    high: field.share({ min: 0.01 }).describe('From here the load is high: no pool grows').prefault(CPU_LEVELS.high),
    critical: field.share({ min: 0.01 }).describe('From here the load is critical').prefault(CPU_LEVELS.critical),
  })
  .describe('Where CPU load is called high: shares of all cores, or of the quota')
  .prefault({});
