/**
 * Who should go when memory is short, and who should come back before it is asked for? In virtual time: our policy, the usual ones and one who
 * knows the future, on the same requests and in the same memory.
 */
import { Crew } from './sim/crew.js';
import { type KeepaliveSettings, keepaliveSettings, OPTIONS, usageOf } from './sim/keepalive/settings.js';
import type { Recording } from './sim/models/minutes-csv.js';
import { recordingOf, warmUpMs } from './sim/models/recording.js';
import type { Tally } from './sim/unload/box.js';
import type { UnloadJob, UnloadPolicy } from './sim/unload/job.js';
import { SIGHTS, type Sight } from './sim/unload/rivals.js';
import type { BenchRun, Findings, Table } from './support/bench.js';
import { atMost, type Goal } from './support/goals.js';
import { ratio, rounded } from './support/numbers.js';

export { OPTIONS as options };
export const usage = usageOf('unload-sim');
export const virtual = true;

const BUDGET_SHARE = 0.4;
const TTL_MINUTES = 10;
const MOST_OF_LRU_TTL = 0.4;
const MOST_OF_GDSF = 0.8;
const MOST_OF_CLAIRVOYANT = 1.15;
const MOST_OF_CLAIRVOYANT_ON_DEMAND = 1.3;
const MOST_RELOADS_OF_LRU = 0.3;

/** `unloading.min_residency`, as it is by default. */
const MIN_RESIDENCY_MS = 60_000;

type Name = Ours | 'lru_ttl_10m' | 'lru' | 'gdsf' | 'clairvoyant';
type Ours = keyof typeof OURS;
/** Anybody idle may go, as with the others; and what the product's `min_residency` makes of that. */
const OURS = {
  ours: { kind: 'ours', minResidencyMs: 0 },
  ours_on_demand: { kind: 'ours_on_demand', minResidencyMs: 0 },
  ours_min_residency_60s: { kind: 'ours', minResidencyMs: MIN_RESIDENCY_MS },
  ours_on_demand_min_residency_60s: { kind: 'ours_on_demand', minResidencyMs: MIN_RESIDENCY_MS },
} as const satisfies Record<string, UnloadPolicy>;
const OUR_NAMES = Object.keys(OURS) as Ours[];
type Policies = Record<Name, Tally>;

interface Results {
  policies: Policies;
  /** By what the clairvoyant chose whom to let go: the one of which callers waited least. */
  sight: Sight;
  clairvoyants: Record<Sight, Tally>;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const startedAt = performance.now();
  const settings = keepaliveSettings(run.values, run.quick);
  const recording = await recordingOf(settings);
  const budgetMb = budgetOf(recording);
  run.progress(`${recording.models.length} models, ${recording.days} days, ${rounded(budgetMb / 1000, 1)} GB`);
  const results = await play(recording, budgetMb, run);
  return findings(run, settings, recording, budgetMb, results, (performance.now() - startedAt) / 1000);
}

/** Never less than the largest model: it could not be loaded at all. */
function budgetOf({ models }: Recording): number {
  const sizes = models.map(({ mb }) => mb);
  return sizes.reduce((most, mb) => Math.max(most, mb), BUDGET_SHARE * sizes.reduce((sum, mb) => sum + mb, 0));
}

async function play({ models, days }: Recording, budgetMb: number, run: BenchRun): Promise<Results> {
  const crew = new Crew<UnloadJob, Tally>(new URL('./sim/unload/thread.js', import.meta.url));
  run.scope.defer('threads', () => crew.close());
  const tallyOf = (policy: UnloadPolicy) => crew.run({ models, days, warmUpMs: warmUpMs(days), budgetMb, policy });
  // Ours first: it takes longest.
  const [ours, ttl, lru, gdsf, seeing] = await Promise.all([
    Promise.all(OUR_NAMES.map((name) => tallyOf(OURS[name]))),
    tallyOf({ kind: 'lru_ttl', minutes: TTL_MINUTES }),
    tallyOf({ kind: 'lru' }),
    tallyOf({ kind: 'gdsf' }),
    Promise.all(SIGHTS.map((sight) => tallyOf({ kind: 'clairvoyant', sight }))),
  ]);
  const clairvoyants = Object.fromEntries(SIGHTS.map((sight, i) => [sight, seeing[i]!])) as Record<Sight, Tally>;
  const sight = SIGHTS.reduce((best, one) =>
    clairvoyants[one].cold_seconds < clairvoyants[best].cold_seconds ? one : best,
  );
  return {
    policies: {
      ...(Object.fromEntries(OUR_NAMES.map((name, i) => [name, ours[i]!])) as Record<Ours, Tally>),
      lru_ttl_10m: ttl,
      lru,
      gdsf,
      clairvoyant: clairvoyants[sight],
    },
    sight,
    clairvoyants,
  };
}

