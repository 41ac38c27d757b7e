import { closeSync, openSync } from 'node:fs';
import { isProcfs, type ProcessStat, parseStat, readStat } from './procfs.js';
import { readAgain } from './text-files.js';

/** The rest of the program needs descriptors too. */
const MOST_OPEN = 256;

/**
 * /proc/<pid>/stat of the same processes, again and again: what stays open is read with one call instead of four. An open one belongs to
 * its process and not to the pid: once that has ended it can't be read, whoever has the pid then.
 */
export class StatFiles {
  readonly #open = new Map<number, number>();
  readonly #stays: boolean;

  constructor(
    private readonly root = '/proc',
    private readonly mostOpen = MOST_OPEN,
  ) {
    // Elsewhere, what was opened would go on showing what has been deleted.
    this.#stays = isProcfs(root);
  }

  get open(): number {
    return this.#open.size;
  }

  /** Null when the process is gone. */
  read(pid: number): ProcessStat | null {
    const fd = this.#open.get(pid);
    if (fd === undefined) return this.#readFirst(pid);
    try {
      return parseStat(pid, readAgain(fd));
    } catch {
      // It has ended; the pid may be another's by now.
      this.#close(pid, fd);
      return this.#readFirst(pid);
    }
  }

  /** Closes what belongs to others than these. */
  keep(pids: { has(pid: number): boolean }): void {
    for (const [pid, fd] of this.#open) if (!pids.has(pid)) this.#close(pid, fd);
  }

  close(): void {
    for (const [pid, fd] of this.#open) this.#close(pid, fd);
  }

  #readFirst(pid: number): ProcessStat | null {
    if (!this.#stays || this.#open.size >= this.mostOpen) return readStat(pid, this.root);
    let fd: number;
    try {
      fd = openSync(`${this.root}/${pid}/stat`, 'r');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Others may need descriptors more than we do.
      if (code === 'EMFILE' || code === 'ENFILE') this.close();
      return code === 'ENOENT' ? null : readStat(pid, this.root);
    }
    this.#open.set(pid, fd);
    try {
      return parseStat(pid, readAgain(fd));
    } catch {
      // It ended between the two.
      this.#close(pid, fd);
      return null;
    }
  }

  #close(pid: number, fd: number): void {
    this.#open.delete(pid);
    closeSync(fd);
  }
}
