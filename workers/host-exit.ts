import { setTimeout as sleep } from 'node:timers/promises';
import type { FromHost, FromWorker, ThreadEnvelope } from '../src/worker/protocol.js';

/** How long the last lines and messages may take to leave. */
const FLUSH_DEADLINE_MS = 1000;

/** Resolves when what was printed so far is out, of a thread too, whose lines pass the main thread; or cannot get out. */
export async function flushOutput(): Promise<void> {
  await Promise.race([Promise.all([flush(process.stdout), flush(process.stderr)]), sleep(FLUSH_DEADLINE_MS)]);
}

/**
 * Ends the process once its output and its messages, `last` being the last of them, are out: pipes are asynchronous, and
 * `process.exit` cuts them off.
 */
export async function exitFlushed(
  code: number,
  last: FromWorker | ThreadEnvelope<FromWorker | FromHost>,
): Promise<never> {
  await Promise.race([Promise.all([flushOutput(), flushChannel(last)]), sleep(FLUSH_DEADLINE_MS)]);
  process.exit(code);
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

function flushChannel(last: object): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(last, undefined, undefined, () => resolve());
    else resolve();
  });
}