function findings(
  run: BenchRun,
  settings: KeepaliveSettings,
  { models, days }: Recording,
  budgetMb: number,
  { policies, sight, clairvoyants }: Results,
  tookSeconds: number,
): Findings {
  const { asInGoals, traces, ...parameters } = settings;
  if (!asInGoals) run.note('goals hold for the default models and full runs only');
  run.note(`all learn on the first ${rounded(warmUpMs(days) / 3_600_000, 1)} h, which are not counted`);
  run.note('cold seconds: from a request that finds its model unloaded until that is loaded');
  run.note(
    'ours: lets go by keep value, and loads ahead what is worth more than what goes for it; on demand: never ahead',
  );
  run.note('min_residency is 0 but where it says 60 s, the default: the others know nothing of the kind');
  const young = policies.ours_min_residency_60s.too_young;
  if (young > 0) run.note(`min_residency 60 s: ${young} loads would be refused, and let go who is too young here`);
  run.note(`clairvoyant: loads on demand, and knows who is called when; lets go by ${SIGHT[sight]}, the best of three`);
  const { requests } = policies.ours;
  return {
    tables: [
      overview(
        `${models.length} models in ${rounded(budgetMb / 1000, 1)} GB, ${days} days, ${requests} requests`,
        policies,
      ),
    ],
    results: {
      parameters: { ...parameters, models: models.length, days, trace: traces, budget_mb: rounded(budgetMb, 0) },
      requests,
      policies,
      relative: relative(policies),
      clairvoyant_by: sight,
      clairvoyants,
      took_seconds: rounded(tookSeconds, 1),
    },
    goals: asInGoals ? goalsOf(policies) : [],
    lostRequests: 0,
    peers: {},
  };
}

const SIGHT: Readonly<Record<Sight, string>> = {
  farthest: 'the farthest next call',
  sqrt: '√(load seconds ÷ MB) ÷ time to the next call',
  cost: 'load seconds ÷ MB ÷ time to the next call',
};

const RIVALS = ['lru_ttl_10m', 'lru', 'gdsf', 'clairvoyant'] as const;

/** Cold seconds of ours, and reloads soon after going, relative to each rival's. */
function relative(policies: Policies) {
  return Object.fromEntries(
    OUR_NAMES.map((name) => [
      name,
      Object.fromEntries(
        RIVALS.map((rival) => [
          rival,
          {
            cold_seconds_ratio: ratio(policies[name].cold_seconds, policies[rival].cold_seconds),
            reloads_ratio: ratio(policies[name].reloads_within_2m, policies[rival].reloads_within_2m),
          },
        ]),
      ),
    ]),
  );
}

function goalsOf({ ours, ours_on_demand, lru_ttl_10m, lru, gdsf, clairvoyant }: Policies): Goal[] {
  const cold = (name: string, one: Tally, other: Tally, most: number, unit: string) =>
    atMost(`cold seconds, ${name}`, ratio(one.cold_seconds, other.cold_seconds), most, unit);
  const reloads = (name: string, one: Tally) =>
    atMost(
      `reloads within 2 min, ${name}`,
      ratio(one.reloads_within_2m, lru.reloads_within_2m),
      MOST_RELOADS_OF_LRU,
      ' x lru',
    );
  return [
    cold('ours', ours, lru_ttl_10m, MOST_OF_LRU_TTL, ' x lru_ttl_10m'),
    cold('ours', ours, gdsf, MOST_OF_GDSF, ' x gdsf'),
    cold('ours', ours, clairvoyant, MOST_OF_CLAIRVOYANT, ' x clairvoyant'),
    cold('ours on demand', ours_on_demand, clairvoyant, MOST_OF_CLAIRVOYANT_ON_DEMAND, ' x clairvoyant'),
    reloads('ours', ours),
    reloads('ours on demand', ours_on_demand),
  ];
}

function overview(title: string, policies: Policies): Table {
  const { clairvoyant } = policies;
  return {
    title,
    head: [
      '',
      'cold starts',
      'cold seconds',
      'x clairvoyant',
      'evictions',
      'loaded ahead',
      'unloaded early',
      'reloads in 2 min',
    ],
    rows: (Object.keys(policies) as Name[]).map((name) => {
      const tally = policies[name];
      return [
        name.replaceAll('_', ' '),
        tally.cold_starts,
        rounded(tally.cold_seconds, 0),
        rounded(ratio(tally.cold_seconds, clairvoyant.cold_seconds), 3),
        tally.evictions,
        tally.prewarms,
        tally.early_unloads,
        tally.reloads_within_2m,
      ];
    }),
  };
}
