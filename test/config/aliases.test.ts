import { describe, expect, it } from 'vitest';
import { load, problemsOf } from './support.js';

const MB = 1_000_000;
const FILE = `apps:
  intents: { module: m.mjs, workers: 2, recycle: { max_users: 5 } }
  my-app.v2: { command: [x] }
  web: { script: s.mjs, port: 8080, recycle: { user_key: "header:u" } }
`;

describe('aliases', () => {
  it('lie over the file and under SUPERVISOR__ names', () => {
    const { config } = load(FILE, {
      MAX_USERS_PER_PROCESS: '50',
      PROCESS_RECYCLE_INTERVAL: '4',
      SUPERVISOR__APPS__WEB__RECYCLE__MAX_USERS: '7',
    });
    expect(config.apps.map(({ recycle }) => [recycle.maxUsers, recycle.maxAgeMs])).toEqual([
      [50, 14_400_000],
      [null, 14_400_000],
      [7, 14_400_000],
    ]);
  });

  it('MAX_USERS_PER_PROCESS leaves http apps without a user key alone, and says so', () => {
    const { config, warnings } = load('apps: { web: { script: s.mjs, port: 80 } }', { MAX_USERS_PER_PROCESS: '50' });
    expect(config.apps[0]!.recycle.maxUsers).toBeNull();
    expect(warnings).toEqual([
      'MAX_USERS_PER_PROCESS does not apply to apps.web: it has no `recycle.user_key` that would tell users apart',
    ]);
  });

  it('PROCESS_RECYCLE_INTERVAL is in hours, or a duration of its own', () => {
    const age = (value: string) =>
      load('apps: { a: { command: [x] } }', { PROCESS_RECYCLE_INTERVAL: value }).config.apps[0]!.recycle.maxAgeMs;
    expect([age('0.5'), age('90m'), age(' ')]).toEqual([1_800_000, 5_400_000, null]);
  });

  it('sets when the largest worker is replaced, and when memory is an emergency', () => {
    const rungs = (env: Record<string, string>) => {
      const { cleanup, recycle, emergency } = load('apps: {}', env).config.pressure;
      return [cleanup, recycle, emergency];
    };
    // The values of t3.large, of which only the first differs from the default.
    expect(rungs({ MAX_MEMORY_USAGE: '0.85', CRITICAL_MEMORY_USAGE: '0.95' })).toEqual([
      { share: 0.8 },
      { share: 0.85 },
      { share: 0.95 },
    ]);
    expect(rungs({ MAX_MEMORY_USAGE: ' 88.5% ', CRITICAL_MEMORY_USAGE: '1' })).toEqual([
      { share: 0.8 },
      { share: 0.885 },
      { share: 1 },
    ]);
    // 0.57 × 100 is 56.99999999999999 in floating point.
    expect(load('apps: {}\npressure: { cleanup: 10% }', { MAX_MEMORY_USAGE: '0.57' }).config.pressure.recycle).toEqual({
      share: 0.57,
    });
  });

  it('sets the levels of a resource manager, in whatever case they are written', () => {
    const env = {
      monitoring_interval_seconds: '2.5',
      moderate_mb: '2000.0',
      high_mb: '3000.0',
      critical_mb: '3500.0',
      moderate_percent: '60.0',
      high_percent: '70',
      critical_percent: '80%',
    };
    const upper = Object.fromEntries(Object.entries(env).map(([name, value]) => [name.toUpperCase(), value]));
    for (const names of [env, upper]) {
      expect(load('apps: {}', names).config).toMatchObject({
        sensing: { intervalMs: 2500 },
        pressure: { medium: { bytes: 2000 * MB }, high: { bytes: 3000 * MB }, critical: { bytes: 3500 * MB } },
        cpu: { moderate: 0.6, high: 0.7, critical: 0.8 },
      });
    }
  });

  it('are no aliases in a mixture of cases', () => {
    expect(load('apps: {}', { Moderate_MB: '2000', max_memory_usage: '0.85' }).config).toEqual(
      expect.objectContaining({ pressure: load('apps: {}').config.pressure }),
    );
  });

  const SIZES = `apps:
  ranged: { module: m.mjs, workers: { min: 2, max: 6 } }
  unset: { script: s.mjs, port: 8080 }
  lazy: { module: m.mjs, workers: { min: 0 } }
  fixed: { module: m.mjs, workers: 3 }
  cores: { module: m.mjs, workers: max }
  job: { command: [x] }
  jobs: { command: [x], workers: { min: 1, max: 5 } }
`;
  const sizes = (env: Record<string, string>) => {
    const { config, warnings } = load(SIZES, env);
    return {
      sizes: Object.fromEntries(config.apps.map(({ name, workers: { min, max } }) => [name, `${min}..${max}`])),
      told: warnings.filter((line) => !line.includes('apps.jobs.workers: a command stays')),
    };
  };
  const UNTOUCHED = { fixed: '3..3', cores: '6..6', job: '1..1', jobs: '1..5' };
  const bothTold = (name: string) => [
    `${name} does not apply to apps.cores: its \`workers\` is a fixed size`,
    `${name} does not apply to apps.fixed: its \`workers\` is a fixed size`,
  ];

  it('min_threads and max_threads bound the sizes that are no fixed ones', () => {
    const { sizes: found, told } = sizes({ min_threads: '1', max_threads: '8' });
    expect(found).toEqual({ ranged: '1..8', unset: '1..8', lazy: '1..8', ...UNTOUCHED });
    expect(told.sort()).toEqual([...bothTold('max_threads'), ...bothTold('min_threads')]);
    expect(sizes({ MAX_THREADS: '8' }).sizes).toMatchObject({ ranged: '2..8', unset: '1..8', lazy: '0..8' });
    expect(sizes({ MIN_THREADS: '4' }).sizes).toMatchObject({ ranged: '4..6', unset: '4..4', lazy: '4..4' });
  });

  it.each(['false', 'False', 'no', 'off', '0'])('adaptive_scaling_enabled=%s leaves no range', (off) => {
    const { sizes: found, told } = sizes({ adaptive_scaling_enabled: off });
    expect(found).toEqual({ ranged: '2..2', unset: '1..1', lazy: '0..1', ...UNTOUCHED });
    expect(told).toEqual([]);
    expect(sizes({ ADAPTIVE_SCALING_ENABLED: off, MIN_THREADS: '3', MAX_THREADS: '8' }).sizes).toEqual({
      ranged: '3..3',
      unset: '3..3',
      lazy: '3..3',
      ...UNTOUCHED,
    });
  });

  it.each(['true', 'TRUE', 'yes', 'on', '1'])('adaptive_scaling_enabled=%s changes nothing', (on) => {
    expect(sizes({ adaptive_scaling_enabled: on })).toEqual(sizes({}));
  });

  it('are named where their values are wrong', () => {
    expect(
      problemsOf('apps: { a: { module: m.mjs } }', { MAX_USERS_PER_PROCESS: 'SECRET', PROCESS_RECYCLE_INTERVAL: '-1' }),
    ).toEqual([
      'MAX_USERS_PER_PROCESS apps.a.recycle.max_users: must be a whole number',
      'PROCESS_RECYCLE_INTERVAL apps.a.recycle.max_age: write numbers with d, h, m, s or ms, such as 90s or 1h30m',
    ]);
  });

  const THRESHOLD = 'write a share of the memory limit, such as 70%, or a size, such as 3000MiB';
  it.each<[name: string, value: string, problem: string]>([
    ['MAX_MEMORY_USAGE', '85', `pressure.recycle: ${THRESHOLD}`],
    ['MAX_MEMORY_USAGE', 'SECRET', `pressure.recycle: ${THRESHOLD}`],
    ['MAX_MEMORY_USAGE', '0', 'pressure.recycle: must be from 0.1% to 100%'],
    [
      'MAX_MEMORY_USAGE',
      '0.75',
      'pressure.recycle: must be above `pressure.cleanup` (80% by default): raise it, or lower that',
    ],
    [
      'CRITICAL_MEMORY_USAGE',
      '0.9',
      'pressure.emergency: must be above `pressure.recycle` (90% by default): raise it, or lower that',
    ],
    ['monitoring_interval_seconds', '0', 'sensing.interval: must be from 100ms to 1m'],
    ['HIGH_MB', 'SECRET', `pressure.high: ${THRESHOLD}`],
    ['high_percent', '60', 'cpu.high: must be above `cpu.moderate` (70% by default): raise it, or lower that'],
    ['min_threads', 'SECRET', 'apps.a.workers.min: must be a whole number or `max`'],
    ['min_threads', '0', 'apps.a.workers.min: must be at least 1; only models can start on demand'],
    ['MIN_THREADS', '9', 'apps.a.workers.min: `min` must not be above `max`'],
    ['max_threads', '2.5', 'apps.a.workers.max: must be a whole number or `max`'],
    ['adaptive_scaling_enabled', 'SECRET', 'must be true or false'],
  ])('%s=%s is refused', (name, value, problem) => {
    const problems = problemsOf('apps: { a: { script: s.mjs, port: 80, workers: { min: 1, max: 4 } } }', {
      [name]: value,
    });
    expect(problems).toEqual([`${name} ${problem}`]);
  });
});
