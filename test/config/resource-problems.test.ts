/** What is wrong with limits, thresholds and sizes, each with its exact place and a remedy. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, problemsOf } from './support.js';

const box = (keys: string) => `apps: {}\n${keys}\n`;
/** An app whose keys begin at 2:52. */
const app = (keys: string) => `apps:\n  a: { module: m.mjs, workers: { min: 1, max: 3 }, ${keys} }\n`;

const SIZE = 'write a number with B, KiB, MiB, GiB or KB, MB, GB, such as 512MiB';
const THRESHOLD = 'write a share of the memory limit, such as 70%, or a size, such as 3000MiB';
const NO_FILE = "paths are relative to the file's folder";

describe('one problem, with its exact place', () => {
  it.each<[yaml: string, problem: string]>([
    // The box
    [box('limits: { memory: atuo }'), `2:19 limits.memory: \`atuo\` is not a size: ${SIZE}, or auto`],
    [box('limits: { memory: 300 }'), '2:19 limits.memory: `300` has no unit: write 300MiB or 300B, or auto'],
    [box('limits: { memory: 5B }'), '2:19 limits.memory: must be from 1MiB to 1024TiB, or auto, not `5B`'],
    [box('limits: { memory: null }'), `2:19 limits.memory: ${SIZE}, or auto, but is empty`],
    [box('limits: { gpu_memory: 8 }'), '2:23 limits.gpu_memory: `8` has no unit: write 8MiB or 8B, or auto'],
    [box('limits: { cpu: 0 }'), '2:16 limits.cpu: must be a number from 0.1 to 4096, or auto, not `0`'],
    [box('limits: { cpu: 50% }'), '2:16 limits.cpu: must be a number from 0.1 to 4096, or auto, not `50%`'],
    [box('limits: { cpu: "2" }'), '2:16 limits.cpu: must be a number from 0.1 to 4096, or auto, not the text `2`'],
    [box('limits: { cpus: 2 }'), '2:11 limits.cpus: unknown key, did you mean `cpu`?'],
    [box('sensing: { interval: 50ms }'), '2:22 sensing.interval: must be from 100ms to 1m, not `50ms`'],
    [box('sensing: { interval: 61s }'), '2:22 sensing.interval: must be from 100ms to 1m, not `61s`'],
    [box('sensing: { interval: 1 }'), '2:22 sensing.interval: `1` has no unit: write 1s or 1ms'],
    [box('plugins: ./x.mjs'), '2:10 plugins: must be a list, not `./x.mjs`'],
    [box('plugins: [m.mjs, ./x.mjs]'), `2:18 plugins[1]: there is no file \`./x.mjs\`; ${NO_FILE}`],
    [box('plugins: [.]'), '2:11 plugins[0]: is a folder `.`, not a file'],
    // Thresholds
    [box('pressure: { high: 70 }'), '2:19 pressure.high: `70` has no unit: write 70% or 70MiB'],
    [box('pressure: { high: 100 }'), '2:19 pressure.high: `100` has no unit: write 100% or 100MiB'],
    [box('pressure: { high: 101 }'), '2:19 pressure.high: `101` has no unit: write 101MiB or 101B'],
    [box('pressure: { high: 0.7 }'), '2:19 pressure.high: `0.7` has no unit: write 0.7% or 70%'],
    [box('pressure: { high: 3000 }'), '2:19 pressure.high: `3000` has no unit: write 3000MiB or 3000B'],
    [box('pressure: { high: 0% }'), '2:19 pressure.high: must be from 0.1% to 100%, not `0%`'],
    [box('pressure: { high: 0 }'), '2:19 pressure.high: must be from 0.1% to 100%, not `0`'],
    [
      box('pressure: { high: 101% }'),
      '2:19 pressure.high: `101%` is not a share: write a percentage from 0% to 100%, such as 80%',
    ],
    [box('pressure: { high: 1KiB }'), '2:19 pressure.high: must be from 1MiB to 1024TiB, not `1KiB`'],
    [box('pressure: { high: 3000XiB }'), `2:19 pressure.high: \`3000XiB\` is not a size: ${SIZE}`],
    [box('pressure: { high: lots }'), `2:19 pressure.high: ${THRESHOLD}, not \`lots\``],
    [
      box('pressure: { high: -5% }'),
      '2:19 pressure.high: `-5%` is not a share: write a percentage from 0% to 100%, such as 80%',
    ],
    [box('pressure: { high: .nan }'), `2:19 pressure.high: ${THRESHOLD}, not \`NaN\``],
    [box('pressure: { high: null }'), `2:19 pressure.high: ${THRESHOLD}, but is empty`],
    [box('pressure: { high: [70%] }'), `2:19 pressure.high: ${THRESHOLD}`],
    [box('pressure: { hihg: 70% }'), '2:13 pressure.hihg: unknown key, did you mean `high`?'],
    [box('pressure: { adaptive: maybe }'), '2:23 pressure.adaptive: must be true or false, not `maybe`'],
    [box('cpu: { high: 0% }'), '2:14 cpu.high: must be from 1% to 100%, not `0%`'],
    [box('cpu: { high: 85 }'), '2:14 cpu.high: `85` has no unit: write 85%'],
    [
      box('cpu: { high: 3GiB }'),
      '2:14 cpu.high: `3GiB` is not a share: write a percentage from 0% to 100%, such as 80%',
    ],
    // Their order
    [
      box('pressure: { medium: 75% }'),
      '2:21 pressure.medium: must be below `pressure.high` (70% by default): lower it, or raise that',
    ],
    [
      box('pressure: { high: 50% }'),
      '2:19 pressure.high: must be above `pressure.medium` (50% by default): raise it, or lower that',
    ],
    [
      box('pressure: { critical: 3000MiB, high: 3GiB }'),
      '2:23 pressure.critical: must be above `pressure.high` (3GiB): raise it, or lower that',
    ],
    [
      box('pressure: { emergency: 80%, recycle: 85% }'),
      '2:24 pressure.emergency: must be above `pressure.recycle` (85%): raise it, or lower that',
    ],
    [
      box('pressure: { cleanup: 96% }'),
      '2:22 pressure.cleanup: must be below `pressure.recycle` (90% by default): lower it, or raise that',
    ],
    [
      box('pressure: { medium: 90%, high: 3000MiB, critical: 85% }'),
      '2:51 pressure.critical: must be above `pressure.medium` (90%): raise it, or lower that',
    ],
    [
      box('cpu: { moderate: 90% }'),
      '2:18 cpu.moderate: must be below `cpu.high` (85% by default): lower it, or raise that',
    ],
    [
      box('cpu: { high: 95%, critical: 95% }'),
      '2:29 cpu.critical: must be above `cpu.high` (95%): raise it, or lower that',
    ],
    // With a limit
    [
      box('limits: { memory: 2GiB }\npressure: { high: 3000MiB }'),
      '3:19 pressure.high: `3000MiB` is above `limits.memory` (2GiB): lower it, or raise the limit',
    ],
    [
      box('limits: { memory: 2GiB }\npressure: { high: 1000MiB }'),
      '3:19 pressure.high: must be above `pressure.medium` (50% by default): raise it, or lower that',
    ],
    [
      box('limits: { memory: 2GiB }\npressure: { recycle: 1500MiB }'),
      '3:22 pressure.recycle: must be above `pressure.cleanup` (80% by default): raise it, or lower that',
    ],
    // Apps
    [app('scale: { headroom: -1 }'), '2:71 apps.a.scale.headroom: must be a number from 0 to 100, not `-1`'],
    [app('scale: { headroom: 20% }'), '2:71 apps.a.scale.headroom: must be a number from 0 to 100, not `20%`'],
    [app('scale: { target: 0 }'), '2:69 apps.a.scale.target: must be a number from 0.01 to 1000000, not `0`'],
    [app('scale: { up_window: 1ms }'), '2:72 apps.a.scale.up_window: must be from 1s to 1h, not `1ms`'],
    [app('scale: { up_cooldown: 2h }'), '2:74 apps.a.scale.up_cooldown: must be from 0ms to 1h, not `2h`'],
    [app('scale: { down_window: 0 }'), '2:74 apps.a.scale.down_window: must be from 1s to 1d, not `0`'],
    [
      app('scale: { to_zero_after: 5m }'),
      '2:61 apps.a.scale.to_zero_after: needs a model that may have no worker: write `workers: { min: 0, max: 3 }`',
    ],
    [app('headroom: 2'), '2:52 apps.a.headroom: unknown key, did you mean `scale.headroom`?'],
    [app('leak: { window: 30s }'), '2:68 apps.a.leak.window: must be from 1m to 1d, not `30s`'],
    [app('leak: { window: 25h }'), '2:68 apps.a.leak.window: must be from 1m to 1d, not `25h`'],
    [app('leak: { min_growth: 1 }'), '2:72 apps.a.leak.min_growth: `1` has no unit: write 1MiB or 1B'],
    [app('leak: { min_growth: 0 }'), '2:72 apps.a.leak.min_growth: must be from 1B to 1024TiB, not `0`'],
    [app('leak: { recycle: 5 }'), '2:69 apps.a.leak.recycle: must be true or false, not `5`'],
    [app('limits: { memory: auto }'), `2:70 apps.a.limits.memory: \`auto\` is not a size: ${SIZE}`],
    [app('limits: { heap: 15MiB }'), '2:68 apps.a.limits.heap: must be from 16MiB to 1024TiB, not `15MiB`'],
    [
      app('limits: { heap: 64MiB }, node_args: [--max-old-space-size=99]'),
      '2:68 apps.a.limits.heap: is set by `node_args` too (--max-old-space-size): keep one of them',
    ],
    [
      app('limits: { heap: 64MiB }, node_args: [--max_old_space_size, 99]'),
      '2:68 apps.a.limits.heap: is set by `node_args` too (--max-old-space-size): keep one of them',
    ],
    [
      'apps:\n  a: { command: [x], limits: { heap: 64MiB } }\n',
      '2:32 apps.a.limits.heap: belongs to kind `model` and `http`, and this app is of kind `command`: what a command runs may be no Node at all; write its own flag into `command`',
    ],
    [
      'apps:\n  a: { command: [x], scale: { headroom: 2 } }\n',
      '2:22 apps.a.scale: belongs to kind `model` and `http`, and this app is of kind `command`: the supervisor does not see what a command has to do; scale it by hand',
    ],
    // In the other place
    [
      app('limits: { cpu: 2 }'),
      '2:62 apps.a.limits.cpu: is no key of an app: `limits.cpu` stands at the top of the file, for all apps together',
    ],
    [
      app('pressure: { high: 60% }'),
      '2:52 apps.a.pressure: is no key of an app: `pressure` stands at the top of the file, for all apps together',
    ],
    [box('scale: { headroom: 2 }'), '2:1 scale: is a key of an app: write it in `apps.NAME`'],
    [box('recycle: { max_age: 4h }'), '2:1 recycle: is a key of an app: write it in `apps.NAME`'],
  ])('%j', (yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([`supervisor.yaml:${problem}`]);
  });
});

