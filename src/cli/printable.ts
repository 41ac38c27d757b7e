/**
 * Text of others (log lines, names, error messages) before it goes to a terminal. A program must not be able to move the
 * cursor, retitle the window or turn the reading direction of an operator's screen.
 */
const COLOUR = /\u001b\[[\d;:]*m/g;
/** C0 but tab, DEL, C1, marks and overrides of direction, line and paragraph separators, invisible joiners that fake names. */
const UNSAFE =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Colours are dropped, everything else that acts on a terminal is shown as its code. Newlines count: one line stays one line. */
export function printable(text: string): string {
  return text.replace(COLOUR, '').replace(UNSAFE, codeOf);
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON that says the same and is safe on a terminal: what JSON.stringify leaves raw is escaped. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(UNSAFE, (char) => (char === '\n' ? char : escaped(char)));
}

function codeOf(char: string): string {
  const code = char.charCodeAt(0);
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : escaped(char);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
