import Table from 'cli-table3';
import type { Colors } from '../context.js';
import { printable } from '../printable.js';

export type Cell = string | { text: string; colour: 'green' | 'yellow' | 'red' | 'dim' };

const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((place) => [place, '']),
);

/** Columns without lines between them; cells may hold text of others. */
export function table(heads: string[], rows: Cell[][], colors: Colors): string {
  const grid = new Table({
    head: heads.map((head) => colors.dim(head)),
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows)
    grid.push(
      row.map((cell) => (typeof cell === 'string' ? printable(cell) : colors[cell.colour](printable(cell.text)))),
    );
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
