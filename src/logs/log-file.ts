import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createStream, type RotatingFileStream } from 'rotating-file-stream';
import type { Clock, Timer } from '../clock.js';
import { messageOf } from '../errors.js';
import { countLines } from './line-splitter.js';
import { expiredFiles, prepareFile, type Rotation, removeExcess, removeExpired, shiftFiles } from './rotation.js';

const RETRY_MS = 5_000;
const CLOSE_MS = 2_000;
const AGE_CHECK_MAX_MS = 60_000;
const AGE_CHECK_MIN_MS = 50;

export interface LogFileOptions {
  path: string;
  rotation: Rotation;
  clock: Clock;
  /** Once for each time that the file goes bad, not for each failed write. */
  onWarning: (message: string) => void;
  /** There is room again after `write` answered false. */
  onDrain: () => void;
  /** The file can be written again after it could not; returns what to write first. */
  recovered: (lostLines: number) => string;
}

/**
 * A file that rotates by size (rotating-file-stream) and by age (here: the library's `interval` knows calendar steps only, and
 * begins anew with each open). While it cannot be written, text is counted and dropped: a full disk may stop no worker.
 */
export class LogFile {
  #stream: RotatingFileStream | null = null;
  #rotation: Rotation;
  /** Text that came while one stream is being exchanged for the next. */
  #held: string[] = [];
  #swapping = false;
  #swaps: Promise<void> = Promise.resolve();
  #closed: Promise<void> | null = null;
  #retry: Timer | null = null;
  #ageCheck: Timer | null = null;
  #begunAtMs: number;
  #bad = false;
  #lostLines = 0;

  constructor(private readonly options: LogFileOptions) {
    this.#rotation = options.rotation;
    this.#begunAtMs = options.clock.wall();
    this.#watchAge();
    this.#open();
  }

  /** Lines that reached no file since it was last writable. */
  get lostLines(): number {
    return this.#lostLines;
  }

  /** False while the file is bad: formatting for it would be wasted; tell `lose` how many lines it missed. */
  get writable(): boolean {
    return this.#stream !== null || this.#swapping;
  }

  lose(lines: number): void {
    this.#lostLines += lines;
  }

