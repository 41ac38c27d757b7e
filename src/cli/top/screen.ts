import type { Output } from '../io.js';

const CSI = '\u001b[';
/** The other screen, so that what was on the terminal comes back; no cursor; no wrapping, should a width be misjudged. */
const ENTER = `${CSI}?1049h${CSI}?25l${CSI}?7l${CSI}2J`;
const LEAVE = `${CSI}?7h${CSI}?25h${CSI}?1049l`;
/** A terminal that knows these shows the frame at once; others pass over them. */
const BEGIN = `${CSI}?2026h`;
const END = `${CSI}?2026l`;

/** For terminals that do not know their size (`docker exec -t`, `script`): they say 0, or nothing. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };

/** A terminal that is drawn over in place: of each frame only the lines that changed, in one write. */
export class Screen {
  #shown: readonly string[] | null = null;
  #entered = false;

  constructor(private readonly output: Output) {}

  get columns(): number {
    return this.output.columns || DEFAULT_SIZE.columns;
  }

  get rows(): number {
    return this.output.rows || DEFAULT_SIZE.rows;
  }

  enter(): void {
    this.#entered = true;
    this.output.write(ENTER);
  }

  draw(lines: readonly string[]): void {
    const shown = this.#shown ?? [];
    const first = this.#shown === null ? `${CSI}2J` : '';
    let changes = '';
    for (let row = 0; row < Math.max(lines.length, shown.length); row++)
      if (lines[row] !== shown[row]) changes += `${CSI}${row + 1};1H${lines[row] ?? ''}${CSI}K`;
    this.#shown = [...lines];
    if (first + changes !== '') this.output.write(BEGIN + first + changes + END);
  }

  /** The next frame is drawn whole: after a change of size the terminal's content is anyone's guess. */
  forget(): void {
    this.#shown = null;
  }

  /** Puts the terminal back; a second call does nothing. */
  leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.output.write(LEAVE);
  }
}
