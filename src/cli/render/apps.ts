import type { AppRow, AppState, WorkerRow } from '../../master/supervisor.js';
import type { WorkerState } from '../../worker/state.js';
import type { Colors } from '../context.js';
import { table } from './table.js';
import { bytes, formatAge, NOTHING, percent } from './values.js';

export const STATE_COLOURS: Record<AppState, 'green' | 'yellow' | 'red' | 'dim'> = {
  online: 'green',
  idle: 'green',
  starting: 'yellow',
  degraded: 'yellow',
  stopping: 'yellow',
  stopped: 'dim',
  failed: 'red',
};

export const WORKER_COLOURS: Record<WorkerState, 'green' | 'yellow' | 'red' | 'dim'> = {
  ready: 'green',
  starting: 'yellow',
  unhealthy: 'yellow',
  draining: 'yellow',
  backoff: 'yellow',
  failed: 'red',
  stopped: 'dim',
};

export function appsTable(rows: readonly AppRow[], colors: Colors): string {
  if (rows.length === 0) return 'no apps';
  const heads = [
    'name',
    'kind',
    'version',
    'mode',
    'workers',
    'pid',
    'uptime',
    'restarts',
    'recycles',
    'state',
    'cpu',
    'memory',
  ];
  return table(
    heads,
    rows.map((row) => [
      row.name,
      row.kind,
      row.version ?? NOTHING,
      row.mode,
      `${row.ready}/${row.desired}`,
      pidsOf(row.workers),
      row.ready > 0 ? formatAge(row.uptime_seconds) : NOTHING,
      String(row.restarts),
      String(row.recycles),
      { text: row.state, colour: STATE_COLOURS[row.state] },
      percent(row.cpu_percent),
      bytes(row.memory_bytes),
    ]),
    colors,
  );
}

function pidsOf(workers: readonly WorkerRow[]): string {
  const pids = [...new Set(workers.map((worker) => worker.pid).filter((pid) => pid !== null))];
  if (pids.length === 0) return NOTHING;
  return pids.length === 1 ? String(pids[0]) : `${pids[0]} +${pids.length - 1}`;
}
