import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Scope } from './scope.js';

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
  /** From spawn to the end of the process. */
  tookMs: number;
}

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  deadlineMs?: number;
}

const DEADLINE_MS = 120_000;

/** Runs a program to its end. @throws Error when it doesn't end in time or can't be started; an exit code is the caller's to judge */
export async function run(
  scope: Scope,
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const startedAt = performance.now();
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const child = spawn(file, args, {
    env: options.env ?? scope.env,
    cwd: options.cwd ?? scope.dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // Its end is what a user waits for; a daemon that it leaves behind may hold its output open for longer.
  let tookMs = 0;
  child.once('exit', () => {
    tookMs = performance.now() - startedAt;
  });
  await once(child, 'close');
  if (child.signalCode !== null) {
    const why = tookMs >= deadlineMs ? `not finished after ${deadlineMs / 1000} s` : `ended by ${child.signalCode}`;
    throw new Error(`${file} ${args.join(' ')}: ${why}\n${stderr}`);
  }
  return { code: child.exitCode, stdout, stderr, tookMs };
}

/** As run(), and anything but exit code 0 is an error that shows what the program said. */
export async function runOrThrow(
  scope: Scope,
  file: string,
  args: readonly string[],
  options?: CommandOptions,
): Promise<CommandResult> {
  const result = await run(scope, file, args, options);
  if (result.code !== 0)
    throw new Error(`${file} ${args.join(' ')} failed (${result.code}):\n${result.stderr || result.stdout}`);
  return result;
}

/** A program that runs until the scope ends. */
export function background(scope: Scope, file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(file, args, { cwd: scope.dir, stdio: ['ignore', 'ignore', 'inherit'], ...options });
  scope.defer(`${file} ${args.join(' ')}`, () => endChild(child));
  return child;
}

const TERM_GRACE_MS = 5000;

/** SIGTERM, then SIGKILL; resolves when it is gone. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const harder = setTimeout(() => child.kill('SIGKILL'), TERM_GRACE_MS);
  await gone;
  clearTimeout(harder);
}
