import type { ParseArgsConfig } from 'node:util';
import type { OptionValue } from '../support/bench.js';
import { UsageError } from '../support/usage.js';

/** What the simulator of sizes can be told, as `node:util`'s parseArgs wants it. */
export const OPTIONS = {
  trace: { type: 'string' },
  column: { type: 'string' },
  days: { type: 'string' },
  hours: { type: 'string' },
  seed: { type: 'string' },
  service: { type: 'string' },
  boot: { type: 'string' },
  deadline: { type: 'string' },
  max: { type: 'string' },
  memory: { type: 'string' },
  'memory-limit': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

export const USAGE = `options of scale-sim:
  --trace FILE --column NAME  replay a CSV file with one arrival a line: seconds, or ISO 8601
  --days N                    days of 24 h of the diurnal workload, instead of all workloads
  --hours N                   of each workload (4)
  --seed N                    of all random numbers (1)
  --service MS                mean service time (100)
  --boot MS                   from start to ready (3000)
  --deadline MS               from arrival to answer (1000)
  --max N                     workers at most (16)
  --memory MIB                of one worker (256)
  --memory-limit MIB          of the box, in 'memory-bound' and traces (2048 and none)`;

export interface Settings {
  trace: { file: string; column: string } | null;
  days: number | null;
  hours: number;
  seed: number;
  serviceMs: number;
  bootMs: number;
  deadlineMs: number;
  max: number;
  workerMib: number;
  /** Null: not given. */
  limitMib: number | null;
  /** All that shapes the figures is as the goals assume. */
  asInGoals: boolean;
}

const MOST_WORKERS = 512;
const DEFAULT_HOURS = 4;
const QUICK_HOURS = 1;

/** @throws UsageError */
export function settingsOf(values: Readonly<Record<string, OptionValue>>, quick: boolean): Settings {
  const number = (name: keyof typeof OPTIONS, fallback: number, least = 0, whole = false) => {
    const text = values[name];
    if (text === undefined) return fallback;
    const value = text === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || value < least || (whole && !Number.isInteger(value)))
      throw new UsageError(`--${name} ${text}: must be a ${whole ? 'whole ' : ''}number of at least ${least}`);
    return value;
  };
  const { trace, column } = values;
  if ((trace === undefined) !== (column === undefined))
    throw new UsageError('--trace FILE and --column NAME go together: which column has the times?');
  if (trace !== undefined && (values.days ?? values.hours) !== undefined)
    throw new UsageError('a trace is as long as it is: --days and --hours are for workloads');
  if (values.days !== undefined && values.hours !== undefined)
    throw new UsageError('either --days (of the diurnal workload) or --hours (of each workload)');
  const max = number('max', 16, 1, true);
  if (max > MOST_WORKERS) throw new UsageError(`--max ${max}: at most ${MOST_WORKERS}`);
  const shaping = ['service', 'boot', 'deadline', 'max', 'hours'] as const;
  return {
    trace: trace === undefined ? null : { file: String(trace), column: String(column) },
    days: values.days === undefined ? null : number('days', 1, 1 / 24),
    hours: number('hours', quick ? QUICK_HOURS : DEFAULT_HOURS, 0.5),
    seed: number('seed', 1, 0, true),
    serviceMs: number('service', 100, 0.1),
    bootMs: number('boot', 3000, 1),
    deadlineMs: number('deadline', 1000, 1),
    max,
    workerMib: number('memory', 256, 1),
    limitMib: values['memory-limit'] === undefined ? null : number('memory-limit', 0, 1),
    asInGoals: shaping.every((name) => values[name] === undefined) && !quick,
  };
}
