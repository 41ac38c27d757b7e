import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { messageOf, SupError } from '../errors.js';
import { type Home, homePaths, prepareHome } from './home.js';
import { runningMaster } from './lock.js';

const V8_FLAGS = [
  // A flood of short log lines makes much garbage; with the default of 16 MiB it would all be resident.
  '--max-semi-space-size=8',
  // Little survives a collection here: waking other threads for it costs more than it saves, at rest a fifth of all that we use.
  '--no-parallel-scavenge',
];
/** What a worker that starts a master has in its environment is not the master's. */
const OF_A_WORKER = ['SUPERVISOR_APP', 'SUPERVISOR_WORKER', 'SUPERVISOR_MASTER', 'NODE_APP_INSTANCE'];
const START_DEADLINE_MS = 20_000;
/** How long another master gets to open its socket before the next try to be the master. */
const OTHER_MASTER_MS = 2000;
const CHECK_MS = 50;

/** What a master in the background tells the command that started it, once. */
export type StartMessage = { type: 'started' } | { type: 'failed'; code: string; message: string };

/**
 * Starts a master in the background, in a session of its own, and resolves when its control socket answers. What it prints
 * outside its log, such as a crash, goes to `logFile` (default: master.out in the state folder).
 * Where somebody else was faster, that master will do, as soon as it answers.
 * @throws SupError SUP_MASTER_START_FAILED with the reason
 */
export async function spawnMaster(options: {
  home: string;
  env: NodeJS.ProcessEnv;
  logFile?: string;
}): Promise<{ pid: number }> {
  const env: NodeJS.ProcessEnv = { ...options.env, SUPERVISOR_HOME: options.home };
  for (const name of OF_A_WORKER) delete env[name];
  const home = homePaths(env);
  prepareHome(home);
  const logFile = options.logFile ?? join(home.dir, 'master.out');
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    const { pid, message } = await spawnOnce(env, logFile);
    if (message.type === 'started') return { pid };
    const { code, message: reason } = message;
    if (code !== 'SUP_MASTER_RUNNING')
      throw new SupError('SUP_MASTER_START_FAILED', `the master did not start: ${reason}`);
    // It may be starting, as we were, or ending: then it is our turn again.
    const running = await answeringMaster(home);
    if (running !== null) return { pid: running };
    if (performance.now() > deadline)
      throw new SupError('SUP_MASTER_START_FAILED', `${reason}, but it does not answer on ${home.socket}`);
  }
}

async function spawnOnce(env: NodeJS.ProcessEnv, logFile: string): Promise<{ pid: number; message: StartMessage }> {
  const out = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [...V8_FLAGS, fileURLToPath(new URL('./main.js', import.meta.url))], {
    cwd: '/',
    env,
    detached: true,
    stdio: ['ignore', out, out, 'ipc'],
  });
  closeSync(out);
  try {
    return { message: await firstMessage(child, logFile), pid: child.pid as number };
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Pid of the master of this folder once its socket takes connections; null if that takes too long. */
async function answeringMaster(home: Home): Promise<number | null> {
  const deadline = performance.now() + OTHER_MASTER_MS;
  while (performance.now() < deadline) {
    const pid = runningMaster(home);
    if (pid !== null && (await accepts(home.socket))) return pid;
    await sleep(CHECK_MS);
  }
  return null;
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    const end = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

function firstMessage(child: ReturnType<typeof spawn>, logFile: string): Promise<StartMessage> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(deadline);
      reject(new SupError('SUP_MASTER_START_FAILED', `the master did not start: ${why}`, { log: logFile }));
    };
    const deadline = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`no sign of life after ${START_DEADLINE_MS / 1000} s; see ${logFile}`);
    }, START_DEADLINE_MS);
    child.once('message', (message) => {
      clearTimeout(deadline);
      resolve(message as StartMessage);
    });
    child.once('error', (error) => fail(messageOf(error)));
    child.once('exit', (code, signal) => fail(`it ended with ${signal ?? `code ${code}`}: ${lastLines(logFile)}`));
  });
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n') || 'it printed nothing';
}
