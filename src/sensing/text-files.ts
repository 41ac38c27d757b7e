/** Small text files of the kernel: /proc and control groups. */
import { closeSync, openSync, readSync } from 'node:fs';

const FIRST_BUFFER_BYTES = 16 * 1024;

/** Shared: reads are synchronous, and a fresh buffer for each would be most of their cost. */
let buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES);

/** @throws Error of the file system, naming the file where it can't be opened */
export function readText(file: string): string {
  const fd = openSync(file, 'r');
  try {
    let length = 0;
    // The kernel may give a long file of this kind in parts.
    for (;;) {
      const bytes = readSync(fd, buffer, length, buffer.length - length, null);
      if (bytes === 0) return buffer.toString('latin1', 0, length);
      length += bytes;
      if (length === buffer.length) buffer = Buffer.concat([buffer], 2 * length);
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * The text of a file that is kept open, as it is now. For those that the kernel writes in one go, such as /proc/<pid>/stat: one call.
 * @throws Error of the file system
 */
export function readAgain(fd: number): string {
  return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
}

/** No such file, or no such feature: kernels without it may refuse only at the read. ENODEV: the control group is gone. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EOPNOTSUPP', 'ENODEV']);

/** Null where there is no such file. @throws Error of the file system, where it is there and may not be read */
export function readIfThere(file: string): string | null {
  try {
    return readText(file);
  } catch (error) {
    if (ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** A whole number of at least 0; null for any other text, also for one that is too large to count with. */
export function count(text: string | undefined): number | null {
  if (text === undefined || !/^\d+$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}

/** @throws Error that names `what`, where it is no such number */
export function countOf(what: string, text: string | undefined): number {
  const number = count(text?.trim());
  if (number === null) throw new Error(`${what} is no number: ${JSON.stringify(text?.slice(0, 40) ?? null)}`);
  return number;
}

/**
 * The number in a line such as `MemTotal:   24684084 kB` or `inactive_file 1241088`.
 * @param key with what ends it: `MemTotal:`, `inactive_file `
 * @throws Error as countOf
 */
export function numberAt(key: string, text: string): number {
  const start = text.startsWith(key) ? 0 : text.indexOf(`\n${key}`) + 1;
  if (start === 0 && !text.startsWith(key)) throw new Error(`${key.trim()} is missing`);
  const end = text.indexOf('\n', start);
  const value = text.slice(start + key.length, end === -1 ? undefined : end).trim();
  return countOf(key.trim(), value.split(' ', 1)[0]);
}