describe('what is right', () => {
  it.each([
    'pressure: { medium: 90%, high: 3000MiB, critical: 91% }',
    'pressure: { high: 3000MiB }',
    'pressure: { medium: 0.1%, high: 99.9%, critical: 100% }',
    'pressure: { emergency: 1TiB }',
    'limits: { memory: 2GiB }\npressure: { medium: 500MiB, high: 60%, critical: 2048MiB }',
    'limits: { cpu: 0.1 }',
    'cpu: { moderate: 1%, high: 2%, critical: 3% }',
    'sensing: { interval: 60s }',
  ])('%s', (keys) => {
    expect(load(box(keys)).warnings).toEqual([]);
  });
});

it('one wrong threshold brings no second problem', () => {
  expect(problemsOf(box('pressure: { medium: 80%, high: bad }'))).toHaveLength(1);
  expect(problemsOf(box('limits: { memory: bad }\npressure: { high: 3000MiB }'))).toHaveLength(1);
  expect(problemsOf(box('limits: { memory: 1GiB }\npressure: { critical: 3GiB, high: 60% }'))).toHaveLength(1);
});

it('values of the environment are not repeated in a problem of another key', () => {
  const problems = problemsOf(box('pressure: { high: 60% }'), { SUPERVISOR__PRESSURE__MEDIUM: '66%' });
  expect(problems).toEqual([
    'supervisor.yaml:2:19 pressure.high: must be above `pressure.medium`: raise it, or lower that',
  ]);
  const limited = problemsOf(box('pressure: { high: 2222MiB }'), { SUPERVISOR__LIMITS__MEMORY: '2GiB' });
  expect(limited).toEqual([
    'supervisor.yaml:2:19 pressure.high: `2222MiB` is above `limits.memory`: lower it, or raise the limit',
  ]);
});