  /** `text`: whole lines, each with its newline. False: hold back until `onDrain`. */
  write(text: string): boolean {
    if (this.#swapping) {
      this.#held.push(text);
      return false;
    }
    if (!this.#stream) {
      this.#loseText(text);
      return true;
    }
    return this.#stream.write(text, (error) => {
      if (error) this.#loseText(text);
      else this.#bad = false;
    });
  }

  setRotation(rotation: Rotation): void {
    this.#rotation = rotation;
    this.#watchAge();
    this.reopen();
  }

  /** For a file that was moved away from under its name. */
  reopen(): void {
    this.#swap(() => this.#clean());
  }

  /** Resolves when all that was written before is in the file, or is given up. */
  async flush(): Promise<void> {
    await this.#swaps;
    const stream = this.#stream;
    if (!stream) return;
    await this.#bounded(new Promise((resolve) => stream.write('', () => resolve())));
  }

  close(): Promise<void> {
    this.#closed ??= this.#bounded(
      this.#swaps.then(async () => {
        const stream = this.#stream;
        this.#stream = null;
        if (stream) await ended(stream);
      }),
    );
    this.#retry?.cancel();
    this.#ageCheck?.cancel();
    return this.#closed;
  }

  #open(): void {
    const { path } = this.options;
    let unfinished = false;
    try {
      unfinished = prepareFile(path);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const stream = createStream(basename(path), {
      path: dirname(path),
      mode: 0o600,
      size: `${this.#rotation.sizeBytes}B`,
      // The library knows no 0; the one file too many goes at the `rotated` event.
      rotate: Math.max(1, this.#rotation.keep),
    });
    this.#stream = stream;
    stream.on('error', (error) => {
      if (this.#stream !== stream) return; // Already given up; its callbacks have counted what was lost.
      this.#stream = null;
      this.#fail(error);
      this.options.onDrain();
    });
    stream.on('drain', () => {
      if (this.#stream === stream) this.options.onDrain();
    });
    stream.on('rotated', () => {
      this.#begunAtMs = this.options.clock.wall();
      removeExcess(path, this.#rotation.keep).catch((error) => this.#warn(error));
    });
    stream.once('open', () => void this.#learnAge());
    if (unfinished) stream.write('\n');
    if (this.#lostLines > 0) this.#tellLoss(stream);
  }

  #tellLoss(stream: RotatingFileStream): void {
    const lost = this.#lostLines;
    stream.write(this.options.recovered(lost), (error) => {
      if (error) return;
      this.#bad = false;
      this.#lostLines -= lost;
    });
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    if (!this.#bad) {
      this.#bad = true;
      this.options.onWarning(
        `${this.options.path} cannot be written: ${messageOf(error)}; its lines are dropped, and it is tried again every ${RETRY_MS / 1000} s`,
      );
    }
    this.#retry = this.options.clock.setTimeout(() => this.#open(), RETRY_MS);
  }

  #loseText(text: string): void {
    this.#lostLines += countLines(text) - 1;
  }

  /** Ends the present stream, runs `between` while nobody writes, opens the next one. Starts at once: what is written from now on goes to the next. */
  #swap(between: () => Promise<void>): void {
    const start = () => this.#exchange(between);
    this.#swaps = this.#swapping ? this.#swaps.then(start) : start();
  }

  async #exchange(between: () => Promise<void>): Promise<void> {
    const stream = this.#stream;
    if (!stream || this.#closed) return;
    this.#swapping = true;
    this.#stream = null;
    await this.#bounded(ended(stream));
    await between().catch((error) => this.#warn(error));
    this.#swapping = false;
    this.#open();
    for (const text of this.#held.splice(0)) this.write(text);
    this.options.onDrain();
  }

  #watchAge(): void {
    this.#ageCheck?.cancel();
    const everyMs = Math.max(AGE_CHECK_MIN_MS, Math.min(AGE_CHECK_MAX_MS, this.#rotation.maxAgeMs / 4));
    this.#ageCheck = this.options.clock.setInterval(() => {
      this.#checkAge().catch((error) => this.#warn(error));
    }, everyMs);
  }

  /** Deleting and shifting happen between two streams: the library renames the same files when it rotates. */
  async #checkAge(): Promise<void> {
    const { clock, path } = this.options;
    if (!this.#stream) return;
    const { maxAgeMs } = this.#rotation;
    const due = clock.wall() - this.#begunAtMs > maxAgeMs;
    if (due) this.#begunAtMs = clock.wall();
    else if ((await expiredFiles(path, maxAgeMs, clock.wall())).length === 0) return;
    this.#swap(async () => {
      if (due && (await stat(path)).size > 0) await shiftFiles(path);
      await this.#clean();
    });
  }

  async #clean(): Promise<void> {
    await removeExcess(this.options.path, this.#rotation.keep);
    await removeExpired(this.options.path, this.#rotation.maxAgeMs, this.options.clock.wall());
  }

  async #learnAge(): Promise<void> {
    const info = await stat(this.options.path).catch(() => null); // Gone again: the next write or open finds out.
    const bornMs = info?.birthtimeMs ?? 0;
    if (bornMs > 0 && bornMs < this.#begunAtMs) this.#begunAtMs = bornMs;
  }

  #warn(error: unknown): void {
    // A file that another process took away meanwhile needs no word.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    this.options.onWarning(`${this.options.path}: rotation failed: ${messageOf(error)}`);
  }

  #bounded(work: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.options.clock.setTimeout(resolve, CLOSE_MS);
      void work.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

function ended(stream: RotatingFileStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed || stream.destroyed) return resolve();
    stream.once('close', () => resolve());
    stream.end();
  });
}
