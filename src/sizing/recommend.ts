import os from 'node:os';
import { SupError } from '../errors.js';
import { decidePressure } from '../policy/pressure.js';
import { type BoxState, recommendSize as decideSize, type SizeContext } from '../policy/recommend-size.js';
import { readCgroupMemory, readCpuQuota } from '../sensing/cgroup.js';

export type { MeasuredSize, SizeContext } from '../policy/recommend-size.js';

/** As `pressure` in supervisor.yaml, where nothing else is set. */
const THRESHOLDS = { medium: 0.5, high: 0.7, critical: 0.85 };

/**
 * How many workers (or threads, or tasks at once) to go on with, by the state of this machine now and by what the caller knows.
 * Follow it step by step: it moves by little, and what it says next time depends on what came of it.
 * @throws SupError SUP_BAD_REQUEST for what is no number of workers
 */
export function recommendSize(question: { current: number; context?: SizeContext }): {
  workers: number;
  reason: string;
} {
  const { current, context = {} } = question ?? {};
  checkCount('current', current);
  for (const name of ['min', 'max'] as const)
    if (context[name] !== undefined) checkCount(`context.${name}`, context[name]);
  const { min = 1, max = min } = context;
  if (min > max) throw new SupError('SUP_BAD_REQUEST', `context.min (${min}) is above context.max (${max})`);
  return decideSize({ current, context, resources: boxState() });
}

function checkCount(name: string, value: number | undefined): void {
  if (value === undefined || !Number.isFinite(value) || value < 1)
    throw new SupError('SUP_BAD_REQUEST', `${name} must be a number of workers, at least 1`);
}

function boxState(): BoxState {
  const cores = os.cpus().length;
  const quota = tried(() => readCpuQuota());
  const [load = 0] = os.loadavg();
  return {
    ...memoryState(),
    // Windows has no load average and says 0.
    cpuShare: cores === 0 || process.platform === 'win32' ? null : load / Math.min(cores, quota?.cores ?? cores),
    cores: cores === 0 ? null : Math.min(cores, quota?.cores ?? cores),
  };
}

function memoryState(): Pick<BoxState, 'pressure' | 'roomBytes'> {
  const group = tried(() => readCgroupMemory());
  const limitBytes = group?.limitBytes ?? os.totalmem();
  const usedBytes = group?.limitBytes == null ? limitBytes - process.availableMemory() : group.workingSetBytes;
  const share = limitBytes > 0 ? usedBytes / limitBytes : null;
  if (share === null) return { pressure: null, roomBytes: null };
  return {
    pressure: decidePressure(share, 'low', THRESHOLDS).level,
    roomBytes: Math.max(0, THRESHOLDS.high * limitBytes - usedBytes),
  };
}

/** What this machine does not tell, in a form that we know, is not known. */
function tried<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
