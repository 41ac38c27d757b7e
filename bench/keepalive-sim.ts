/**
 * What does it cost to keep idle models loaded, and to unload them? In virtual time: our policy, fixed times, the hybrid histogram and one who knows
 * the future, on the same requests; ours at the price of memory at which it wastes as much as each rival.
 */
import { priceOf, type Strategy } from '../src/policy/keepalive.js';
import { Crew } from './sim/crew.js';
import type { KeepaliveJob } from './sim/keepalive/job.js';
import { type Outcome, outcomes } from './sim/keepalive/outcome.js';
import type { ModelOutcome, Policy } from './sim/keepalive/race.js';
import { type KeepaliveSettings, keepaliveSettings, OPTIONS, usageOf } from './sim/keepalive/settings.js';
import { FIRST_PRICES, type Priced, tuned } from './sim/keepalive/tune.js';
import type { Recording } from './sim/models/minutes-csv.js';
import { recordingOf, warmUpMs } from './sim/models/recording.js';
import type { BenchRun, Findings, Table } from './support/bench.js';
import { atMost, type Goal } from './support/goals.js';
import { ratio, rounded } from './support/numbers.js';

export { OPTIONS as options };
export const usage = usageOf('keepalive-sim');
export const virtual = true;

const FIXED_MINUTES = [5, 10, 15, 30, 60];
const STRATEGIES = ['aggressive', 'balanced', 'conservative'] as const satisfies Strategy[];
const MOST_COLD_SECONDS = 0.45;
const MOST_COLD_SECONDS_HYBRID = 0.35;
const MOST_COLD_RATE = 0.75;
/** With 5 min nearly all of the upper quarter of the models are cold at nearly every call, whatever one does. */
const COLD_RATE_FROM_MINUTES = 10;
const YEAR_SECONDS = 60;
const YEAR_DAYS = 365;
const REHEARSED_DAYS = 28;
/** So that ours does not waste more in the whole than it did in the first weeks. */
const A_LITTLE_DEARER = 1.02;

/** Somebody to be compared with. */
interface Rival {
  name: string;
  outcome: Outcome;
  /** Ours where it wastes as much; null where it never wastes so little. */
  ours: Priced | null;
}

interface Results {
  rivals: Rival[];
  strategies: Record<Strategy, Priced>;
  clairvoyant: Outcome;
  requests: number;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const startedAt = performance.now();
  const settings = keepaliveSettings(run.values, run.quick);
  const recording = await recordingOf(settings);
  const crew: Field['crew'] = new Crew(new URL('./sim/keepalive/thread.js', import.meta.url));
  run.scope.defer('threads', () => crew.close());
  const field = { crew, recording, warmUpMs: warmUpMs(recording.days) };
  const results = await compare(field, run);
  return findings(run, settings, field, results, (performance.now() - startedAt) / 1000);
}

/** What all runs have in common. */
interface Field {
  crew: Crew<KeepaliveJob, ModelOutcome>;
  recording: Recording;
  warmUpMs: number;
}

async function compare(field: Field, run: BenchRun): Promise<Results> {
  const { recording } = field;
  if (recording.days < 2 * REHEARSED_DAYS) return atEqualWaste(field, FIRST_PRICES, run);
  // Each look for a price is a pass over all requests: for a long time it is found in its first weeks, and only tried in the whole.
  const { rivals } = await atEqualWaste(
    { ...field, recording: { ...recording, days: REHEARSED_DAYS } },
    FIRST_PRICES,
    run,
  );
  const prices = rivals.flatMap(({ ours }) => (ours === null ? [] : [ours.price * A_LITTLE_DEARER]));
  return atEqualWaste(field, prices, run, 0);
}

/** @param mostRounds of looking for the prices at which as much is wasted */
async function atEqualWaste(
  field: Field,
  firstPrices: readonly number[],
  run: BenchRun,
  mostRounds?: number,
): Promise<Results> {
  const fixed = FIXED_MINUTES.map((minutes): Policy => ({ kind: 'fixed', minutes }));
  const named = STRATEGIES.map((strategy) => priceOf(strategy, null));
  const prices = [...named, ...firstPrices];
  run.progress(`${field.recording.models.length} models, ${field.recording.days} days, ${prices.length} prices`);
  const { requests, found } = await play(field, [
    ...fixed,
    { kind: 'hybrid' },
    { kind: 'clairvoyant' },
    ...prices.map((price): Policy => ({ kind: 'ours', price })),
  ]);
  const known = prices.map((price, i): Priced => ({ price, ...found[fixed.length + 2 + i]! }));
  const rivals = found.slice(0, fixed.length + 1);
  const ours = await tuned(
    rivals.map(({ wasted_mb_s }) => wasted_mb_s),
    known,
    async (open) => {
      run.progress(`ours at ${open.length} more prices`);
      const more = await play(
        field,
        open.map((price) => ({ kind: 'ours', price })),
      );
      return open.map((price, i) => ({ price, ...more.found[i]! }));
    },
    mostRounds,
  );
  const name = (i: number) => (i < fixed.length ? `fixed_${FIXED_MINUTES[i]}m` : 'hybrid');
  return {
    requests,
    rivals: rivals.map((outcome, i) => ({ name: name(i), outcome, ours: ours[i]! })),
    clairvoyant: found[fixed.length + 1]!,
    strategies: { aggressive: known[0]!, balanced: known[1]!, conservative: known[2]! },
  };
}

