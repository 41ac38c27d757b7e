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
export type ThreadNote = AbortMessage | MoreMessage | CleanupMessage | CheckMessage | SharingNote;

/** What a thread says to its host about values that it shares with its neighbours. */
export type SharingMessage =
  | { type: 'sharing'; step: 'want'; key: string }
  /** It has the value from now on, by its own loader or from a neighbour. */
  | { type: 'sharing'; step: 'has'; key: string }
  /** It has not, and does not want it any more: its loader threw, the value could not be passed on, or it has disposed of the last one. */
  | { type: 'sharing'; step: 'frees'; key: string }
  /** The neighbour that was to give it is gone. */
  | { type: 'sharing'; step: 'missed'; key: string }
  /** It lets go of all. Answered by `left`. */
  | { type: 'sharing'; step: 'leave' };

/** What the host says to it. A value goes over a port of its own, from the thread that is told to give to the one that is told to take. */
export type SharingNote =
  | { type: 'sharing'; step: 'load'; key: string }
  | { type: 'sharing'; step: 'give' | 'take'; key: string; port: MessagePort }
  /** `last`: nobody else holds these; `frees` is due for each, once it has disposed of it. */
  | { type: 'sharing'; step: 'left'; last: string[] };

/** What a `load` or `unload` task comes to. */
export type TaskResult = FromWorker & { type: 'loaded' | 'loadFailed' | 'unloaded' };
