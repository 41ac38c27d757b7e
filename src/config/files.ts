/** Checks and reads the files that a configuration names. */
import { accessSync, constants, readFileSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'dotenv';
import { messageOf } from '../errors.js';
import type { Report } from './report.js';

type Path = readonly string[];

/** What is asked of the disk while a configuration is read. */
export interface Disk {
  checkFile: typeof checkFile;
  checkFolder: typeof checkFolder;
  checkProgram: typeof checkProgram;
  readEnvFile: typeof readEnvFile;
}

const MAX_ENV_FILE_BYTES = 1024 ** 2;

/** @param written The path as it stands in the file: what a user recognises. */
export function checkFile(absolute: string, written: string, at: Path, report: Report): void {
  const stats = statOf(absolute);
  if (stats === null)
    report.problem(at, `there is no file${named(written, at, report)}; paths are relative to the file's folder`);
  else if (!stats.isFile()) report.problem(at, `is ${kindOf(stats)}${named(written, at, report)}, not a file`);
  else if (!isAllowed(absolute, constants.R_OK))
    report.problem(at, `the file${named(written, at, report)} cannot be read`);
}

export function checkFolder(absolute: string, written: string, at: Path, report: Report): void {
  const stats = statOf(absolute);
  if (stats === null)
    report.problem(at, `there is no folder${named(written, at, report)}; paths are relative to the file's folder`);
  else if (!stats.isDirectory()) report.problem(at, `is ${kindOf(stats)}${named(written, at, report)}, not a folder`);
}

/** A program named by a path must be there; a bare name is looked up in PATH when it is started. */
export function checkProgram(command: readonly string[], cwd: string, at: Path, report: Report): void {
  const program = command[0]!;
  const first = [...at, '0'];
  if (program === '') report.problem(first, 'the name of the program is empty');
  if (!program.includes('/')) return;
  const absolute = path.resolve(cwd, program);
  const stats = statOf(absolute);
  if (stats === null)
    report.problem(first, `there is no program${named(program, first, report)}; it is looked for from \`cwd\``);
  else if (!stats.isFile()) report.problem(first, `is ${kindOf(stats)}${named(program, first, report)}, not a program`);
  else if (!isAllowed(absolute, constants.X_OK)) {
    report.problem(
      first,
      `the file${named(program, first, report)} is not executable: make it so, or name its interpreter first`,
    );
  }
}

/** The variables of a .env file; nothing of them is ever shown. */
export function readEnvFile(absolute: string, written: string, at: Path, report: Report): Record<string, string> {
  const stats = statOf(absolute);
  if (!stats?.isFile()) {
    checkFile(absolute, written, at, report);
    return {};
  }
  if (stats.size > MAX_ENV_FILE_BYTES) {
    report.problem(at, `the file${named(written, at, report)} is larger than 1MiB`);
    return {};
  }
  try {
    return parse(readFileSync(absolute));
  } catch (error) {
    report.problem(at, `the file${named(written, at, report)} cannot be read: ${codeOf(error)}`);
    return {};
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
}

export function kindOf(stats: Stats): string {
  return stats.isDirectory() ? 'a folder' : stats.isFile() ? 'a file' : 'a device or pipe';
}

function statOf(absolute: string): Stats | null {
  try {
    return statSync(absolute);
  } catch {
    // Not there, or behind a folder that we may not enter: for whoever reads the message these are the same.
    return null;
  }
}

function isAllowed(absolute: string, mode: number): boolean {
  try {
    accessSync(absolute, mode);
    return true;
  } catch {
    // The one question asked; any reason is a no.
    return false;
  }
}

function named(written: string, at: Path, report: Report): string {
  return report.isSecret(at) ? '' : ` \`${written}\``;
}

export const DISK: Disk = { checkFile, checkFolder, checkProgram, readEnvFile };

/** For a file that was read before: what happened on the disk since then is no concern of what changes now. */
export const NO_DISK: Disk = {
  checkFile: () => undefined,
  checkFolder: () => undefined,
  checkProgram: () => undefined,
  readEnvFile: () => ({}),
};
