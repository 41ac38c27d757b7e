/** Joins the tail of a log with the lines that come while it is read, and passes on what follows. */
import type { LogLine, Supervisor } from '../master/supervisor.js';
import type { SseStream } from './sse.js';

/** What may wait while the tail is read and sent. */
const MAX_PENDING_CHARS = 1024 * 1024;

export class LogFollow {
  #pending: LogLine[] = [];
  #pendingChars = 0;
  #stream: SseStream | null = null;
  #skipped = 0;
  readonly #unfollow: () => void;

  constructor(supervisor: Supervisor, target: string) {
    this.#unfollow = supervisor.followLogs(target, (line) => this.#take(line));
  }

  /** Sends the tail at the client's pace, then what came meanwhile and what comes. */
  async start(stream: SseStream, tail: readonly LogLine[]): Promise<void> {
    stream.onEnd(() => this.end());
    this.#pending = withoutRepeated(this.#pending, tail);
    for (const line of tail) {
      if (stream.congested) await stream.drained();
      stream.send('line', line);
    }
    if (this.#skipped > 0) stream.skipped(this.#skipped);
    for (const line of this.#pending) stream.send('line', line);
    this.#pending = [];
    this.#stream = stream;
  }

  end(): void {
    this.#unfollow();
  }

  #take(line: LogLine): void {
    if (this.#stream) {
      this.#stream.send('line', line);
      return;
    }
    this.#pendingChars += line.line.length;
    if (this.#pendingChars > MAX_PENDING_CHARS) this.#skipped += 1;
    else this.#pending.push(line);
  }
}

/** Lines that came before the tail was cut are in both. Compared by content, each as often as the tail has it. */
function withoutRepeated(pending: readonly LogLine[], tail: readonly LogLine[]): LogLine[] {
  if (pending.length === 0) return [];
  const counts = new Map<string, number>();
  for (const line of tail) {
    const key = keyOf(line);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return pending.filter((line) => {
    const key = keyOf(line);
    const left = counts.get(key) ?? 0;
    if (left > 0) counts.set(key, left - 1);
    return left === 0;
  });
}

function keyOf({ time, worker, stream, line }: LogLine): string {
  return `${time} ${worker} ${stream} ${line}`;
}
