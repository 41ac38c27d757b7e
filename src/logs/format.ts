import type { LogLine } from '../master/supervisor.js';

export type LogFormat = 'json' | 'plain';

/** Lines that arrived together: `text` holds at least one, joined by '\n' without a final one. */
export interface Block {
  /** ISO 8601. */
  time: string;
  worker: string;
  stream: LogLine['stream'];
  text: string;
}

const NEEDS_ESCAPE = /["\\\u0000-\u0009\u000b-\u001f]/;
const PLAIN_LINE = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (\S+) (stdout|stderr|supervisor) \| ?(.*)$/s;

/** The block as it goes into the file, with a final newline. */
export function formatBlock(app: string, block: Block, format: LogFormat): string {
  const { time, worker, stream, text } = block;
  if (format === 'plain') return wrapLines(text, `${time} ${worker} ${stream} | `, '');
  const head = `{"time":"${time}","app":${JSON.stringify(app)},"worker":${JSON.stringify(worker)},"stream":"${stream}","line":`;
  // Escaping line by line costs several times more, and most output has nothing to escape.
  if (!NEEDS_ESCAPE.test(text)) return wrapLines(text, `${head}"`, '"}');
  let escaped = '';
  for (const line of text.split('\n')) escaped += `${head}${JSON.stringify(line)}}\n`;
  return escaped;
}

/** One replacement over the whole text: splitting and joining is half as fast and leaves more garbage. */
function wrapLines(text: string, before: string, after: string): string {
  const between = `${after}\n${before}`.replaceAll('$', '$$$$');
  return `${before}${text.replace(/\n/g, between)}${after}\n`;
}

/** One line of a file in either format (the format may have been changed half way), or null where it is neither. */
export function parseLine(app: string, text: string): LogLine | null {
  if (text.startsWith('{')) return parseJsonLine(app, text);
  const match = PLAIN_LINE.exec(text);
  if (!match) return null;
  const [, time = '', worker = '', stream, line = ''] = match;
  return { time, app, worker, stream: stream as LogLine['stream'], line };
}

function parseJsonLine(app: string, text: string): LogLine | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null; // A line that was cut off by a crash or a full disk.
  }
  const row = value as Partial<LogLine>;
  if (typeof row.time !== 'string' || typeof row.worker !== 'string' || typeof row.line !== 'string') return null;
  return { time: row.time, app, worker: row.worker, stream: row.stream ?? 'stdout', line: row.line };
}

/** The block's lines; `last` keeps only so many of the newest, without cutting up the others. */
export function linesOf(app: string, block: Block, last = Number.POSITIVE_INFINITY): LogLine[] {
  const { time, worker, stream, text } = block;
  const lines = text.slice(startOfLast(text, last)).split('\n');
  return lines.map((line) => ({ time, app, worker, stream, line }));
}

function startOfLast(text: string, lines: number): number {
  if (lines > text.length) return 0;
  let at = text.length;
  for (let left = lines; left > 0; left--) {
    if (at === 0) return 0;
    at = text.lastIndexOf('\n', at - 1);
    if (at < 0) return 0;
  }
  return at + 1;
}
