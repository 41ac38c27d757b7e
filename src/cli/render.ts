import Table from 'cli-table3';
import type { ActReport, AppDetail, AppRow, AppState, Decision, LogLine, WorkerRow } from '../master/supervisor.js';
import { formatSize } from '../units.js';
import type { Colors } from './context.js';
import { printable } from './printable.js';

const NOTHING = '–';

const STATE_COLOURS: Record<AppState, 'green' | 'yellow' | 'red' | 'dim'> = {
  online: 'green',
  idle: 'green',
  starting: 'yellow',
  degraded: 'yellow',
  stopping: 'yellow',
  stopped: 'dim',
  failed: 'red',
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

/** Everything that `describe` shows of one app version. */
export function appDetails(app: AppDetail, colors: Colors): string {
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
  if (app.decisions.length > 0) parts.push('', decisionsTable(app.decisions, colors));
  return parts.join('\n');
}

function workersTable(workers: readonly WorkerRow[], colors: Colors): string {
  const heads = ['worker', 'pid', 'state', 'generation', 'age', 'requests', 'users', 'in flight', 'cpu', 'memory'];
  return table(
    heads,
    workers.map((worker) => [
      worker.id,
      worker.pid === null ? NOTHING : `${worker.pid}${worker.thread === null ? '' : ` thread ${worker.thread}`}`,
      { text: worker.state, colour: worker.state === 'ready' ? 'green' : worker.state === 'failed' ? 'red' : 'yellow' },
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

export function decisionsTable(decisions: readonly Decision[], colors: Colors): string {
  if (decisions.length === 0) return 'no decisions';
  return table(
    ['time', 'policy', 'subject', 'action', 'reason', 'numbers'],
    decisions.map((d) => [d.time, d.policy, d.subject, d.action, d.reason, settings(d.numbers)]),
    colors,
  );
}

export function logText(line: LogLine, colors: Colors): string {
  const paint = line.stream === 'stderr' ? colors.red : line.stream === 'supervisor' ? colors.cyan : colors.dim;
  return `${colors.dim(printable(line.time))} ${paint(printable(line.worker))} | ${printable(line.line)}`;
}

/** Which apps did not come out well, why, and what they printed last. */
export function failures(report: Pick<ActReport, 'results'>, colors: Colors): string {
  return report.results
    .filter((result) => !result.ok)
    .map(({ app, error }) => {
      const head = `${colors.red('✗')} ${printable(app)}: ${printable(error?.message ?? 'failed')}`;
      return [head, ...(error?.log_tail ?? []).map((line) => `    ${colors.dim('|')} ${printable(line)}`)].join('\n');
    })
    .join('\n');
}

/** `42s`, `3m 5s`, `2h 4m`, `3d 1h`: two units are enough to compare. */
export function formatAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const;
  const first = units.findIndex(([size]) => whole >= size);
  if (first < 0) return '0s';
  const [size, unit] = units[first]!;
  const [nextSize, nextUnit] = units[first + 1] ?? [1, ''];
  const rest = Math.floor((whole % size) / nextSize);
  return rest > 0 && nextUnit !== ''
    ? `${Math.floor(whole / size)}${unit} ${rest}${nextUnit}`
    : `${Math.floor(whole / size)}${unit}`;
}

type Cell = string | { text: string; colour: 'green' | 'yellow' | 'red' | 'dim' };

const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((place) => [place, '']),
);

function table(heads: string[], rows: Cell[][], colors: Colors): string {
  const grid = new Table({
    head: heads.map((head) => colors.dim(head)),
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows)
    grid.push(
      row.map((cell) => (typeof cell === 'string' ? printable(cell) : colors[cell.colour](printable(cell.text)))),
    );
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function pidsOf(workers: readonly WorkerRow[]): string {
  const pids = [...new Set(workers.map((worker) => worker.pid).filter((pid) => pid !== null))];
  if (pids.length === 0) return NOTHING;
  return pids.length === 1 ? String(pids[0]) : `${pids[0]} +${pids.length - 1}`;
}

function percent(value: number | null): string {
  return value === null ? NOTHING : `${value.toFixed(value < 10 ? 1 : 0)}%`;
}

function bytes(value: number | null): string {
  return value === null ? NOTHING : formatSize(value);
}

function settings(values: Readonly<Record<string, unknown>>): string {
  const shown = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  if (shown.length === 0) return NOTHING;
  return shown
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
}
