import type { SizeRow } from '../../sizing/report.js';
import type { Colors } from '../context.js';
import { table } from './table.js';
import { bytes, milliseconds, NOTHING, percent, share } from './values.js';

/** What each size came to. */
export function sizesTable(sizes: readonly SizeRow[], colors: Colors): string {
  const heads = [
    'workers',
    'throughput',
    'p50',
    'p99',
    'memory',
    'cpu',
    'cpu of box',
    'speed-up',
    'efficiency',
    'clients',
    'errors',
  ];
  return table(
    heads,
    sizes.map((size) => [
      String(size.workers),
      rate(size.throughput),
      milliseconds(size.p50_ms),
      milliseconds(size.p99_ms),
      bytes(size.memory_bytes),
      percent(size.cpu_percent),
      percent(size.box_cpu_percent),
      size.speed_up === null ? NOTHING : `${size.speed_up.toFixed(2)}×`,
      share(size.efficiency),
      String(size.clients),
      size.errors > 0 ? { text: String(size.errors), colour: 'red' } : '0',
    ]),
    colors,
  );
}

/** Answers a second. */
export function rate(perSecond: number): string {
  const digits = perSecond >= 100 ? 0 : perSecond >= 10 ? 1 : 2;
  return `${perSecond.toLocaleString('en-US', { minimumFractionDigits: 0, maximumFractionDigits: digits })}/s`;
}
