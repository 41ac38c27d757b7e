import type { Sizing, WorkerResources } from '../../master/supervisor.js';
import type { Colors } from '../context.js';
import { table } from './table.js';
import { bytes, count, growth, milliseconds, NOTHING, share } from './values.js';

/** What `held_by` means to somebody who reads it for the first time. */
const HOLDS: Readonly<Record<string, string>> = {
  memory: 'memory',
  cpu: 'the CPU',
  cooldown: 'the cooldown after the last change',
  learning: 'what was learned: more workers answered no more',
  window: 'the down window',
  pressure: 'memory pressure',
  busy: 'busy workers',
  min: 'min',
  max: 'max',
};

/** `2 workers (min 1, max 4); demand asks for 3, held by memory` */
export function sizeInWords(sizing: Sizing): string {
  const { desired, min, max, pinned, target, held_by } = sizing;
  const size = `${workers(desired)} (min ${min}, max ${max})`;
  // Whether an idle model stays is a matter of unloading, and not of its size.
  const holder = held_by === 'min' && min === 0 ? 'its time to stay loaded' : (HOLDS[held_by ?? ''] ?? held_by);
  const hold = held_by === null ? '' : `, held by ${holder}`;
  if (pinned !== null) return `${size}; pinned to ${pinned} by hand until 'scale … auto'`;
  if (desired === 0) return `${size}; asleep: the first request starts one`;
  if (target === null) return `${size}; what demand asks for is not known yet${hold}`;
  return `${size}; demand asks for ${target}${hold}`;
}

/** `1 worker 120/s, 2 workers 233/s`: requests a second, as measured at each size. */
export function learnedInWords(sizing: Sizing): string {
  if (sizing.learned.length === 0) return 'nothing yet';
  return sizing.learned.map((at) => `${workers(at.workers)} ${rate(at.per_second)}/s`).join(', ');
}

export function resourcesTable(rows: readonly WorkerResources[], colors: Colors): string {
  const heads = [
    'worker',
    'memory',
    'limit',
    'rss',
    'pss',
    'uss',
    'virtual',
    'heap',
    'external',
    'loop',
    'lag',
    'gc',
    'threads',
    'files',
    'growth',
  ];
  return table(
    heads,
    rows.map((row) => [
      row.id,
      bytes(row.memory_bytes),
      bytes(row.limit_bytes),
      bytes(row.rss_bytes),
      bytes(row.pss_bytes),
      bytes(row.uss_bytes),
      bytes(row.vms_bytes),
      heap(row),
      bytes(row.external_bytes),
      share(row.event_loop_utilisation),
      milliseconds(row.event_loop_lag_ms),
      collections(row),
      count(row.threads),
      count(row.open_files),
      growth(row.growth_mb_per_minute),
    ]),
    colors,
  );
}

export function heap({ heap_used_bytes: used, heap_limit_bytes: limit }: WorkerResources): string {
  return used === null && limit === null ? NOTHING : `${bytes(used)} of ${bytes(limit)}`;
}

function collections({ gc_count, gc_ms }: WorkerResources): string {
  return gc_count === null ? NOTHING : `${gc_count} in ${milliseconds(gc_ms)}`;
}

function workers(number: number): string {
  return number === 1 ? '1 worker' : `${number} workers`;
}

function rate(perSecond: number): string {
  return perSecond.toFixed(perSecond < 10 ? 1 : 0);
}
