/**
 * How well do pools follow their load? In virtual time: our policy, the rules of others and every fixed size, on the same arrivals.
 * The workloads are fixed (sim/workloads.ts), or an own one is replayed.
 */
import { dominates, type FixedSize, fixedSizes, SAME_GOODPUT } from './sim/compare.js';
import { Crew } from './sim/crew.js';
import { type Job, RULES, type RuleName } from './sim/job.js';
import type { Outcome } from './sim/run.js';
import { OPTIONS, type Settings, settingsOf, USAGE } from './sim/settings.js';
import { readTrace } from './sim/trace.js';
import { COMPARED, workload } from './sim/workloads.js';
import type { BenchRun, Findings, Table } from './support/bench.js';
import { atLeast, atMost, type Goal } from './support/goals.js';
import { rounded } from './support/numbers.js';
import { UsageError } from './support/usage.js';

export { OPTIONS as options, USAGE as usage };
export const virtual = true;

/** Everybody begins with the smallest size, and what that costs at first says little. */
const WARM_UP_MS = 10 * 60_000;
const BOX_MIB = 2048;
const CORES = 2;
const CPU_MOST = 8;
const OTHERS = ['hpa', 'knative', 'uwsgi'] as const;

/** Goals of issue and design: goodput and worker-seconds relative to the best fixed size. */
const LEAST_GOODPUT: Record<string, number> = { bursty: 0.975 };
const MOST_COST: Record<string, number> = {
  step: 0.95,
  ramp: 0.95,
  diurnal: 0.95,
  bursty: 0.65,
  flat: 1.2,
  sawtooth: 1.2,
};
const MOST_RESIZES_PER_HOUR = 50;
const LEAST_DOMINATED: Record<(typeof OTHERS)[number], number> = { hpa: 5, knative: 3, uwsgi: 5 };
const WEEK_SECONDS = 30;

type SimCrew = Crew<Job, Outcome[]>;

/** One workload: what is raced, and who came out how. */
interface Case {
  name: string;
  shape: string;
  job: Omit<Job, 'contenders'>;
}

interface Result {
  name: string;
  shape: string;
  rules: Record<RuleName, Outcome>;
  best: FixedSize;
  worst: FixedSize;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const settings = settingsOf(run.values, run.quick);
  const cases = await casesOf(settings);
  const crew: SimCrew = new Crew(new URL('./sim/thread.js', import.meta.url));
  run.scope.defer('threads', () => crew.close());
  const startedAt = performance.now();
  const results: Result[] = [];
  for (const one of cases) {
    run.progress(`${one.name}: ${one.shape}`);
    results.push(await raced(one, crew));
  }
  const tookSeconds = (performance.now() - startedAt) / 1000;
  return findings(run, settings, results, tookSeconds);
}

async function casesOf(settings: Settings): Promise<Case[]> {
  const { trace, days, seed, serviceMs, bootMs, deadlineMs, max, workerMib, limitMib } = settings;
  const memoryOf = (mib: number | null) => (mib === null ? null : { limitMib: mib, workerMib });
  if (limitMib !== null && limitMib < workerMib)
    throw new UsageError(`--memory-limit ${limitMib}: one worker of ${workerMib} MiB does not fit in`);
  const box = { deadlineMs, bootMs, cores: null, memory: null };
  const job = { serviceMs, seed, warmUpMs: WARM_UP_MS, box, limits: { min: 1, max } };
  const synthetic = (name: string, seconds: number, changes: Partial<Case['job']> = {}): Case => {
    const { shape } = workload(name, seconds, seed);
    return {
      name: name === 'day' ? 'diurnal' : name,
      shape,
      job: { ...job, arrivals: { workload: name, seconds }, ...changes },
    };
  };
  if (trace !== null) {
    const at = await readTrace(trace.file, trace.column);
    const shape = `${at.length} arrivals within ${rounded((at.at(-1) ?? 0) / 1000, 0)} s`;
    // A recording may be short: every request of it counts.
    return [
      {
        name: 'trace',
        shape,
        job: { ...job, arrivals: { at }, warmUpMs: 0, box: { ...box, memory: memoryOf(limitMib) } },
      },
    ];
  }
  if (days !== null) return [synthetic('day', days * 86_400)];
  const seconds = settings.hours * 3600;
  return [
    ...COMPARED.map((name) => synthetic(name, seconds)),
    synthetic('memory-bound', seconds, { box: { ...box, memory: memoryOf(limitMib ?? BOX_MIB) } }),
    synthetic('cpu-bound', seconds, {
      box: { ...box, cores: CORES },
      limits: { min: 1, max: Math.min(max, CPU_MOST) },
    }),
  ];
}

async function raced({ name, shape, job }: Case, crew: SimCrew): Promise<Result> {
  const { memory, cores } = job.box;
  const fitting = memory === null ? job.limits.max : Math.floor(memory.limitMib / memory.workerMib);
  const among = (contenders: (RuleName | number)[]) => crew.run({ ...job, contenders });
  // Ours takes about as long as the others together.
  const [[ours], others, { best, worst }] = await Promise.all([
    among(['ours']),
    among([...OTHERS]),
    fixedSizes(Math.min(job.limits.max, fitting), cores === null, among),
  ]);
  const [hpa, knative, uwsgi] = others;
  const rules: Record<RuleName, Outcome> = { ours: ours!, hpa: hpa!, knative: knative!, uwsgi: uwsgi! };
  return { name, shape, rules, best, worst };
}

