import type { Readable, Writable } from 'node:stream';

export interface Output extends Writable {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/** What a command has of the world; tests give it another one. */
export interface Io {
  stdin: Readable;
  stdout: Output;
  stderr: Output;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Ctrl-C is the listener's until it is taken away again; without one it ends the command. */
  onInterrupt(listener: () => void): () => void;
  /** SIGTERM and SIGHUP likewise, for a command that has to leave the terminal as it found it. */
  onTerminate(listener: () => void): () => void;
}

export const processIo: Io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  onInterrupt(listener) {
    process.on('SIGINT', listener);
    return () => void process.off('SIGINT', listener);
  },
  onTerminate(listener) {
    process.on('SIGTERM', listener).on('SIGHUP', listener);
    return () => void process.off('SIGTERM', listener).off('SIGHUP', listener);
  },
};
