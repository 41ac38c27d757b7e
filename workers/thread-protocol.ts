import type { MessagePort } from 'node:worker_threads';
import type {
  AbortMessage,
  CheckMessage,
  CleanupMessage,
  FromWorker,
  LoadMessage,
  MoreMessage,
  PredictMessage,
} from '../src/worker/protocol.js';

/** What a thread host asks of one of its threads, as Piscina tasks. Results, and heartbeats, come over the port of `start`. */
export type ThreadTask =
  | { type: 'start'; port: MessagePort }
  | { type: 'load'; message: LoadMessage }
  | PredictMessage
  | { type: 'unload' };

/** To the thread over the port: what may not wait for a task to end. Piscina's own way to abort a running one kills the thread. */
export type ThreadNote = AbortMessage | MoreMessage | CleanupMessage | CheckMessage;

/** What a `load` or `unload` task comes to. */
export type TaskResult = FromWorker & { type: 'loaded' | 'loadFailed' | 'unloaded' };
