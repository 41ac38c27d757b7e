import { chmodSync, closeSync, openSync, readSync, statSync } from 'node:fs';
import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface Rotation {
  sizeBytes: number;
  /** Rotated files that are kept beside the current one. */
  keep: number;
  maxAgeMs: number;
}

/** Rotated files of `file`, newest first. */
export async function rotatedFiles(file: string): Promise<{ path: string; index: number }[]> {
  const name = basename(file);
  const found: { path: string; index: number }[] = [];
  for (const entry of await readdir(dirname(file))) {
    const index = entry.startsWith(`${name}.`) ? Number(entry.slice(name.length + 1)) : Number.NaN;
    if (Number.isInteger(index) && index > 0) found.push({ path: join(dirname(file), entry), index });
  }
  return found.sort((a, b) => a.index - b.index);
}

/** x.log → x.log.1 → x.log.2 … Nobody may be writing to it. */
export async function shiftFiles(file: string): Promise<void> {
  for (const { path, index } of (await rotatedFiles(file)).reverse()) await rename(path, `${file}.${index + 1}`);
  await rename(file, `${file}.1`);
}

/** Deletes the rotated files beyond `keep`. */
export async function removeExcess(file: string, keep: number): Promise<void> {
  for (const { path, index } of await rotatedFiles(file)) if (index > keep) await unlink(path);
}

/** Rotated files whose last line is older than the maximum age. */
export async function expiredFiles(file: string, maxAgeMs: number, nowMs: number): Promise<string[]> {
  const expired: string[] = [];
  for (const { path } of await rotatedFiles(file))
    if (nowMs - (await stat(path)).mtimeMs > maxAgeMs) expired.push(path);
  return expired;
}

export async function removeExpired(file: string, maxAgeMs: number, nowMs: number): Promise<void> {
  for (const path of await expiredFiles(file, maxAgeMs, nowMs)) await unlink(path);
}

/** Tightens the mode of a file that is already there. Returns whether its last line lacks an end (crash, full disk). */
export function prepareFile(file: string): boolean {
  const info = statSync(file, { throwIfNoEntry: false });
  if (!info?.isFile()) return false;
  if ((info.mode & 0o777) !== 0o600) chmodSync(file, 0o600);
  if (info.size === 0) return false;
  const fd = openSync(file, 'r');
  try {
    const last = Buffer.alloc(1);
    readSync(fd, last, 0, 1, info.size - 1);
    return last[0] !== 0x0a;
  } finally {
    closeSync(fd);
  }
}
