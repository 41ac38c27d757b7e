/** What `supervisor top` shows, as lines: pure, so that every width and height can be tried without a terminal. */
import type { Colors } from '../context.js';
import { type Column, grid } from './grid.js';
import { header, joined } from './header.js';
import {
  appColumns,
  clockTime,
  DECISION_COLUMNS,
  type SortKey,
  sorted,
  type TopData,
  workerColumns,
} from './sections.js';

export interface TopView {
  data: TopData;
  sort: SortKey;
  /** Why the data is no news; null while all is well. */
  trouble: string | null;
  /** There is a keyboard. */
  live: boolean;
}

interface Section {
  rows: number;
  /** A head and at most `room` lines, or one line that says that there is nothing. */
  lines(room: number): string[];
}

/** At most `height` lines, none wider than `width` columns; both may be Infinity. */
export function frame(view: TopView, width: number, height: number, colors: Colors): string[] {
  const { data } = view;
  const top = [title(view, width, colors), ...header(data.resources, width, colors)];
  const dim = (text: string) => joined([{ text, colour: 'dim' }], width, colors);
  const table = <Row>(rows: readonly Row[], columns: readonly Column<Row>[], none: string): Section => ({
    rows: rows.length,
    lines(room) {
      if (rows.length === 0) return [dim(none)];
      if (rows.length <= room || room < 2) return grid(columns, rows.slice(0, room), width, colors);
      const shown = rows.slice(0, room - 1);
      return [...grid(columns, shown, width, colors), dim(`… ${rows.length - shown.length} more`)];
    },
  });
  const latest: Section = {
    rows: data.decisions.length,
    lines: (room) =>
      data.decisions.length === 0
        ? [dim('no decisions yet')]
        : grid(DECISION_COLUMNS, data.decisions.slice(-room), width, colors),
  };
  const sections = [
    table(data.apps, appColumns(data), 'no apps'),
    table(sorted(data.resources.workers, view.sort), workerColumns(data), 'no workers'),
    latest,
  ];
  return [...top, ...body(sections, height - top.length)].slice(0, height);
}

function title({ data, sort, trouble, live }: TopView, width: number, colors: Colors): string {
  const time = { text: clockTime(data.resources.time) };
  const parts = trouble === null ? [{ text: 'supervisor' }, time] : [{ text: trouble, colour: 'red' as const }, time];
  if (live) parts.push({ text: `workers by ${sort} (m, c), q quits` });
  return joined(parts, width, colors);
}

/** An empty line and a head come with each section; one that has no room for a row is left out, the last ones first. */
function body(sections: readonly Section[], height: number): string[] {
  const kept: Section[] = [];
  let left = height;
  for (const section of sections) {
    const least = section.rows === 0 ? 2 : 3;
    if (left < least) break;
    kept.push(section);
    left -= least;
  }
  // A row for each in turn, so that a long list leaves the others theirs.
  const room = kept.map(({ rows }) => Math.min(rows, 1));
  for (let given = true; given && left > 0; ) {
    given = false;
    for (const [index, { rows }] of kept.entries())
      if (room[index]! < rows && left > 0) {
        room[index]!++;
        left--;
        given = true;
      }
  }
  return kept.flatMap((section, index) => ['', ...section.lines(room[index]!)]);
}
