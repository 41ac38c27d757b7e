import type { LogLine } from '../../master/supervisor.js';
import type { Colors } from '../context.js';
import { printable } from '../printable.js';

export function logText(line: LogLine, colors: Colors): string {
  const paint = line.stream === 'stderr' ? colors.red : line.stream === 'supervisor' ? colors.cyan : colors.dim;
  return `${colors.dim(printable(line.time))} ${paint(printable(line.worker))} | ${printable(line.line)}`;
}
