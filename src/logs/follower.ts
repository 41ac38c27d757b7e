import type { Clock, Timer } from '../clock.js';
import type { LogLine } from '../master/supervisor.js';
import { type Block, linesOf } from './format.js';
import { countLines } from './line-splitter.js';

/** What a follower gets at once and how often: at most 40,000 lines or 5 MB a second. Nobody reads faster. */
export const BURST_LINES = 2000;
const BURST_CHARS = 256 * 1024;
const BURST_EVERY_MS = 50;

/**
 * Hands lines to one listener. The first lines after a pause go at once; in a flood the newest of each burst go,
 * and a line of the stream `supervisor` tells how many were skipped.
 */
export class Follower {
  #pending: Block[] = [];
  #pendingChars = 0;
  #skipped = 0;
  #timer: Timer | null = null;
  #ended = false;

  constructor(
    private readonly app: string,
    private readonly clock: Clock,
    private readonly onLine: (line: LogLine) => void,
  ) {}

  push(block: Block): void {
    this.#pending.push(block);
    this.#pendingChars += block.text.length;
    while (this.#pendingChars > BURST_CHARS && this.#pending.length > 1) {
      const dropped = this.#pending.shift()!;
      this.#pendingChars -= dropped.text.length;
      this.#skipped += countLines(dropped.text);
    }
    if (!this.#timer && !this.#ended) this.#flush();
  }

  /** Ends the deliveries; what is pending is dropped. */
  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#pending = [];
  }

  #flush(): void {
    const blocks = this.#pending;
    this.#pending = [];
    this.#pendingChars = 0;
    this.#timer = null;
    if (blocks.length === 0) return;
    // Before the lines are handed out: a listener may end this follower.
    this.#timer = this.clock.setTimeout(() => this.#flush(), BURST_EVERY_MS);
    const bursts: LogLine[][] = [];
    let room = BURST_LINES;
    let skipped = this.#skipped;
    for (const block of blocks.reverse()) {
      const lines = room > 0 ? linesOf(this.app, block, room) : [];
      if (lines.length > 0) bursts.push(lines);
      room -= lines.length;
      if (room === 0) skipped += countLines(block.text) - lines.length;
    }
    const kept = bursts.reverse().flat();
    this.#skipped = 0;
    if (skipped > 0) this.onLine(skippedLine(this.app, kept[0]!, skipped));
    for (const line of kept) {
      if (this.#ended) return;
      this.onLine(line);
    }
  }
}

function skippedLine(app: string, next: LogLine, count: number): LogLine {
  return { time: next.time, app, worker: next.worker, stream: 'supervisor', line: `… ${count} lines skipped` };
}
