import path from 'node:path';
import type { ConfigChange, ConfigReport } from '../../master/config-report.js';
import type { Colors } from '../context.js';
import { printable } from '../printable.js';
import { table } from './table.js';

/** What is a default is dimmed: the others are what somebody wanted. */
export function originsTable(origins: ConfigReport['origins'], cwd: string, colors: Colors): string {
  const rows = Object.entries(origins).map(([key, { value, origin }]) =>
    origin === 'default'
      ? [key, text(value), { text: origin, colour: 'dim' as const }]
      : [key, text(value), nearPath(origin, cwd)],
  );
  return table(['KEY', 'VALUE', 'ORIGIN'], rows, colors);
}

export function changesText({ changed }: ConfigChange): string {
  if (changed.length === 0) return 'nothing changed';
  return changed.map(({ key, before, after }) => printable(`${key}: ${text(before)} → ${text(after)}`)).join('\n');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A file in or below this folder without the folder. */
function nearPath(origin: string, cwd: string): string {
  return origin.startsWith(`${cwd}${path.sep}`) ? origin.slice(cwd.length + 1) : origin;
}