it('a share and a size of just as many bytes do not ascend', () => {
  expect(problemsOf(box('limits: { memory: 1000MiB }\npressure: { medium: 0.7%, high: 7MiB, critical: 1% }'))).toEqual([
    'supervisor.yaml:3:33 pressure.high: must be above `pressure.medium` (0.7%): raise it, or lower that',
  ]);
});

describe('any three thresholds', () => {
  const share = fc.integer({ min: 1, max: 1000 }).map((permille) => ({ text: `${permille / 10}%`, permille }));
  const mib = fc.integer({ min: 1, max: 2000 }).map((size) => ({ text: `${size}MiB`, mib: size }));
  const threshold = fc.oneof(share, mib);
  type Written = { text: string; permille?: number; mib?: number };
  const LADDERS = [
    ['medium', 'high', 'critical'],
    ['cleanup', 'recycle', 'emergency'],
  ] as const;

  const accepted = (limit: string, ladder: readonly string[], steps: readonly Written[]) => {
    const keys = steps.map(({ text }, index) => `${ladder[index]}: ${text}`).join(', ');
    return problemsOf(box(`limits: { memory: ${limit} }\npressure: { ${keys} }`)).length === 0;
  };
  const ascends = (values: readonly number[]) =>
    values.every((value, index) => index === 0 || values[index - 1]! < value);

  it('are accepted with a limit exactly if their sizes ascend up to it', () => {
    const LIMIT_MIB = 1000;
    fc.assert(
      fc.property(
        fc.constantFrom(...LADDERS),
        fc.tuple(threshold, threshold, threshold),
        (ladder, steps: Written[]) => {
          // A limit of 1000 MiB: one per mille is one MiB.
          const sizes = steps.map((step) => step.permille ?? step.mib!);
          const right = ascends(sizes) && sizes.every((size) => size <= LIMIT_MIB);
          expect(accepted(`${LIMIT_MIB}MiB`, ladder, steps)).toBe(right);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are accepted without a limit exactly if the shares ascend, and the sizes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...LADDERS),
        fc.tuple(threshold, threshold, threshold),
        (ladder, steps: Written[]) => {
          const shares = steps.flatMap(({ permille }) => permille ?? []);
          const sizes = steps.flatMap(({ mib }) => mib ?? []);
          expect(accepted('auto', ladder, steps)).toBe(ascends(shares) && ascends(sizes));
        },
      ),
      { numRuns: 200 },
    );
  });
});
