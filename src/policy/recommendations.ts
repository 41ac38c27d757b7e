import type { PressureLevel } from './pressure.js';

export interface Advice {
  type: 'leak' | 'limit' | 'size' | 'pressure' | 'cpu' | 'disk' | 'event_loop' | 'gc';
  /** App, worker or `box`. */
  subject: string;
  message: string;
  suggestion: string;
  priority: 'low' | 'medium' | 'high';
  numbers: Record<string, number | string | null>;
}

export interface AdviceFacts {
  pressure: PressureLevel | null;
  usedBytes: number | null;
  limitBytes: number | null;
  cpuLevel: 'low' | 'moderate' | 'high' | 'critical' | null;
  cpuShare: number | null;
  disk: { path: string; totalBytes: number; freeBytes: number } | null;
  apps: readonly {
    name: string;
    desired: number;
    max: number;
    /** What demand asks for; null where the size is fixed or nothing is known. */
    target: number | null;
    heldBy: string | null;
  }[];
  workers: readonly {
    id: string;
    memoryBytes: number | null;
    limitBytes: number | null;
    growthMbPerMinute: number | null;
    suspected: boolean;
    secondsToLimit: number | null;
    lagMs: number | null;
    /** Share of its life that it spent collecting garbage. */
    gcShare: number | null;
  }[];
}

const DISK_LOW_SHARE = 0.1;
const NEAR_LIMIT_SHARE = 0.9;
const SLOW_LOOP_MS = 500;
const MUCH_GC_SHARE = 0.1;
const MB = 1e6;

/** What a person should look at, most urgent first. Nothing is said on missing data. */
export function recommend(facts: AdviceFacts): Advice[] {
  const order = { high: 0, medium: 1, low: 2 };
  return [...aboutBox(facts), ...facts.apps.flatMap(aboutApp), ...facts.workers.flatMap(aboutWorker)].sort(
    (a, b) => order[a.priority] - order[b.priority],
  );
}

function aboutBox({ pressure, usedBytes, limitBytes, cpuLevel, cpuShare, disk }: AdviceFacts): Advice[] {
  const advice: Advice[] = [];
  if (pressure === 'high' || pressure === 'critical')
    advice.push({
      type: 'pressure',
      subject: 'box',
      message: `memory pressure is ${pressure}`,
      suggestion:
        'lower the largest apps (workers.max, recycle.max_memory), or raise limits.memory if the machine has more',
      priority: pressure === 'critical' ? 'high' : 'medium',
      numbers: { used_bytes: usedBytes, limit_bytes: limitBytes },
    });
  if (cpuLevel === 'high' || cpuLevel === 'critical')
    advice.push({
      type: 'cpu',
      subject: 'box',
      message: `the CPU is ${cpuLevel === 'critical' ? 'exhausted' : 'busy'}: more workers would wait for it and serve no more`,
      suggestion: 'make the work cheaper, or move an app to another machine',
      priority: cpuLevel === 'critical' ? 'high' : 'medium',
      numbers: { cpu_share: cpuShare },
    });
  if (disk && disk.freeBytes < disk.totalBytes * DISK_LOW_SHARE)
    advice.push({
      type: 'disk',
      subject: 'box',
      message: `less than a tenth of the disk of ${disk.path} is free`,
      suggestion: 'delete what is not needed, or lower log.rotate.keep',
      priority: 'medium',
      numbers: { free_bytes: disk.freeBytes, total_bytes: disk.totalBytes },
    });
  return advice;
}

function aboutApp({ name, desired, max, target, heldBy }: AdviceFacts['apps'][number]): Advice[] {
  if (target === null || target <= desired) return [];
  const numbers = { desired, max, target };
  if (heldBy === 'max')
    return [
      {
        type: 'size',
        subject: name,
        message: `demand asks for ${target} workers, and ${max} are allowed`,
        suggestion: `raise apps.${name.split('@')[0]}.workers.max; supervisor bench ${name} tells what more workers bring`,
        priority: 'medium',
        numbers,
      },
    ];
  if (heldBy === 'memory')
    return [
      {
        type: 'size',
        subject: name,
        message: `demand asks for ${target} workers, and there is no memory for more than ${desired}`,
        suggestion: 'give it more memory (limits.memory), or make its workers smaller',
        priority: 'medium',
        numbers,
      },
    ];
  return [];
}

function aboutWorker(worker: AdviceFacts['workers'][number]): Advice[] {
  const { id, memoryBytes, limitBytes, growthMbPerMinute, suspected, secondsToLimit, lagMs, gcShare } = worker;
  const advice: Advice[] = [];
  if (suspected)
    advice.push({
      type: 'leak',
      subject: id,
      message: `its memory grows by ${growthMbPerMinute} MB a minute and does not come back`,
      suggestion: 'look for what it keeps (a heap snapshot); until then set recycle.max_memory, or leak.recycle: true',
      priority: 'high',
      numbers: { mb_per_minute: growthMbPerMinute, seconds_to_limit: secondsToLimit },
    });
  if (memoryBytes !== null && limitBytes !== null && memoryBytes > limitBytes * NEAR_LIMIT_SHARE)
    advice.push({
      type: 'limit',
      subject: id,
      message: `it uses ${Math.round(memoryBytes / MB)} MB of the ${Math.round(limitBytes / MB)} MB that it may`,
      suggestion: 'raise recycle.max_memory if that is what it needs; else it is replaced again and again',
      priority: 'low',
      numbers: { memory_bytes: memoryBytes, limit_bytes: limitBytes },
    });
  if (lagMs !== null && lagMs > SLOW_LOOP_MS)
    advice.push({
      type: 'event_loop',
      subject: id,
      message: `its event loop was blocked for ${Math.round(lagMs)} ms`,
      suggestion: 'move the heavy part to a worker thread, or split it up',
      priority: 'low',
      numbers: { lag_ms: Math.round(lagMs) },
    });
  if (gcShare !== null && gcShare > MUCH_GC_SHARE)
    advice.push({
      type: 'gc',
      subject: id,
      message: `it spends ${Math.round(gcShare * 100)} % of its time collecting garbage`,
      suggestion: 'give its heap more room (limits.heap), or make less garbage',
      priority: 'medium',
      numbers: { gc_share: gcShare },
    });
  return advice;
}
