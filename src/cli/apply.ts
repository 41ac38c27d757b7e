import { setTimeout as sleep } from 'node:timers/promises';
import type { ActReport, AppRow } from '../master/supervisor.js';
import { act, showReport } from './act.js';
import type { Context } from './context.js';
import { EXIT, exitCodeOf } from './exit.js';
import { formatAge } from './render/values.js';
import { type Spinner, startSpinner } from './spinner.js';

const POLL_MS = 300;

/** Brings configurations into force, in a new master where none runs, and waits until their apps are ready or have given up. */
export async function applyFiles(context: Context, files: readonly string[], json: boolean): Promise<number> {
  const running = await context.client.probe();
  if (running) return showReport(context, await applyAll(context, files), json);
  const { loadConfig } = await import('../config/load.js');
  // Before the master is there: what cannot be read may leave nothing running.
  for (const file of files) loadConfig(file, { env: context.io.env });
  const spinner = await startSpinner(context, 'starting the master');
  try {
    const { spawnMaster } = await import('../master/daemon.js');
    await spawnMaster({ home: context.home.dir, env: context.io.env });
  } finally {
    spinner.stop();
  }
  try {
    return showReport(context, await applyAll(context, files), json);
  } catch (error) {
    // It was started for this configuration only, and the file has been changed under us.
    if (exitCodeOf(error) === EXIT.usage) await context.client.post('/api/shutdown');
    throw error;
  }
}

async function applyAll(context: Context, files: readonly string[]): Promise<ActReport> {
  const spinner = await startSpinner(context, 'starting');
  const ended = new AbortController();
  const watching = context.io.stderr.isTTY ? watch(context, spinner, ended.signal) : Promise.resolve();
  try {
    const reports: ActReport[] = [];
    for (const file of files) reports.push(await act(context, '/api/apps', { file }));
    return {
      ok: reports.every((report) => report.ok),
      results: reports.flatMap((report) => report.results),
      warnings: reports.flatMap((report) => report.warnings),
      apps: reports.at(-1)?.apps ?? [],
    };
  } finally {
    ended.abort();
    spinner.stop();
    await watching;
  }
}

async function watch(context: Context, spinner: Spinner, ended: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  while (!ended.aborted) {
    // The act itself tells what goes wrong; a question in between that finds no answer is asked again.
    const rows = await context.client.get<{ apps: AppRow[] }>('/api/apps').catch(() => null);
    const text = rows && waitingFor(rows.apps);
    if (text) spinner.say(`${text} · ${formatAge((performance.now() - startedMs) / 1000)}`);
    await sleep(POLL_MS, undefined, { signal: ended }).catch(() => undefined);
  }
}

/** `waiting for intents (starting, 1/2 ready)`, or null when nothing is being waited for. */
export function waitingFor(rows: readonly AppRow[]): string | null {
  const waiting = rows.filter((row) => row.state === 'starting' || row.state === 'degraded');
  if (waiting.length === 0) return null;
  const [first] = waiting;
  const others = waiting.length > 1 ? ` and ${waiting.length - 1} more` : '';
  const name = first!.version === null ? first!.name : `${first!.name}@${first!.version}`;
  return `waiting for ${name} (${first!.state}, ${first!.ready}/${first!.desired} ready)${others}`;
}
