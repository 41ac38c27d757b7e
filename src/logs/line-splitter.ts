/** Longest line that is kept whole; what is longer becomes several lines, each but the last ending in CUT_MARK (ASCII: one other
 * character would double the memory of the whole line). */
export const MAX_LINE_CHARS = 64 * 1024;
export const CUT_MARK = ' ...[cut at 64 KiB]';

/** Turns pieces of text into blocks of whole lines. Works on whole blocks, since one string a line is too dear in a flood. */
export class LineSplitter {
  #rest = '';

  /** Lines joined by '\n' without a final one, or null while no line is complete. */
  push(text: string): string | null {
    const end = text.lastIndexOf('\n');
    if (end < 0) {
      this.#rest += text;
      return this.#cutRest();
    }
    const lines = this.#rest + text.slice(0, end);
    this.#rest = text.slice(end + 1);
    const whole = cutLongLines(withoutReturns(lines));
    const cut = this.#cutRest();
    return cut === null ? whole : `${whole}\n${cut}`;
  }

  /** The last line, where it was not terminated. */
  end(): string | null {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? null : withoutReturns(rest);
  }

  #cutRest(): string | null {
    if (this.#rest.length <= MAX_LINE_CHARS) return null;
    const pieces = piecesOf(this.#rest);
    this.#rest = pieces.pop() ?? '';
    return pieces.join('\n');
  }
}

export function countLines(text: string): number {
  let lines = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

function withoutReturns(lines: string): string {
  return lines.includes('\r') ? lines.replace(/\r(?=\n|$)/g, '') : lines;
}

function cutLongLines(lines: string): string {
  if (lines.length <= MAX_LINE_CHARS) return lines;
  return lines
    .split('\n')
    .flatMap((line) => (line.length > MAX_LINE_CHARS ? piecesOf(line) : [line]))
    .join('\n');
}

function piecesOf(line: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (line.length - from > MAX_LINE_CHARS) {
    // Half a surrogate pair would be written as a replacement character.
    const to = from + MAX_LINE_CHARS - (isHighSurrogate(line.charCodeAt(from + MAX_LINE_CHARS - 1)) ? 1 : 0);
    pieces.push(line.slice(from, to) + CUT_MARK);
    from = to;
  }
  pieces.push(line.slice(from));
  return pieces;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
