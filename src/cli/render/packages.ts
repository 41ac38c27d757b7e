/** How models are unloaded: what rules it, what it brought, and who goes next. */
import type { PackageRow } from '../../control/package-unloading-report.js';
import type { UnloadingColumns } from '../../control/unloading-columns.js';
import type { Colors } from '../context.js';
import { type Cell, table } from './table.js';
import { bytes, formatAge, NOTHING } from './values.js';

type Next = Pick<UnloadingColumns, 'unload_rank' | 'unload_why_not' | 'unload_in_seconds'>;

export function packagesTable(packages: readonly PackageRow[], colors: Colors): string {
  const heads = ['name', 'version', 'loaded', 'strategy', 'preference', 'idle', 'next', 'unloads', 'freed', 'memory'];
  return table(
    heads,
    packages.map((row) => [
      row.model,
      row.version,
      row.is_loaded ? 'yes' : 'no',
      strategyText(row),
      preferenceText(row),
      row.idle_seconds === null ? NOTHING : formatAge(row.idle_seconds),
      nextCell(row),
      String(row.unloading_metrics.total_unloads),
      row.unloading_metrics.total_unloads === 0 ? NOTHING : bytes(row.unloading_metrics.total_memory_freed),
      bytes(row.memory_bytes),
    ]),
    colors,
  );
}

/** `#1`: due, and the first to go; `#2 in 4m 10s`: when its time is over, as far as nobody needs the memory before; without a place, why it stays. */
export function nextCell({ unload_rank: rank, unload_why_not: whyNot, unload_in_seconds: left }: Next): Cell {
  if (rank === null) return whyNot ?? NOTHING;
  if (whyNot === null) return { text: `#${rank}`, colour: 'yellow' };
  return `#${rank} ${left !== null && left > 0 ? `in ${formatAge(left)}` : whyNot}`;
}

/** Lines of `describe`. */
export function unloadingFacts(row: PackageRow): [string, string][] {
  const { requires, needed_by: neededBy } = row;
  return [
    ['strategy', strategyText(row)],
    ['preference', preferenceText(row)],
    ...(requires.length > 0 ? [['requires', requires.join(', ')] as [string, string]] : []),
    ...(neededBy.length > 0 ? [['needed by', neededBy.join(', ')] as [string, string]] : []),
    ['unloads', unloadsText(row.unloading_metrics)],
    ...(row.is_loaded ? [['goes', goesText(row)] as [string, string]] : []),
  ];
}

function strategyText({ unloading_strategy: strategy, own_strategy: own }: PackageRow): string {
  return own === null ? `${strategy} (of the box)` : strategy;
}

function preferenceText({ user_preference_unload: allowed }: PackageRow): string {
  return allowed === null ? 'none' : allowed ? 'evict' : 'keep';
}

function unloadsText(metrics: PackageRow['unloading_metrics']): string {
  const { total_unloads: total, failed_unloads: failed, last_unload_time: last } = metrics;
  if (total === 0) return 'none';
  const parts = [
    `${total}, ${failed} failed`,
    `freed ${bytes(metrics.total_memory_freed)}, ${bytes(metrics.average_memory_freed_per_unload)} each`,
    `${metrics.reloaded_soon} loaded again soon`,
  ];
  if (last !== null)
    parts.push(`the last at ${new Date(last * 1000).toISOString()}: ${metrics.last_unload_reason ?? NOTHING}`);
  return parts.join('; ');
}

function goesText({ unload_rank: rank, unload_why_not: whyNot, unload_in_seconds: left }: Next): string {
  if (rank === null) return whyNot ?? NOTHING;
  const parts = [`number ${rank} in the order of going`, whyNot ?? 'due now'];
  if (whyNot !== null && left !== null && left > 0) parts.push(`idle for long enough in ${formatAge(left)}`);
  return parts.join('; ');
}