function findings(run: BenchRun, settings: Settings, results: readonly Result[], tookSeconds: number): Findings {
  run.note(
    `'dominates': goodput no more than ${SAME_GOODPUT} lower, worker-seconds no higher, and better in one of the two; relative figures are to the best fixed size`,
  );
  if (settings.trace === null) run.note(`the first ${WARM_UP_MS / 60_000} min of each run are warm-up and not counted`);
  const compared = results.filter(({ name }) => (COMPARED as readonly string[]).includes(name));
  const { trace, days, asInGoals, ...parameters } = settings;
  const goals = [
    ...(asInGoals && trace === null ? [...compared.flatMap(goalsOf), ...specialGoals(results, settings)] : []),
    ...(asInGoals && compared.length === COMPARED.length ? dominanceGoals(compared) : []),
    ...(days === null
      ? []
      : [atMost(`${days} virtual days`, tookSeconds, (WEEK_SECONDS * Math.max(7, days)) / 7, ' s')]),
  ];
  if (goals.length === 0) run.note('goals hold for the default parameters and full runs only');
  return {
    tables: [...results.map(table), ...(compared.length > 1 ? [dominanceTable(compared)] : [])],
    results: {
      parameters: { ...parameters, days, trace: trace?.file ?? null },
      workloads: Object.fromEntries(
        results.map(({ name, rules, best, worst }) => [name, { ...rules, best_static: best, worst_static: worst }]),
      ),
      dominated_by_ours: Object.fromEntries(OTHERS.map((other) => [other, dominatedBy(compared, 'ours', other)])),
      dominating_ours: Object.fromEntries(OTHERS.map((other) => [other, dominatedBy(compared, other, 'ours')])),
      same_goodput: SAME_GOODPUT,
    },
    goals,
    lostRequests: 0,
    peers: {},
  };
}

function dominatedBy(results: readonly Result[], one: RuleName, other: RuleName): string[] {
  return results.filter(({ rules }) => dominates(rules[one], rules[other])).map(({ name }) => name);
}

function goalsOf({ name, rules: { ours }, best }: Result): Goal[] {
  const goodput = ours.goodput / best.goodput;
  const cost = ours.worker_seconds / best.worker_seconds;
  return [
    atLeast(`${name}: goodput`, goodput, LEAST_GOODPUT[name] ?? 0.99, ' x best fixed size'),
    atMost(`${name}: worker-seconds`, cost, MOST_COST[name]!, ' x best fixed size'),
    atMost(`${name}: resizes`, ours.resizes_per_hour, MOST_RESIZES_PER_HOUR, ' an hour'),
  ];
}

function specialGoals(results: readonly Result[], { workerMib, limitMib }: Settings): Goal[] {
  const memory = results.find(({ name }) => name === 'memory-bound');
  const cpu = results.find(({ name }) => name === 'cpu-bound');
  return [
    ...(memory
      ? [atMost('memory-bound: memory', memory.rules.ours.peak_workers * workerMib, limitMib ?? BOX_MIB, ' MiB')]
      : []),
    ...(cpu
      ? [atMost(`cpu-bound: workers on ${CORES} cores, 95 % of the time`, cpu.rules.ours.p95_workers, CORES + 1, '')]
      : []),
  ];
}

function dominanceGoals(results: readonly Result[]): Goal[] {
  return OTHERS.flatMap((other) => [
    atLeast(
      `workloads on which ours dominates ${other}`,
      dominatedBy(results, 'ours', other).length,
      LEAST_DOMINATED[other],
      '',
    ),
    atMost(`workloads on which ${other} dominates ours`, dominatedBy(results, other, 'ours').length, 0, ''),
  ]);
}

function table({ name, shape, rules, best, worst }: Result): Table {
  const row = (label: string, outcome: Outcome) => [
    label,
    rounded(outcome.goodput, 4),
    rounded(outcome.goodput / best.goodput, 3),
    rounded(outcome.worker_seconds, 0),
    rounded(outcome.worker_seconds / best.worker_seconds, 2),
    outcome.resizes,
    rounded(outcome.resizes_per_hour, 0),
    outcome.p99_ms,
    outcome.peak_workers,
  ];
  return {
    title: `${name}: ${shape}`,
    head: ['', 'goodput', 'relative', 'worker-seconds', 'relative', 'resizes', 'an hour', 'p99 ms', 'most workers'],
    rows: [
      ...RULES.map((rule) => row(rule, rules[rule])),
      row(`best fixed size (${best.size})`, best),
      row(`worst fixed size (${worst.size})`, worst),
    ],
  };
}

function dominanceTable(results: readonly Result[]): Table {
  const verdict = (ours: Outcome, other: Outcome) =>
    dominates(ours, other) ? 'ours' : dominates(other, ours) ? 'THEIRS' : 'neither';
  return {
    title: 'who dominates',
    head: ['', ...OTHERS],
    rows: results.map(({ name, rules }) => [name, ...OTHERS.map((other) => verdict(rules.ours, rules[other]))]),
  };
}
