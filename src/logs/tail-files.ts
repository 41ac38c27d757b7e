import { type FileHandle, open } from 'node:fs/promises';
import type { LogLine } from '../master/supervisor.js';
import { parseLine } from './format.js';
import { isWorkerOf, type TailFilter } from './ring.js';
import { rotatedFiles } from './rotation.js';

const BLOCK_BYTES = 64 * 1024;
/** A tail is for looking; more than this of the newest output is a job for other tools. */
const MAX_READ_BYTES = 32 * 1024 * 1024;

/** Newest lines that pass the filter, oldest first, from the file and its rotated ones. Files that are gone count as empty. */
export async function tailFiles(app: string, file: string, filter: TailFilter): Promise<LogLine[]> {
  const newestFirst: LogLine[] = [];
  let budgetBytes = MAX_READ_BYTES;
  const rotated = await rotatedFiles(file).catch(() => []);
  for (const path of [file, ...rotated.map((r) => r.path)]) {
    const handle = await openForRead(path);
    if (!handle) continue;
    try {
      for await (const text of linesFromEnd(handle)) {
        budgetBytes -= text.length;
        const line = parseLine(app, text);
        if (!line) continue;
        if (filter.since && Date.parse(line.time) < filter.since.getTime()) return newestFirst.reverse();
        if (isWorkerOf(line.worker, filter.worker)) newestFirst.push(line);
        if (newestFirst.length >= filter.lines || budgetBytes <= 0) return newestFirst.reverse();
      }
    } finally {
      await handle.close();
    }
  }
  return newestFirst.reverse();
}

async function openForRead(path: string): Promise<FileHandle | null> {
  const handle = await open(path, 'r').catch(() => null); // Rotated away or unreadable: its lines are not to be had.
  if (handle && !(await handle.stat()).isFile()) {
    await handle.close();
    return null;
  }
  return handle;
}

async function* linesFromEnd(handle: FileHandle): AsyncGenerator<string> {
  let position = (await handle.stat()).size;
  // Bytes before the first newline seen so far: the end of a line whose begin is in an earlier block.
  let pieces: Buffer[] = [];
  while (position > 0) {
    const size = Math.min(BLOCK_BYTES, position);
    position -= size;
    const block = Buffer.allocUnsafe(size);
    const { bytesRead } = await handle.read(block, 0, size, position);
    const first = block.subarray(0, bytesRead).indexOf(0x0a);
    if (first < 0) {
      pieces.unshift(block.subarray(0, bytesRead));
      continue;
    }
    const text = Buffer.concat([block.subarray(first + 1, bytesRead), ...pieces]).toString('utf8');
    const lines = text.split('\n');
    for (let i = lines.length - 1; i >= 0; i--) if (lines[i] !== '') yield lines[i]!;
    pieces = [block.subarray(0, first)];
  }
  const text = Buffer.concat(pieces).toString('utf8');
  if (text !== '') yield text;
}
