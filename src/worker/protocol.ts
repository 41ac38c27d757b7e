/**
 * What the master and its workers say to each other. Any process that speaks these messages can host a model; nothing here
 * assumes Node. Process workers get them over the child's IPC channel as they are; a thread host gets and sends them wrapped
 * in `{ thread, message }`; http workers use the `drain` and stats part only.
 *
 * Life of a model worker: `load` → (`loaded` | `loadFailed`) → many (`predict` → `chunk`… → `result`) → `unload` → `unloaded` → exit.
 * A host that sends no `unloaded` is fine: then nothing is known of how it ended but its exit.
 */

export interface LoadMessage {
  type: 'load';
  worker: string;
  app: string;
  version: string;
  /** Absolute path of the model's module. */
  module: string;
  /** The app's `options:` from the configuration, as they are. */
  options: Record<string, unknown>;
}

/** One batch. `timeoutMs` is what its last deadline had left when the message was sent. */
export interface PredictMessage {
  type: 'predict';
  batch: number;
  inputs: unknown[];
  timeoutMs: number;
  /** One input, whose answer is sent in `chunk` messages as it comes; the `result` at the end then carries no output. */
  stream?: true;
}

/** So many chunks of a stream have been read since the last such message: the worker may send as many more. */
export interface MoreMessage {
  type: 'more';
  batch: number;
  chunks: number;
}

/** Nobody waits for this batch any more: abort its `ctx.signal`. The slot stays busy until the result comes. */
export interface AbortMessage {
  type: 'abort';
  batch: number;
}

export type ToWorker =
  | LoadMessage
  | PredictMessage
  | AbortMessage
  | MoreMessage
  /** http: stop accepting, finish what is in flight, answer `drained`. `last`: no other worker takes the queue over. */
  | { type: 'drain'; last: boolean }
  /**
   * Model: call the module's `unload`, close resources, then exit by itself. `stay`: say `unloaded` and wait for the next `load`, or for an
   * `unload` without a model; a host that does not know how exits.
   */
  | { type: 'unload'; stay?: true }
  /** Limits at which a `stats` message is due at once instead of with the next heartbeat (http workers). */
  | { type: 'limits'; maxRequests: number | null; maxUsers: number | null }
  | CleanupMessage
  | CheckMessage;

/** How are you? Answered by `checked` with the same id. A model has no predictions in flight when it is asked. */
export interface CheckMessage {
  type: 'check';
  id: number;
}

/** Give memory back: run the cleanup hooks, then collect garbage; `collect`: only that. Answered by `cleaned` with the same id. */
export interface CleanupMessage {
  type: 'cleanup';
  id: number;
  level: CleanupRequest;
}

/** `trim`: caches that can be rebuilt cheaply. `emergency`: whatever can be done without. */
export type CleanupLevel = 'trim' | 'emergency';

/** `collect`: nothing is dropped and nobody is told; what is garbage already goes. */
export type CleanupRequest = CleanupLevel | 'collect';

/**
 * The answer to `unload`, before the worker exits, where a model was loaded: the model's `unload` has run, its resources are closed, and garbage
 * is collected where there may be much. Sizes are of its own isolate (heap in use + external), and of its process.
 */
export interface UnloadedMessage {
  type: 'unloaded';
  before: { liveBytes: number; rssBytes: number };
  after: { liveBytes: number; rssBytes: number };
  /** What the model's `unload` threw, or what of its resources could not be closed. */
  errors: string[];
}

/** How one input of a batch ended, in the order of the inputs. */
export type Outcome = { ok: true; output: unknown } | { ok: false; message: string; name: string };

/** Comes once for each batch that was sent, in whatever order they end. */
export interface ResultMessage {
  type: 'result';
  batch: number;
  outcomes: Outcome[];
  /** Wall time in the worker. */
  computeMs: number;
}

/**
 * A part of a streamed answer, in order. A worker is ahead of the reader by STREAM_WINDOW at most: a slow reader stops the model and fills
 * nobody's memory.
 */
export interface ChunkMessage {
  type: 'chunk';
  batch: number;
  value: unknown;
}

export interface StatsMessage {
  type: 'stats';
  /** Since this worker process started. */
  requests: number;
  users: number;
  inFlight: number;
}

/** Sent every HEARTBEAT_MS from the event loop that runs user code: silence means that the loop is blocked. */
export interface Heartbeat {
  type: 'heartbeat';
  requests: number;
  users: number;
  inFlight: number;
  /** Null from hosts that are not Node. */
  vitals: Vitals | null;
}

/** What only the worker itself knows; of its own V8 isolate, so of one thread where threads share a process. */
export interface Vitals {
  heapUsedBytes: number;
  heapTotalBytes: number;
  heapLimitBytes: number;
  /** Memory outside the heap that objects hold, array buffers included. */
  externalBytes: number;
  arrayBufferBytes: number;
  /**
   * Heap in use and external memory right after the last full garbage collection, of several since the last beat the least; null
   * before the first one.
   */
  liveBytes: number | null;
  /** 0..1: share of the time since the last beat in which the event loop was busy. */
  utilisation: number;
  /** The longest that the event loop was late since the last beat. */
  lagMs: number;
  /** Since the worker started. */
  gcCount: number;
  gcMs: number;
}

/** What a cleanup came to. Sizes are of the worker's own isolate (heap in use + external), and of its process. */
export interface CleanedMessage {
  type: 'cleaned';
  id: number;
  level: CleanupRequest;
  /** Garbage collections that it took; 0 where the engine could not be asked for one. */
  passes: number;
  before: { liveBytes: number; rssBytes: number };
  after: { liveBytes: number; rssBytes: number };
  /** Messages of hooks that threw. */
  errors: string[];
}

/** `ok`: the model says that it is well; where it can't say, that its loop turns. */
export interface CheckedMessage {
  type: 'checked';
  id: number;
  ok: boolean;
  /** Why not. */
  message: string | null;
}

export interface ModelInfo {
  platform: string;
  inputs: unknown[];
  outputs: unknown[];
  rows: boolean;
  /** `predict` answers with a stream of chunks, and takes one input at a time. */
  streams: boolean;
}

export type FromWorker =
  /** The worker's code runs (its loop turned once); the module is not loaded yet. */
  | { type: 'hello'; pid: number }
  | { type: 'loaded'; info: ModelInfo }
  | { type: 'loadFailed'; message: string; stack: string | null }
  | ResultMessage
  | ChunkMessage
  | Heartbeat
  | StatsMessage
  | CleanedMessage
  | CheckedMessage
  | UnloadedMessage
  /** http: listens on its port. `address` is what the program asked for. */
  | { type: 'listening'; address: string | null; port: number | null; mapped: boolean }
  | { type: 'drained' };

/** Envelope between the master and a thread host; `thread` 0 is the host itself. */
export interface ThreadEnvelope<M> {
  thread: number;
  message: M;
}

/** Master → thread host, about threads. */
export type ToHost =
  | { type: 'startThread'; thread: number; concurrency: number; resourceLimitsMb: number | null }
  /** Unloads it and then terminates it, at the latest after `graceMs` (5 s unless given; 0: at once). Answered by `threadExit`. */
  | { type: 'endThread'; thread: number; graceMs?: number };
/** Thread host → master. */
export type FromHost = { type: 'threadExit'; thread: number; message: string | null };

export const HEARTBEAT_MS = 1000;

/** Chunks of one stream that were sent and not read yet, whichever is reached first; one chunk may always be on its way, however large. */
export const STREAM_WINDOW = { chunks: 64, bytes: 256 * 1024 } as const;
