import type { AppRow, Decision, ResourceReport, WorkerResources } from '../../master/supervisor.js';
import { STATE_COLOURS, WORKER_COLOURS } from '../render/apps.js';
import { heap } from '../render/sizing.js';
import { bytes, count, growth, milliseconds, NOTHING, percent, share } from '../render/values.js';
import type { Column } from './grid.js';

export interface TopData {
  resources: ResourceReport;
  apps: AppRow[];
  /** Newest last. */
  decisions: Decision[];
}

export type SortKey = 'memory' | 'cpu';

const BYTES = { align: 'right', least: 7 } as const;
const SHARE = { align: 'right', least: 5 } as const;
const COUNT = { align: 'right' } as const;

export function appColumns({ resources }: TopData): Column<AppRow>[] {
  const sizingOf = (row: AppRow) =>
    resources.apps.find((sizing) => sizing.name === row.name && sizing.version === row.version);
  return [
    { head: 'app', rank: 0, cell: (row) => (row.version === null ? row.name : `${row.name}@${row.version}`) },
    { head: 'state', rank: 1, cell: (row) => ({ text: row.state, colour: STATE_COLOURS[row.state] }) },
    { head: 'workers', rank: 2, ...COUNT, cell: (row) => `${row.ready}/${row.desired}` },
    { head: 'range', rank: 9, ...COUNT, cell: (row) => (row.min === row.max ? NOTHING : `${row.min}..${row.max}`) },
    { head: 'target', rank: 6, ...COUNT, cell: (row) => count(sizingOf(row)?.target ?? null) },
    {
      head: 'held by',
      rank: 7,
      cell: (row) => {
        const sizing = sizingOf(row);
        return sizing && sizing.pinned !== null ? 'pinned' : (sizing?.held_by ?? NOTHING);
      },
    },
    { head: 'queue', rank: 5, ...COUNT, cell: (row) => String(row.queued) },
    { head: 'cpu', rank: 4, ...SHARE, cell: (row) => percent(row.cpu_percent) },
    { head: 'memory', rank: 3, ...BYTES, cell: (row) => bytes(row.memory_bytes) },
    { head: 'restarts', rank: 8, ...COUNT, cell: (row) => String(row.restarts) },
    { head: 'recycles', rank: 8, ...COUNT, cell: (row) => String(row.recycles) },
  ];
}

export function workerColumns({ apps }: TopData): Column<WorkerResources>[] {
  const states = new Map(apps.flatMap((app) => app.workers.map((worker) => [worker.id, worker.state])));
  return [
    { head: 'worker', rank: 0, cell: (row) => row.id },
    {
      head: 'state',
      rank: 3,
      cell: (row) => {
        const state = states.get(row.id);
        return state === undefined ? NOTHING : { text: state, colour: WORKER_COLOURS[state] };
      },
    },
    {
      head: 'pid',
      rank: 6,
      ...COUNT,
      cell: ({ pid, thread }) => (pid === null ? NOTHING : thread === null ? String(pid) : `${pid}.${thread}`),
    },
    { head: 'cpu', rank: 2, ...SHARE, cell: (row) => percent(row.cpu_percent) },
    { head: 'memory', rank: 1, ...BYTES, cell: (row) => bytes(row.memory_bytes) },
    { head: 'limit', rank: 8, ...BYTES, cell: (row) => bytes(row.limit_bytes) },
    { head: 'in flight', rank: 7, ...COUNT, cell: (row) => String(row.in_flight) },
    { head: 'loop', rank: 4, ...SHARE, cell: (row) => share(row.event_loop_utilisation) },
    { head: 'lag', rank: 5, align: 'right', least: 6, cell: (row) => milliseconds(row.event_loop_lag_ms) },
    { head: 'heap', rank: 9, align: 'right', least: 15, cell: heap },
    { head: 'external', rank: 10, ...BYTES, cell: (row) => bytes(row.external_bytes) },
    { head: 'gc', rank: 11, align: 'right', least: 6, cell: (row) => milliseconds(row.gc_ms) },
    { head: 'files', rank: 12, ...COUNT, least: 4, cell: (row) => count(row.open_files) },
    { head: 'growth', rank: 8, align: 'right', least: 11, cell: (row) => growth(row.growth_mb_per_minute) },
  ];
}

/** The heaviest first; what is not known comes last. */
export function sorted(workers: readonly WorkerResources[], by: SortKey): WorkerResources[] {
  const weight = (worker: WorkerResources) => (by === 'memory' ? worker.memory_bytes : worker.cpu_percent) ?? -1;
  return [...workers].sort((a, b) => weight(b) - weight(a) || a.id.localeCompare(b.id, 'en', { numeric: true }));
}

export const DECISION_COLUMNS: readonly Column<Decision>[] = [
  { head: 'time', rank: 3, cell: (row) => clockTime(row.time) },
  { head: 'policy', rank: 4, cell: (row) => row.policy },
  { head: 'subject', rank: 0, cell: (row) => row.subject },
  { head: 'action', rank: 1, cell: (row) => row.action },
  { head: 'reason', rank: 2, flexible: true, cell: (row) => row.reason },
];

/** `12:34:56` of an ISO time, in the reader's zone. */
export function clockTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : time.toTimeString().slice(0, 8);
}
