import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { UsageError } from '../support/usage.js';

/** Seconds since 1970 pass this in the year 5138: a number above it counts something smaller. */
const MOST_SECONDS = 1e11;
const NUMBER = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i;
const ISO = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?$/i;

/**
 * The arrivals in a CSV file, one a line, ms since the first, ascending.
 * @param column of the header; its fields are seconds or ISO 8601 times
 * @throws UsageError naming the file, the line and the column
 */
export async function readTrace(file: string, column: string): Promise<Float64Array> {
  const stream = createReadStream(file, 'utf8');
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  const times: number[] = [];
  let index: number | null = null;
  let line = 0;
  try {
    for await (const text of lines) {
      line++;
      if (index === null) index = columnIndex(file, text.replace(/^\uFEFF/, ''), column);
      else if (text.trim() !== '') times.push(timeOf(`${file}:${line}`, fields(text)[index], column));
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} can't be read: ${(error as Error).message}`);
  } finally {
    lines.close();
    stream.destroy();
  }
  if (index === null) throw new UsageError(`${file} is empty: it needs a header with the column '${column}'`);
  if (times.length === 0) throw new UsageError(`${file} has no line after its header`);
  const at = Float64Array.from(times).sort();
  const first = at[0]!;
  return at.map((ms) => ms - first);
}

function columnIndex(file: string, header: string, column: string): number {
  const names = fields(header).map((name) => name.trim());
  const index = names.indexOf(column);
  if (index < 0) throw new UsageError(`${file}:1 has no column '${column}'; it has: ${names.join(', ')}`);
  return index;
}

/** @returns ms since 1970, or since whatever the file counts from */
function timeOf(where: string, field: string | undefined, column: string): number {
  const text = field?.trim();
  if (text === undefined || text === '') throw new UsageError(`${where} has nothing in column '${column}'`);
  if (NUMBER.test(text)) {
    const seconds = Number(text);
    if (Math.abs(seconds) > MOST_SECONDS)
      throw new UsageError(`${where}: ${text} in column '${column}' is too large for seconds; is it in ms?`);
    return seconds * 1000;
  }
  const [, date, time, zone] = ISO.exec(text) ?? [];
  // Without a zone it is UTC: in whatever zone this machine is in, a night in autumn would have an hour twice.
  const ms = Date.parse(`${date}T${time}${zone ?? 'Z'}`);
  if (Number.isNaN(ms))
    throw new UsageError(
      `${where}: '${text}' in column '${column}' is neither seconds (1700000000.25) nor an ISO 8601 time (2024-01-31T08:00:00Z)`,
    );
  return ms;
}

/** Of one line: separated by commas, in double quotes where they contain one (RFC 4180, but for line breaks within a field). */
function fields(line: string): string[] {
  const found: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g))
    found.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
  return found;
}
