import type { MessagePort } from 'node:worker_threads';
import type { FromWorker, LoadMessage } from '../src/worker/protocol.js';

/** What a thread host asks of one of its threads, as Piscina tasks. Results, and heartbeats, come over the port of `start`. */
export type ThreadTask =
  | { type: 'start'; port: MessagePort }
  | { type: 'load'; message: LoadMessage }
  | { type: 'predict'; batch: number; inputs: unknown[] }
  | { type: 'unload' };

/** To the thread over the port: Piscina's own way to abort a running task kills the thread. */
export interface ThreadAbort {
  type: 'abort';
  batch: number;
}

/** What a `load` task comes to. */
export type LoadResult = FromWorker & { type: 'loaded' | 'loadFailed' };
