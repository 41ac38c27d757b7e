import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { type Clock, systemClock } from '../clock.js';
import { messageOf } from '../errors.js';
import type { LogLine } from '../master/supervisor.js';
import { Follower } from './follower.js';
import { type Block, formatBlock, type LogFormat, linesOf } from './format.js';
import { countLines, LineSplitter } from './line-splitter.js';
import { LogFile } from './log-file.js';
import { Ring, type TailFilter } from './ring.js';
import type { Rotation } from './rotation.js';
import { tailFiles } from './tail-files.js';

export interface AppLogOptions {
  app: string;
  /** Folder of the logs; exists, mode 0700. Null: lines are in the ring and with the followers only. */
  dir: string | null;
  format: LogFormat;
  rotate: Rotation;
  onWarning: (message: string) => void;
  clock?: Clock;
}

export interface FollowOptions {
  /** Every line, in the turn it arrived in and however many there are: for who looks for a certain one. */
  everyLine?: boolean;
}

/** What one app's workers print: in `<dir>/<app>.log`, in a ring for a quick look, and live to followers. */
export class AppLog {
  readonly #app: string;
  readonly #clock: Clock;
  readonly #onWarning: (message: string) => void;
  readonly #file: LogFile | null;
  readonly #ring = new Ring();
  readonly #followers = new Set<(block: Block) => void>();
  /** Ends of attached streams; the one that wrote last is the last to go on after a pause, or the others would starve. */
  readonly #sources = new Map<Readable, () => void>();
  #format: LogFormat;
  #rotate: Rotation;
  #holding = false;
  #closed: Promise<void> | null = null;
  readonly #path: string | null;

  constructor(options: AppLogOptions) {
    this.#app = options.app;
    this.#clock = options.clock ?? systemClock;
    this.#onWarning = options.onWarning;
    this.#format = options.format;
    this.#rotate = options.rotate;
    this.#path = options.dir === null ? null : join(options.dir, `${options.app}.log`);
    this.#file =
      this.#path === null
        ? null
        : new LogFile({
            path: this.#path,
            rotation: options.rotate,
            clock: this.#clock,
            onWarning: options.onWarning,
            onDrain: () => this.#release(),
            recovered: (lost) => this.#recovered(lost),
          });
  }

  /** Lines that are missing in the file because it could not be written; near the edge of a full disk an estimate, since writes fail halfway. */
  get lostLines(): number {
    return this.#file?.lostLines ?? 0;
  }

