import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { UsageError } from '../../support/usage.js';
import { Random } from '../random.js';
import type { RecordedCalls, TracedModel } from './calls.js';
import { drawnShape } from './shape.js';

export interface Recording {
  models: TracedModel[];
  days: number;
}

const DAY_MINUTES = 1440;
const MINUTE_COLUMN = /^\d+$/;
const COMMA = 44;
const ZERO = 48;
const NINE = 57;

/**
 * Calls a minute, in the format of the Azure Functions data set: a header, id columns, and then one column a minute, named by a number. Each file goes
 * on where the one before ended; a model that is missing in one was not called then. Sizes and times are drawn, by name and seed.
 * @param most models: a random choice of them, the same for the same seed; null: all
 * @throws UsageError naming file, line and column
 */
export async function readMinutes(files: readonly string[], most: number | null, seed: number): Promise<Recording> {
  const chosen = new Choice(most, seed);
  let fromMinute = 0;
  for (const file of files) fromMinute += await readFile(file, fromMinute, chosen);
  const models = chosen.models();
  if (models.length === 0) throw new UsageError(`${files.join(', ')}: no model was called`);
  return { models, days: fromMinute / DAY_MINUTES };
}

/** @returns how many minutes it covers, in whole days */
async function readFile(file: string, fromMinute: number, chosen: Choice): Promise<number> {
  const stream = createReadStream(file, 'utf8');
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  let header: { ids: number; minutes: number } | null = null;
  let line = 0;
  try {
    for await (const text of lines) {
      line++;
      if (header === null) header = columns(file, text.replace(/^\uFEFF/, ''));
      else if (text !== '') readRow(text, header, fromMinute, chosen, `${file}:${line}`);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} can't be read: ${(error as Error).message}`);
  } finally {
    lines.close();
    stream.destroy();
  }
  if (header === null) throw new UsageError(`${file} is empty: it needs a header`);
  return Math.ceil(header.minutes / DAY_MINUTES) * DAY_MINUTES;
}

function columns(file: string, header: string): { ids: number; minutes: number } {
  const names = header.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  const ids = names.findIndex((name) => MINUTE_COLUMN.test(name));
  const stray = names.findIndex((name, i) => i > ids && !MINUTE_COLUMN.test(name));
  if (ids < 1 || stray > 0)
    throw new UsageError(
      `${file}:1 must name id columns and then one column a minute (1, 2, … 1440)${stray > 0 ? `; '${names[stray]}' is neither` : ''}`,
    );
  return { ids, minutes: names.length - ids };
}

function readRow(
  text: string,
  header: { ids: number; minutes: number },
  fromMinute: number,
  chosen: Choice,
  where: string,
): void {
  let at = -1;
  for (let id = 0; id < header.ids; id++) {
    at = text.indexOf(',', at + 1);
    if (at < 0) throw new UsageError(`${where} ends within its id columns`);
  }
  const row = chosen.row(text.slice(0, at));
  if (row === null) return;
  // By hand: a day of the data set is 66 million fields, nearly all of them '0'.
  let minute = 0;
  while (at < text.length) {
    let count = 0;
    const from = ++at;
    for (; at < text.length && text.charCodeAt(at) !== COMMA; at++) {
      const digit = text.charCodeAt(at);
      if (digit < ZERO || digit > NINE) {
        at = text.indexOf(',', from);
        if (at < 0) at = text.length;
        count = countOf(text.slice(from, at), `${where}, minute ${minute + 1}`);
        break;
      }
      count = count * 10 + digit - ZERO;
    }
    if (count > 0) row.add(fromMinute + minute, count);
    minute++;
  }
  if (minute !== header.minutes)
    throw new UsageError(`${where} has ${minute} minutes, its header names ${header.minutes}`);
}

function countOf(field: string, where: string): number {
  const text = field.trim().replace(/^"(.*)"$/, '$1');
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0) throw new UsageError(`${where}: '${text}' is no count`);
  return count;
}

/** Minutes with calls of one model. */
class Row {
  #minutes: number[] = [];
  #counts: number[] = [];

  add(minute: number, count: number): void {
    // Where ids repeat within a file, both rows are the same model's.
    if (minute <= (this.#minutes.at(-1) ?? -1)) this.#insert(minute, count);
    else {
      this.#minutes.push(minute);
      this.#counts.push(count);
    }
  }

  calls(): RecordedCalls {
    return { kind: 'recorded', minutes: Uint32Array.from(this.#minutes), counts: Uint32Array.from(this.#counts) };
  }

  get called(): boolean {
    return this.#minutes.length > 0;
  }

  #insert(minute: number, count: number): void {
    const at = this.#minutes.findIndex((known) => known >= minute);
    if (this.#minutes[at] === minute) this.#counts[at]! += count;
    else {
      this.#minutes.splice(at, 0, minute);
      this.#counts.splice(at, 0, count);
    }
  }
}

/** Keeps the models with the smallest hashes: a random choice that is the same in each file, in one pass. */
class Choice {
  readonly #rows = new Map<string, { hash: number; row: Row }>();
  #largest: { name: string; hash: number } | null = null;

  constructor(
    private readonly most: number | null,
    private readonly seed: number,
  ) {}

  /** @returns null for one that is not chosen */
  row(name: string): Row | null {
    const known = this.#rows.get(name);
    if (known) return known.row;
    const hash = hashOf(name, this.seed);
    if (this.most !== null && this.#rows.size >= this.most) {
      this.#largest ??= this.#findLargest();
      if (hash >= this.#largest.hash) return null;
      this.#rows.delete(this.#largest.name);
      this.#largest = null;
    }
    const row = new Row();
    this.#rows.set(name, { hash, row });
    if (this.#largest && hash > this.#largest.hash) this.#largest = { name, hash };
    return row;
  }

  models(): TracedModel[] {
    return [...this.#rows]
      .filter(([, { row }]) => row.called)
      .map(([name, { hash, row }]) => ({ ...drawnShape(name, new Random(hash)), calls: row.calls() }));
  }

  #findLargest(): { name: string; hash: number } {
    let largest = { name: '', hash: -1 };
    for (const [name, { hash }] of this.#rows) if (hash > largest.hash) largest = { name, hash };
    return largest;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
