import type { DetailRow } from '../../control/unloading-columns.js';
import type { Sizing, WorkerRow } from '../../master/supervisor.js';
import type { Colors } from '../context.js';
import { printable } from '../printable.js';
import { WORKER_COLOURS } from './apps.js';
import { decisionsTable } from './decisions.js';
import { modelFacts } from './models.js';
import { unloadingFacts } from './packages.js';
import { learnedInWords, resourcesTable, sizeInWords } from './sizing.js';
import { table } from './table.js';
import { bytes, formatAge, NOTHING, percent, settings } from './values.js';

/** Everything that `describe` shows of one app version. */
export function appDetails(app: DetailRow, colors: Colors): string {
  const title = app.version === null ? app.name : `${app.name}@${app.version}`;
  const facts: [string, string][] = [
    ['state', app.reason === null ? app.state : `${app.state}: ${app.reason}`],
    ['kind', `${app.kind}, ${app.mode}`],
    ['runs', app.runs],
    ['folder', app.cwd],
    ['configuration', app.config_file],
    ['namespace', app.namespace],
    ['port', app.port === null ? NOTHING : String(app.port)],
    ['workers', `${app.ready} ready of ${app.desired} (min ${app.min}, max ${app.max}), generation ${app.generation}`],
    ...sizingFacts(app.sizing),
    ...(app.model === null ? [] : modelFacts(app.model)),
    ...(app.unloading ? unloadingFacts(app.unloading) : []),
    ['queued', String(app.queued)],
    ['uptime', formatAge(app.uptime_seconds)],
    ['restarts', String(app.restarts)],
    ['recycles', String(app.recycles)],
    ['cpu, memory', `${percent(app.cpu_percent)}, ${bytes(app.memory_bytes)}`],
    ['environment', app.env_names.join(' ') || NOTHING],
    ['recycle', settings(app.recycle)],
    ['restart', settings(app.restart)],
    ['stop', settings(app.stop)],
  ];
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  const lines = facts.map(([name, value]) => `  ${colors.dim(name.padEnd(width))}${printable(value)}`);
  const parts = [colors.bold(printable(title)), ...lines];
  if (app.workers.length > 0) parts.push('', workersTable(app.workers, colors));
  if (app.resources.length > 0) parts.push('', resourcesTable(app.resources, colors));
  if (app.decisions.length > 0) parts.push('', decisionsTable(app.decisions, colors));
  return parts.join('\n');
}

function sizingFacts(sizing: Sizing | null): [string, string][] {
  if (sizing === null) return [['sizing', 'fixed']];
  const size: [string, string] = ['sizing', sizeInWords(sizing)];
  if (sizing.pinned !== null || sizing.desired === 0) return [size];
  return [size, ['', sizing.reason ?? 'nothing decided yet'], ['learned', learnedInWords(sizing)]];
}

function workersTable(workers: readonly WorkerRow[], colors: Colors): string {
  const heads = ['worker', 'pid', 'state', 'generation', 'age', 'requests', 'users', 'in flight', 'cpu', 'memory'];
  return table(
    heads,
    workers.map((worker) => [
      worker.id,
      worker.pid === null ? NOTHING : `${worker.pid}${worker.thread === null ? '' : ` thread ${worker.thread}`}`,
      { text: worker.state, colour: WORKER_COLOURS[worker.state] },
      String(worker.generation),
      formatAge(worker.age_seconds),
      String(worker.requests),
      String(worker.users),
      String(worker.in_flight),
      percent(worker.cpu_percent),
      bytes(worker.memory_bytes),
    ]),
    colors,
  );
}
