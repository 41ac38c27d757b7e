import { setFlagsFromString } from 'node:v8';
import { printable } from '../cli/printable.js';
import { homePaths } from './home.js';
import { createMaster } from './master.js';
import { handleSignals } from './signals.js';

export interface RunOptions {
  home: string;
  /** Configuration files, absolute. */
  files: readonly string[];
  env: NodeJS.ProcessEnv;
}

/**
 * A master in the foreground, for containers and systemd: workers' lines on stdout, its own on stderr.
 * @returns the exit code: of a single app that ended by itself, its own; else 0, or 1 when an app never got ready
 * @throws SupError SUP_CONFIG_INVALID, SUP_MASTER_RUNNING
 */
export async function runMaster({ home, files, env }: RunOptions): Promise<number> {
  process.on('SIGUSR1', () => {});
  // As in the background, whose master is started with it: see daemon.ts.
  setFlagsFromString('--no-parallel-scavenge');
  const master = await createMaster({ home: homePaths({ ...env, SUPERVISOR_HOME: home }), env, echo: process.stderr });
  handleSignals(master);
  let exitCode = 0;
  let ending = false;
  const followed = new Set<string>();
  const followAll = () => {
    for (const { app, log } of master.registry.entries) {
      if (followed.has(app.name)) continue;
      followed.add(app.name);
      log.follow(({ worker, line }) => process.stdout.write(`${worker} | ${printable(line)}\n`));
    }
  };
  master.onEvent((event) => {
    followAll();
    if (event.type !== 'app' || ending) return;
    const codes = master.registry.apps.map((app) => app.endedWith());
    if (codes.length === 0 || codes.includes(null)) return;
    ending = true;
    exitCode = codes.length === 1 ? (codes[0] as number) : Math.max(...(codes as number[])) > 0 ? 1 : 0;
    void master.shutdown('every app has ended by itself');
  });
  for (const file of files) {
    const applying = master.apply(file);
    followAll();
    const report = await applying;
    for (const warning of report.warnings) process.stderr.write(`warning: ${warning}\n`);
    for (const result of report.results)
      if (result.error) process.stderr.write(`${result.app} is not ready: ${result.error.message}\n`);
  }
  await master.ended;
  return exitCode;
}