/** All models, as many at once as there are cores. */
async function play({ crew, recording, warmUpMs }: Field, policies: Policy[]) {
  const { models, days } = recording;
  // The busiest last in the list, and first in the run: whoever gets one of them late keeps all others waiting.
  const played = await Promise.all(models.toReversed().map((model) => crew.run({ model, days, warmUpMs, policies })));
  const requests = played.reduce((sum, one) => sum + one.requests, 0);
  return { requests, found: outcomes(played) };
}

function findings(
  run: BenchRun,
  settings: KeepaliveSettings,
  { recording, warmUpMs }: Field,
  results: Results,
  tookSeconds: number,
): Findings {
  const { rivals, strategies, clairvoyant, requests } = results;
  const { asInGoals, traces, ...parameters } = settings;
  const goals = asInGoals ? rivals.flatMap(goalsOf) : [];
  if (asInGoals && settings.days >= YEAR_DAYS)
    goals.push(atMost(`${settings.days} virtual days`, tookSeconds, (YEAR_SECONDS * settings.days) / YEAR_DAYS, ' s'));
  if (goals.length === 0) run.note('goals hold for the default models and full runs only');
  run.note(
    `all learn on the first ${rounded(warmUpMs / 3_600_000, 1)} h, which are not counted; all decide before they see the next request`,
  );
  run.note(
    'wasted: MB x seconds loaded without a request; a load that is begun before a request counts as wasted while it loads',
  );
  run.note('clairvoyant: knows the next request, and loads just in time for it');
  const models = recording.models.length;
  return {
    tables: [
      overview(`${models} models, ${recording.days} days, ${requests} requests counted`, results),
      equalWaste(rivals),
    ],
    results: {
      parameters: { ...parameters, models, days: recording.days, trace: traces },
      requests,
      policies: {
        ours: strategies.balanced,
        ...Object.fromEntries(rivals.map(({ name, outcome }) => [name, outcome])),
        clairvoyant,
      },
      strategies,
      equal_waste: Object.fromEntries(rivals.map((rival) => [rival.name, comparison(rival)])),
      took_seconds: rounded(tookSeconds, 1),
    },
    goals,
    lostRequests: 0,
    peers: {},
  };
}

function comparison({ outcome, ours }: Rival) {
  return {
    ours,
    cold_seconds_ratio: ratio(ours?.cold_seconds ?? null, outcome.cold_seconds),
    p75_cold_rate_ratio: ratio(ours?.p75_cold_rate ?? null, outcome.p75_cold_rate),
    wasted_ratio: ratio(ours?.wasted_mb_s ?? null, outcome.wasted_mb_s),
  };
}

function goalsOf(rival: Rival): Goal[] {
  const { cold_seconds_ratio, p75_cold_rate_ratio } = comparison(rival);
  const minutes = Number(/^fixed_(\d+)m$/.exec(rival.name)?.[1] ?? 0);
  const most = minutes > 0 ? MOST_COLD_SECONDS : MOST_COLD_SECONDS_HYBRID;
  const unit = ` x ${rival.name}`;
  return [
    atMost('cold seconds at equal waste', cold_seconds_ratio, most, unit),
    ...(minutes >= COLD_RATE_FROM_MINUTES
      ? [atMost('p75 cold-start rate at equal waste', p75_cold_rate_ratio, MOST_COLD_RATE, unit)]
      : []),
  ];
}

const GB_HOUR = 3.6e6;

function overview(title: string, { rivals, strategies, clairvoyant }: Results): Table {
  const row = (name: string, outcome: Outcome, price: number | null) => [
    name,
    outcome.cold_starts,
    rounded(outcome.p75_cold_rate, 3),
    rounded(outcome.cold_seconds, 0),
    rounded(outcome.wasted_mb_s / GB_HOUR, 0),
    price === null ? null : price.toExponential(1),
  ];
  return {
    title,
    head: ['', 'cold starts', 'p75 cold rate', 'cold seconds', 'wasted GB h', 'price'],
    rows: [
      ...rivals.map(({ name, outcome }) => row(name, outcome, null)),
      ...STRATEGIES.map((strategy) => row(`ours, ${strategy}`, strategies[strategy], strategies[strategy].price)),
      row('clairvoyant', clairvoyant, null),
    ],
  };
}

function equalWaste(rivals: readonly Rival[]): Table {
  return {
    title: 'ours, at the price at which it wastes as much',
    head: ['as', 'price', 'wasted', 'cold starts', 'cold seconds', 'relative', 'p75 cold rate', 'relative'],
    rows: rivals.map((rival) => {
      const { ours, cold_seconds_ratio, p75_cold_rate_ratio, wasted_ratio } = comparison(rival);
      if (ours === null) return [rival.name, null, null, null, null, null, null, null];
      return [
        rival.name,
        ours.price.toExponential(2),
        rounded(wasted_ratio, 3),
        ours.cold_starts,
        rounded(ours.cold_seconds, 0),
        rounded(cold_seconds_ratio, 3),
        rounded(ours.p75_cold_rate, 3),
        rounded(p75_cold_rate_ratio, 3),
      ];
    }),
  };
}
