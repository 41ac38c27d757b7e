import type { Colors } from '../context.js';
import { cut, flat, pad, widthOf } from './text.js';

export type Colour = 'green' | 'yellow' | 'red' | 'dim';

export interface Cell {
  text: string;
  colour?: Colour | null;
}

export interface Column<Row> {
  head: string;
  /** Where the width is short, the columns of the highest rank go first. */
  rank: number;
  cell(row: Row): Cell | string;
  align?: 'left' | 'right';
  /** At least so wide, so that the table stands still while its figures change. */
  least?: number;
  /** Takes what the others leave, and is cut instead of dropped. */
  flexible?: boolean;
}

interface Laid {
  head: string;
  rank: number;
  align: 'left' | 'right';
  flexible: boolean;
  cells: { text: string; colour: Colour | null }[];
  width: number;
}

const GAP = 2;
/** A flexible column is worth its place from here on. */
const LEAST_FLEXIBLE = 12;

/** A head and a line for each row, none wider than `width`. */
export function grid<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  colors: Colors,
): string[] {
  const shown = fitting(
    columns.map((column) => lay(column, rows)),
    width,
  );
  const line = (texts: readonly { text: string; colour: Colour | null }[]) =>
    texts
      .map(({ text, colour }, index) => {
        const { width: room, align } = shown[index]!;
        const last = index === texts.length - 1 && align === 'left';
        const padded = last ? cut(text, room) : pad(cut(text, room), room, align);
        return colour === null ? padded : colors[colour](padded);
      })
      .join(' '.repeat(GAP));
  return [
    line(shown.map(({ head }) => ({ text: head, colour: 'dim' }))),
    ...rows.map((_, index) => line(shown.map(({ cells }) => cells[index]!))),
  ];
}

function lay<Row>(column: Column<Row>, rows: readonly Row[]): Laid {
  const cells = rows.map((row) => {
    const cell = column.cell(row);
    return typeof cell === 'string'
      ? { text: flat(cell), colour: null }
      : { text: flat(cell.text), colour: cell.colour ?? null };
  });
  const widths = cells.map(({ text }) => widthOf(text));
  return {
    head: column.head,
    rank: column.rank,
    align: column.align ?? 'left',
    flexible: column.flexible ?? false,
    cells,
    width: Math.max(column.least ?? 0, widthOf(column.head), ...widths),
  };
}

/** Drops columns until the rest has room; the last one is cut where it still has none. */
function fitting(columns: readonly Laid[], width: number): Laid[] {
  const kept = [...columns];
  const needed = ({ flexible, width: natural }: Laid) => (flexible ? Math.min(natural, LEAST_FLEXIBLE) : natural);
  const total = () => kept.reduce((sum, column) => sum + needed(column), GAP * (kept.length - 1));
  while (kept.length > 1 && total() > width)
    kept.splice(kept.indexOf(kept.reduce((worst, column) => (column.rank > worst.rank ? column : worst))), 1);
  let left = width - total();
  return kept.map((column) => {
    if (kept.length === 1) return { ...column, width: Math.min(column.width, width) };
    const more = Math.min(column.width - needed(column), Math.max(0, left));
    left -= more;
    return { ...column, width: needed(column) + more };
  });
}
