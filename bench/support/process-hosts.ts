/** What the bench of processes asks of a supervisor, answered by us and by PM2. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { BenchRun } from './bench.js';
import { OurSupervisor } from './our-supervisor.js';
import { fixture } from './paths.js';
import { Pm2 } from './pm2.js';

export interface ProcessHost {
  readonly name: 'ours' | 'pm2';
  /** Configurations are written beforehand: `start` is then the one command that a user types. */
  prepareCommands(count: number): string;
  /** Each app one worker of bench/fixtures/web.mjs. */
  prepareWebApps(ports: readonly number[]): string;
  /** One program that prints at this rate and keeps count in `reportFile`. */
  prepareFlood(megabytesPerSecond: number, reportFile: string): string;
  start(file: string): Promise<{ tookMs: number }>;
  /** Processes that it calls online. */
  online(): Promise<number>;
  deleteAll(): Promise<{ tookMs: number }>;
  masterPid(): number;
  /** Ends everything, the master too. */
  kill(): Promise<void>;
}

const SLEEP_SECONDS = '100000';

export async function ourHost(run: BenchRun): Promise<ProcessHost> {
  const ours = await OurSupervisor.create(run.scope);
  return {
    name: 'ours',
    prepareCommands: (count) =>
      ours.writeConfig(
        Object.fromEntries(names(count).map((name) => [name, { command: [programPath('sleep'), SLEEP_SECONDS] }])),
      ),
    prepareWebApps: (ports) =>
      ours.writeConfig(
        Object.fromEntries(
          ports.map((port, i) => [`web-${i}`, { kind: 'http', script: fixture('web.mjs'), port, workers: 1 }]),
        ),
      ),
    prepareFlood: (rate, reportFile) =>
      ours.writeConfig({
        flood: {
          command: [process.execPath, fixture('flood.mjs'), reportFile],
          env: { MB_PER_SECOND: String(rate) },
        },
      }),
    start: (file) => ours.command('start', file),
    online: async () => (await ours.list()).filter((app) => app.state === 'online').length,
    deleteAll: () => ours.command('delete', 'all'),
    masterPid: () => ours.masterPid,
    kill: () => ours.kill(),
  };
}

export async function pm2Host(run: BenchRun): Promise<ProcessHost | null> {
  const pm2 = await Pm2.create(run);
  if (!pm2) return null;
  return {
    name: 'pm2',
    prepareCommands: (count) =>
      pm2.writeConfig(
        names(count).map((name) => ({
          name,
          script: programPath('sleep'),
          args: [SLEEP_SECONDS],
          interpreter: 'none',
          exec_mode: 'fork',
        })),
      ),
    prepareWebApps: (ports) =>
      pm2.writeConfig(
        ports.map((port, i) => ({
          name: `web-${i}`,
          script: fixture('web.mjs'),
          instances: 1,
          exec_mode: 'cluster',
          env: { PORT: String(port) },
        })),
      ),
    prepareFlood: (rate, reportFile) =>
      pm2.writeConfig([
        {
          name: 'flood',
          script: fixture('flood.mjs'),
          args: [reportFile],
          exec_mode: 'fork',
          env: { MB_PER_SECOND: String(rate) },
        },
      ]),
    start: (file) => pm2.command('start', file),
    online: async () => (await pm2.list()).filter((row) => row.pm2_env.status === 'online').length,
    deleteAll: () => pm2.command('delete', 'all'),
    masterPid: () => pm2.daemonPid,
    kill: () => pm2.kill(),
  };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `command-${i}`);
}

/** PM2 takes a program by its path only; both get the same. */
function programPath(name: string): string {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(dir, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error(`there is no '${name}' on the PATH`);
}
