import { type ChildProcess, type IOType, type SpawnOptions, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Exit, Instance } from '../backend.js';
import { signalGroup } from '../kill.js';

/** Where the lines of a worker's output go. */
export interface OutputSink {
  attach(worker: string, stream: 'stdout' | 'stderr', readable: Readable): void;
  /** What it prints from now on is another's. */
  detach(readable: Readable): void;
}

/** Told of every process group that lives, so that none outlives the master. */
export interface GroupRegistry {
  /** In every child's environment: shows whose it is, also in the moment before it is on the list. */
  readonly mark: Readonly<Record<string, string>>;
  add(pgid: number): void;
  remove(pgid: number): void;
}

export interface ChildEnvironment {
  output: OutputSink;
  groups: GroupRegistry;
}

export interface ChildOptions {
  worker: string;
  file: string;
  args: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** fd 3 of the child, where it inherits a listening socket. */
  inheritFd: number | null;
  /** A message channel, and how its messages are encoded. */
  ipc: 'advanced' | 'json' | null;
}

/** How long the output of a dead child may stay open (grandchildren that left its group hold it) before we let go of it. */
const OUTPUT_LINGER_MS = 1000;
/** The same of its message channel. */
const MESSAGES_LINGER_MS = 200;

/**
 * Spawns a process as the leader of its own group and session. `onExit` is called exactly once, also when the spawn itself fails;
 * by then the rest of the group is killed: what a worker started does not outlive it.
 */
export function spawnChild(
  options: ChildOptions,
  environment: ChildEnvironment,
  onMessage: ((message: unknown) => void) | null,
  onExit: (exit: Exit) => void,
): ChildProcess {
  const stdio: NonNullable<Exclude<SpawnOptions['stdio'], string>> = ['ignore', 'pipe', 'pipe'];
  if (options.inheritFd !== null) stdio.push(options.inheritFd);
  if (options.ipc !== null) stdio.push('ipc' as IOType);
  const child = spawn(options.file, options.args, {
    cwd: options.cwd,
    env: { ...options.env, ...environment.groups.mark },
    stdio,
    detached: true,
    ...(options.ipc === null ? {} : { serialization: options.ipc }),
  });
  const { pid } = child;
  if (pid !== undefined) {
    environment.groups.add(pid);
    environment.output.attach(options.worker, 'stdout', child.stdout as Readable);
    environment.output.attach(options.worker, 'stderr', child.stderr as Readable);
  }
  if (onMessage) child.on('message', onMessage);

  let over = false;
  const finish = (exit: Exit) => {
    if (over) return;
    over = true;
    onExit(exit);
  };
  // A failed send (the child is gone) is an 'error' too; only without a pid was there never a process.
  child.on('error', (error: NodeJS.ErrnoException) => {
    if (pid === undefined) finish({ code: null, signal: null, message: spawnFailure(options, error) });
  });
  child.on('exit', (code, signal) => {
    if (pid !== undefined) {
      signalGroup(pid, 'SIGKILL');
      environment.groups.remove(pid);
    }
    const linger = setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, OUTPUT_LINGER_MS);
    child.once('close', () => clearTimeout(linger));
    afterMessages(child, () => finish({ code, signal, message: null }));
  });
  return child;
}

/** The end of a process may be seen before the last that it said: that is read first. */
function afterMessages(child: ChildProcess, done: () => void): void {
  if (!child.connected) {
    done();
    return;
  }
  const timer = setTimeout(done, MESSAGES_LINGER_MS);
  child.once('disconnect', () => {
    clearTimeout(timer);
    done();
  });
}

/** What a child that goes on prints is another worker's from now on. @param former where it went so far */
export function reattach(worker: string, child: ChildProcess, now: ChildEnvironment, former: ChildEnvironment): void {
  for (const stream of ['stdout', 'stderr'] as const) {
    const readable = child[stream];
    if (!readable) continue;
    former.output.detach(readable);
    now.output.attach(worker, stream, readable);
  }
}

/** A worker that is one child process. */
export function childInstance(worker: string, child: ChildProcess): Instance {
  const pid = child.pid ?? null;
  return {
    pid,
    thread: null,
    domain: worker,
    send(message) {
      // A failed send means that the worker is gone, which its exit tells.
      if (child.connected) child.send(message, () => {});
    },
    terminate(signal) {
      if (pid !== null) signalGroup(pid, signal);
    },
    kill() {
      if (pid !== null) signalGroup(pid, 'SIGKILL');
    },
  };
}

function spawnFailure(options: ChildOptions, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT')
    return `cannot start: ${options.file}: no such command (or no such folder ${options.cwd})`;
  if (error.code === 'EACCES') return `cannot start: ${options.file}: not executable`;
  return `cannot start ${options.file}: ${error.message}`;
}
