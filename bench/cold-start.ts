/**
 * What does it cost to ask a model that is not loaded, beyond its own load? A module that loads for one second is asked, unloaded by
 * hand and asked again; and it is asked by a hundred at once, who should cause one load.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchRun, Findings } from './support/bench.js';
import { atMost } from './support/goals.js';
import { median, rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture } from './support/paths.js';

const LOAD_MS = 1000;
const AT_ONCE = 100;
const GOAL_MS = 150;
const ISOLATIONS = ['process', 'thread'] as const;
type Isolation = (typeof ISOLATIONS)[number];

interface Round {
  isolation: Isolation;
  clients: number;
  /** Until the last answer, less the load. */
  overheadMs: number;
  loads: number;
  failed: number;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const rounds = run.quick ? 2 : 9;
  const ours = await OurSupervisor.create(run.scope);
  const journal = (isolation: Isolation) => join(run.scope.dir, `${isolation}.txt`);
  const app = (isolation: Isolation) => ({
    kind: 'model',
    module: fixture('loads-slowly.mjs'),
    isolation,
    workers: { min: 0, max: 1 },
    options: { loadMs: LOAD_MS, journal: journal(isolation) },
  });
  await ours.command('start', ours.writeConfig(Object.fromEntries(ISOLATIONS.map((each) => [each, app(each)]))));
  const results: Round[] = [];
  for (let round = 0; round < rounds; round++)
    for (const isolation of ISOLATIONS)
      for (const clients of [1, AT_ONCE]) {
        run.progress(`${isolation}, ${clients} at once, round ${round + 1} of ${rounds}`);
        rmSync(journal(isolation), { force: true });
        const startedAt = performance.now();
        const answers = await Promise.all(Array.from({ length: clients }, () => ask(ours.inferencePort, isolation)));
        const overheadMs = performance.now() - startedAt - LOAD_MS;
        const loads = readFileSync(journal(isolation), 'utf8').trim().split('\n').length;
        results.push({ isolation, clients, overheadMs, loads, failed: answers.filter((ok) => !ok).length });
        await ours.command('unload', isolation);
      }
  return findings(results);
}

async function ask(port: number, model: string): Promise<boolean> {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"inputs":1}' };
  const response = await fetch(`http://127.0.0.1:${port}/predict/${model}`, request);
  await response.arrayBuffer();
  return response.ok;
}

function findings(results: readonly Round[]): Findings {
  const rows = ISOLATIONS.flatMap((isolation) =>
    [1, AT_ONCE].map((clients) => {
      const of = results.filter((round) => round.isolation === isolation && round.clients === clients);
      return {
        isolation,
        clients,
        overheadMs: median(of.map((round) => round.overheadMs)),
        worstMs: Math.max(...of.map((round) => round.overheadMs)),
        mostLoads: Math.max(...of.map(({ loads }) => loads)),
      };
    }),
  );
  const failed = results.reduce((sum, round) => sum + round.failed, 0);
  return {
    tables: [
      {
        title: `a load of ${LOAD_MS} ms; medians of ${results.length / rows.length} rounds`,
        head: ['', 'asked at once by', 'overhead ms', 'worst ms', 'loads'],
        rows: rows.map((row) => [
          row.isolation,
          row.clients,
          rounded(row.overheadMs, 0),
          rounded(row.worstMs, 0),
          row.mostLoads,
        ]),
      },
    ],
    results: { loadMs: LOAD_MS, rows, rounds: results },
    goals: [
      ...rows
        .filter(({ clients }) => clients === 1)
        .map((row) => atMost(`overhead of a cold start, ${row.isolation}`, row.overheadMs, GOAL_MS, 'ms')),
      atMost(`loads that ${AT_ONCE} first requests cause`, Math.max(...rows.map((row) => row.mostLoads)), 1, ''),
    ],
    lostRequests: failed,
    peers: {},
  };
}