  /** Reads until the stream closes or is detached; an unterminated last line counts as a line. */
  attach(worker: string, stream: 'stdout' | 'stderr', readable: Readable): void {
    const decoder = new StringDecoder('utf8');
    const splitter = new LineSplitter();
    const take = (text: string | null) => {
      if (text !== null) this.#accept({ time: this.#now(), worker, stream, text });
    };
    const onData = (chunk: Buffer | string) => {
      this.#sources.delete(readable);
      this.#sources.set(readable, finish);
      take(splitter.push(typeof chunk === 'string' ? chunk : decoder.write(chunk)));
    };
    const finish = () => {
      if (this.#sources.get(readable) !== finish) return;
      this.#sources.delete(readable);
      readable.off('data', onData).off('end', finish).off('close', finish);
      take(splitter.push(decoder.end()));
      take(splitter.end());
    };
    this.#sources.set(readable, finish);
    readable.on('data', onData);
    readable.once('end', finish);
    readable.once('close', finish);
    // A pipe that breaks ends like one that closes; what came before is kept.
    readable.on('error', finish);
    if (this.#holding) readable.pause();
  }

  /** What it says from now on is not read here. */
  detach(readable: Readable): void {
    const finish = this.#sources.get(readable);
    if (!finish) return;
    finish();
    readable.off('error', finish);
  }

  /** The supervisor's own words about a worker. */
  note(worker: string, line: string): void {
    this.#accept({ time: this.#now(), worker, stream: 'supervisor', text: line });
  }

  /** Newest lines, oldest first: from the ring, and from the files where more is asked for than it holds. */
  async tail(filter: TailFilter): Promise<LogLine[]> {
    const quick = this.#ring.tail(this.#app, filter);
    if (quick.length >= filter.lines || this.#file === null || this.#path === null) return quick;
    await this.#file.flush();
    const filed = await tailFiles(this.#app, this.#path, filter);
    return joinTails(filed, this.#ring.tail(this.#app, filter)).slice(-filter.lines);
  }

  /** Calls back with each new line. In a flood only the newest of each burst come, and a line that counts the others. */
  follow(onLine: (line: LogLine) => void, options: FollowOptions = {}): () => void {
    const guarded = (line: LogLine) => {
      try {
        onLine(line);
      } catch (error) {
        stop();
        this.#onWarning(`a listener to the log of ${this.#app} failed and gets no more lines: ${messageOf(error)}`);
      }
    };
    const follower = options.everyLine ? null : new Follower(this.#app, this.#clock, guarded);
    const push = follower
      ? (block: Block) => follower.push(block)
      : (block: Block) => {
          for (const line of linesOf(this.#app, block)) if (this.#followers.has(push)) guarded(line);
        };
    const stop = () => {
      this.#followers.delete(push);
      follower?.end();
    };
    this.#followers.add(push);
    return stop;
  }

  configure(options: { format: LogFormat; rotate: Rotation }): void {
    this.#format = options.format;
    const before = this.#rotate;
    const after = options.rotate;
    this.#rotate = after;
    if (before.sizeBytes !== after.sizeBytes || before.keep !== after.keep || before.maxAgeMs !== after.maxAgeMs)
      this.#file?.setRotation(after);
  }

  reopen(): void {
    this.#file?.reopen();
  }

  /** Writes what is left, unterminated lines included; bounded to 2 s. */
  close(): Promise<void> {
    if (this.#closed) return this.#closed;
    for (const [readable, finish] of [...this.#sources]) {
      finish();
      // Without a reader the pipe would fill up and stop a worker that still has to end.
      readable.resume();
    }
    this.#closed = this.#file?.close() ?? Promise.resolve();
    return this.#closed;
  }

  #accept(block: Block): void {
    if (this.#closed) return;
    this.#ring.push(block);
    for (const push of [...this.#followers]) push(block);
    if (this.#file === null) this.#yield();
    else if (!this.#file.writable) {
      this.#file.lose(countLines(block.text));
      this.#yield();
    } else if (!this.#file.write(formatBlock(this.#app, block, this.#format))) this.#hold();
  }

  /** Nothing holds a flood back now, and 32 reads of a pipe may come before anything else gets its turn. */
  #yield(): void {
    if (this.#holding) return;
    this.#hold();
    setImmediate(() => this.#release());
  }

  #hold(): void {
    if (this.#holding) return;
    this.#holding = true;
    for (const readable of this.#sources.keys()) readable.pause();
  }

  #release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    for (const readable of [...this.#sources.keys()]) readable.resume();
  }

  #recovered(lost: number): string {
    const text = `this file can be written again; about ${lost} ${lost === 1 ? 'line is' : 'lines are'} missing before this one`;
    return formatBlock(this.#app, { time: this.#now(), worker: this.#app, stream: 'supervisor', text }, this.#format);
  }

  #now(): string {
    return new Date(this.#clock.wall()).toISOString();
  }
}

/**
 * `filed` and `recent` overlap unless the file missed something: the newest of the one are the oldest of the other. `recent`
 * was taken later, so that the longest overlap is the right one, also where many lines are alike.
 */
export function joinTails(filed: LogLine[], recent: LogLine[]): LogLine[] {
  const first = recent[0];
  if (!first) return filed;
  for (let from = Math.max(0, filed.length - recent.length); from < filed.length; from++)
    if (filed.slice(from).every((line, i) => same(line, recent[i]!))) return [...filed.slice(0, from), ...recent];
  return [...filed.filter((line) => line.time < first.time), ...recent];
}

function same(a: LogLine, b: LogLine): boolean {
  return a.time === b.time && a.line === b.line && a.worker === b.worker && a.stream === b.stream;
}
