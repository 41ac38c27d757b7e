/**
 * How late are answers when one of four workers is five times slower, by the strategy that chooses the workers? The model only
 * waits, so that four workers and their clients have room on two cores. Nobody is taken out for being slow, but in the last row.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BALANCERS } from '../src/config/model-schema.js';
import type { BenchRun, Findings } from './support/bench.js';
import { atMost } from './support/goals.js';
import { LedgerClient, lossOf } from './support/ledger.js';
import type { Entry } from './support/ledger-protocol.js';
import { median, ratio, rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture } from './support/paths.js';

const WORKERS = 4;
const SLOW_FACTOR = 5;
const SLEEP_MS = 120;
const LOAD = 0.7;
const EJECTING = 'least_connections, slow one out';
const CONTENDERS = [...BALANCERS, EJECTING] as const;
type Contender = (typeof CONTENDERS)[number];

/** Models that wait for something else run several requests at once; models that compute run one batch at a time. */
const SETUPS = {
  'four at once': { concurrency: 4, batching: { max_size: 1 } },
  'one batch at once': { concurrency: 1, batching: { max_size: 32 } },
} as const;
type Setup = keyof typeof SETUPS;
const LOADS = ['open', 'closed'] as const;
type Kind = (typeof LOADS)[number];

interface Measured {
  contender: Contender;
  setup: Setup;
  kind: Kind;
  round: number;
  entry: Entry;
  all: Entry[];
}

interface Sizes {
  rounds: number;
  setups: readonly Setup[];
  kinds: readonly Kind[];
  contenders: readonly Contender[];
  settleMs: number;
  measureMs: number;
}

const FULL: Sizes = {
  rounds: 2,
  setups: ['four at once', 'one batch at once'],
  kinds: LOADS,
  contenders: CONTENDERS,
  settleMs: 3000,
  measureMs: 10_000,
};
const QUICK: Sizes = {
  rounds: 1,
  setups: ['four at once'],
  kinds: ['open'],
  contenders: ['round_robin', 'least_response_time'],
  settleMs: 1500,
  measureMs: 3000,
};

export async function bench(run: BenchRun): Promise<Findings> {
  const sizes = run.quick ? QUICK : FULL;
  const measured: Measured[] = [];
  for (let round = 0; round < sizes.rounds; round++)
    for (const setup of sizes.setups)
      for (const [i] of sizes.contenders.entries()) {
        const contender = sizes.contenders[(i + round) % sizes.contenders.length]!;
        run.progress(`round ${round + 1} of ${sizes.rounds}: ${setup}, ${contender}`);
        measured.push(...(await measure(run, contender, setup, round, sizes)));
      }
  return findings(measured, sizes);
}

/** Of all four together, requests a second. */
function capacityOf(setup: Setup): number {
  return (SETUPS[setup].concurrency * (WORKERS - 1 + 1 / SLOW_FACTOR) * 1000) / SLEEP_MS;
}

async function measure(
  run: BenchRun,
  contender: Contender,
  setup: Setup,
  round: number,
  sizes: Sizes,
): Promise<Measured[]> {
  const ours = await OurSupervisor.create(run.scope, `ours-${measuredName(contender)}-${measuredName(setup)}-${round}`);
  const ejects = contender === EJECTING;
  const model = {
    kind: 'model',
    module: fixture('sleeps.mjs'),
    workers: WORKERS,
    options: { sleepMs: SLEEP_MS, slowPlace: 0, slowFactor: SLOW_FACTOR },
    ...SETUPS[setup],
    routing: { strategy: ejects ? 'least_connections' : contender, key: 'input' },
    health: { max_ejected: ejects ? '50%' : '0%' },
  };
  await ours.command('start', ours.writeConfig({ sleeps: model }));
  const measured: Measured[] = [];
  for (const kind of sizes.kinds) {
    const client = LedgerClient.start(run.scope);
    client.send(ours.inferencePort, [loadOf(kind, setup)], 'settling');
    await sleep(sizes.settleMs);
    client.phase('counted');
    await sleep(sizes.measureMs);
    client.phase('after');
    const all = await client.stop();
    const entry = all.find(({ phase }) => phase === 'counted')!;
    measured.push({ contender, setup, kind, round, entry, all });
  }
  await ours.kill();
  return measured;
}

/** A closed load of so many clients that it is about as much as the open one, were all workers fast. */
function loadOf(kind: Kind, setup: Setup) {
  const common = { name: kind, path: '/predict/sleeps', predicts: true } as const;
  if (kind === 'open') return { kind: 'open', ...common, perSecond: LOAD * capacityOf(setup) } as const;
  const clients = Math.round(LOAD * WORKERS * SETUPS[setup].concurrency);
  return { kind: 'closed', ...common, clients, keepAlive: true, maxPauseMs: 0 } as const;
}

function measuredName(text: string): string {
  return text.replaceAll(/\W+/g, '-');
}

function findings(measured: readonly Measured[], { setups, kinds, contenders, measureMs }: Sizes): Findings {
  const rows = setups.flatMap((setup) =>
    kinds.flatMap((kind) =>
      contenders.map((contender) => {
        const entries = measured
          .filter((m) => m.setup === setup && m.kind === kind && m.contender === contender)
          .map(({ entry }) => entry);
        const middle = (value: (entry: Entry) => number | null) =>
          median(entries.flatMap((entry) => value(entry) ?? []));
        return {
          setup,
          kind,
          contender,
          perSecond: middle((entry) => (entry.ok / entry.durationMs) * 1000),
          p50Ms: middle((entry) => entry.p50Ms),
          p95Ms: middle((entry) => entry.p95Ms),
          p99Ms: middle((entry) => entry.p99Ms),
        };
      }),
    ),
  );
  const p99 = (setup: Setup, kind: Kind, contender: Contender) =>
    rows.find((row) => row.setup === setup && row.kind === kind && row.contender === contender)?.p99Ms ?? null;
  const loss = lossOf(measured.flatMap(({ all }) => all));
  const goals = setups.flatMap((setup) =>
    kinds.map((kind) =>
      atMost(
        `${setup}, ${kind} loop: p99 of least_response_time / round_robin`,
        ratio(p99(setup, kind, 'least_response_time'), p99(setup, kind, 'round_robin')),
        0.5,
        '',
      ),
    ),
  );
  return {
    tables: setups.flatMap((setup) =>
      kinds.map((kind) => ({
        title: `${WORKERS} workers, ${setup}, one ${SLOW_FACTOR} × slower (${SLEEP_MS} and ${SLEEP_MS * SLOW_FACTOR} ms); ${kind} loop${kind === 'open' ? ` at ${100 * LOAD} % of capacity` : ''}, ${measureMs / 1000} s, medians`,
        head: ['', 'answers/s', 'p50 ms', 'p95 ms', 'p99 ms'],
        rows: rows
          .filter((row) => row.setup === setup && row.kind === kind)
          .map((row) => [
            row.contender,
            rounded(row.perSecond, 0),
            rounded(row.p50Ms, 0),
            rounded(row.p95Ms, 0),
            rounded(row.p99Ms, 0),
          ]),
      })),
    ),
    results: { workers: WORKERS, slowFactor: SLOW_FACTOR, sleepMs: SLEEP_MS, rows, measured },
    goals: [...goals, atMost('lost or duplicated', loss.lost + loss.duplicated, 0, '')],
    lostRequests: loss.lost + loss.duplicated,
    peers: {},
  };
}
