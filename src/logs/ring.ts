import type { LogLine } from '../master/supervisor.js';
import { type Block, linesOf } from './format.js';

export const RING_LINES = 500;
export const RING_CHARS = 256 * 1024;

export interface TailFilter {
  lines: number;
  since: Date | null;
  /** A worker, or a version of an app: `intents@v1/2`, `intents@v1`. */
  worker?: string | null;
}

/** Whether it is the wanted worker, or one of the wanted version. */
export function isWorkerOf(worker: string, wanted: string | null | undefined): boolean {
  return !wanted || worker === wanted || (worker.startsWith(wanted) && worker[wanted.length] === '/');
}

/**
 * The newest lines of an app. It keeps blocks and splits them when somebody looks, so that a flood costs one push a block.
 * A block has a line at least, hence RING_LINES blocks are enough for as many lines.
 */
export class Ring {
  readonly #blocks: Block[] = [];
  #chars = 0;

  push(block: Block): void {
    const text = block.text.length > RING_CHARS ? newestPart(block.text) : block.text;
    this.#blocks.push(text === block.text ? block : { ...block, text });
    this.#chars += text.length;
    while (this.#blocks.length > RING_LINES || (this.#chars > RING_CHARS && this.#blocks.length > 1))
      this.#chars -= this.#blocks.shift()!.text.length;
  }

  /** Newest `filter.lines` (at most RING_LINES) that pass, oldest first. */
  tail(app: string, filter: TailFilter): LogLine[] {
    const wanted = Math.min(filter.lines, RING_LINES);
    const newestFirst: LogLine[] = [];
    for (let i = this.#blocks.length - 1; i >= 0 && newestFirst.length < wanted; i--) {
      const block = this.#blocks[i]!;
      if (filter.since && Date.parse(block.time) < filter.since.getTime()) break;
      if (!isWorkerOf(block.worker, filter.worker)) continue;
      newestFirst.push(...linesOf(app, block, wanted - newestFirst.length).reverse());
    }
    return newestFirst.reverse();
  }
}

function newestPart(text: string): string {
  const tail = text.slice(-RING_CHARS);
  return tail.slice(tail.indexOf('\n') + 1);
}
