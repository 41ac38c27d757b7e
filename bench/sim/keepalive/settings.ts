import type { ParseArgsConfig } from 'node:util';
import type { OptionValue } from '../../support/bench.js';
import { UsageError } from '../../support/usage.js';

/** What the simulators of idle models can be told, as `node:util`'s parseArgs wants it. */
export const OPTIONS = {
  trace: { type: 'string', multiple: true },
  days: { type: 'string' },
  models: { type: 'string' },
  seed: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

/** Of one of the two benches that replay calls of models. */
export const usageOf = (bench: string) => `options of ${bench}:
  --trace FILE  a recording: CSV with id columns and then the calls of each minute, as in the Azure Functions data set;
                given several times, each goes on where the one before ended
  --days N      of the synthetic trace (7)
  --models N    of the synthetic trace (200); of a recording a random choice (all)
  --seed N      of all random numbers (1)`;

export interface KeepaliveSettings {
  /** Empty: synthetic. */
  traces: string[];
  days: number;
  /** Null: all of a recording. */
  models: number | null;
  seed: number;
  /** All that shapes the figures is as the goals assume, but for the days. */
  asInGoals: boolean;
}

const DEFAULT_DAYS = 7;
const DEFAULT_MODELS = 200;
const QUICK_DAYS = 3;
const MOST_MODELS = 1_000_000;

/** @throws UsageError */
export function keepaliveSettings(values: Readonly<Record<string, OptionValue>>, quick: boolean): KeepaliveSettings {
  const number = (
    name: 'days' | 'models' | 'seed',
    fallback: number,
    least: number,
    most = Number.MAX_SAFE_INTEGER,
  ) => {
    const text = values[name];
    if (text === undefined) return fallback;
    const value = text === '' ? Number.NaN : Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new UsageError(`--${name} ${text}: must be a whole number of at least ${least}`);
    return value;
  };
  const traces = (values.trace ?? []) as string[];
  if (traces.length > 0 && values.days !== undefined)
    throw new UsageError('a recording is as long as it is: --days is for the synthetic trace');
  const synthetic = traces.length === 0;
  return {
    traces,
    days: number('days', quick ? QUICK_DAYS : DEFAULT_DAYS, 2, 3660),
    models: values.models === undefined && !synthetic ? null : number('models', DEFAULT_MODELS, 1, MOST_MODELS),
    seed: number('seed', 1, 0),
    asInGoals: synthetic && !quick && values.models === undefined,
  };
}
