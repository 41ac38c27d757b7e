import type { FromWorker, ToWorker } from './protocol.js';

/** How a worker's process or thread ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What is known beyond code and signal: a spawn error, a thread's uncaught exception. */
  message: string | null;
}

export interface InstanceEvents {
  message(message: FromWorker): void;
  /** Once, and nothing after it. */
  exit(exit: Exit): void;
}

/** One life of a worker: a child process, or a thread in a host. A worker that restarts gets a new instance. */
export interface Instance {
  /** Of the process that runs it; for threads their host's. Null when it could not be spawned. */
  readonly pid: number | null;
  readonly thread: number | null;
  /** Workers of one domain die together. */
  readonly domain: string;
  send(message: ToWorker): void;
  /** Asks it to end: the signal to its process group; a thread is asked to unload. */
  terminate(signal: NodeJS.Signals): void;
  /** As `terminate`, but its process stays for the next launch if its memory comes back, and if that is `wanted` then. Its exit is told all the same. */
  park?(wanted: () => boolean): void;
  /** Ends it now: SIGKILL to the group; a thread is terminated, and with it its host when it does not obey. */
  kill(): void;
}

export interface Launch {
  worker: string;
  /** 0-based place in the pool, `NODE_APP_INSTANCE`. */
  slot: number;
}

/** How the workers of one pool and generation are run. */
export interface Backend {
  launch(launch: Launch, events: InstanceEvents): Instance;
  /** Nothing more is launched into this domain (a thread host gives its memory back only by ending). */
  leave(domain: string): void;
  /** A process that stays though nothing runs in it: the next launch may. Null: there is none. */
  readonly keptPid?: number | null;
  /** Ends that. Resolves when it is gone. */
  release?(): Promise<void>;
}

export function describeExit(exit: Exit): string {
  if (exit.message) return exit.message;
  return exit.signal ? `killed by ${exit.signal}` : `exited with code ${exit.code}`;
}
