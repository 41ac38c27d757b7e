import type { ListRow } from '../../control/unloading-columns.js';
import type { AppState, ModelStatus, WorkerRow } from '../../master/supervisor.js';
import type { WorkerState } from '../../worker/state.js';
import type { Colors } from '../context.js';
import { idleText, stateCell, statusesOf, statusOf, versionText } from './models.js';
import { nextCell } from './packages.js';
import { type Cell, table } from './table.js';
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

/** @param models what is known of those among them that are models */
export function appsTable(rows: readonly ListRow[], colors: Colors, models: readonly ModelStatus[] = []): string {
  if (rows.length === 0) return 'no apps';
  const statuses = statusesOf(models);
  const withIdle = rows.some((row) => statusOf(row, statuses) !== null);
  const withNext = rows.some((row) => hasNext(row) && row.min === 0);
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
    ...(withIdle ? ['idle'] : []),
    ...(withNext ? ['next'] : []),
    'cpu',
    'memory',
  ];
  return table(
    heads,
    rows.map((row) => {
      const model = statusOf(row, statuses);
      return [
        row.name,
        row.kind,
        versionText(row, model, statuses),
        row.mode,
        `${row.ready}/${row.desired}`,
        pidsOf(row.workers),
        row.ready > 0 ? formatAge(row.uptime_seconds) : NOTHING,
        String(row.restarts),
        String(row.recycles),
        stateCell(row, model) ?? { text: row.state, colour: STATE_COLOURS[row.state] },
        ...(withIdle ? [idleText(model)] : []),
        ...(withNext ? [nextOf(row)] : []),
        percent(row.cpu_percent),
        bytes(row.memory_bytes),
      ];
    }),
    colors,
  );
}

type Next = Required<Pick<ListRow, 'unload_rank' | 'unload_why_not' | 'unload_in_seconds'>>;

/** The list of the master tells it of models; the reports of acts do not. */
function hasNext(row: ListRow): row is ListRow & Next {
  return row.unload_rank !== undefined;
}

function nextOf(row: ListRow): Cell {
  return hasNext(row) && row.min === 0 ? nextCell(row) : NOTHING;
}

function pidsOf(workers: readonly WorkerRow[]): string {
  const pids = [...new Set(workers.map((worker) => worker.pid).filter((pid) => pid !== null))];
  if (pids.length === 0) return NOTHING;
  return pids.length === 1 ? String(pids[0]) : `${pids[0]} +${pids.length - 1}`;
}
