/**
 * What is answered in time when more comes than can be done? Requests on time whether or not earlier ones are answered, from half
 * of the capacity to ten times. The model only waits, so the capacity is settled by its concurrency and not by what the clients
 * leave of the cores.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchRun, Findings } from './support/bench.js';
import { background, endChild } from './support/command.js';
import { atLeast, atMost } from './support/goals.js';
import { LedgerClient, lossOf } from './support/ledger.js';
import type { Entry } from './support/ledger-protocol.js';
import { median, ratio, rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture, peersDir } from './support/paths.js';
import { freePorts, until } from './support/wait.js';

/** Long beside the delays of a machine that is busy with the clients: those would count as service time. */
const SLEEP_MS = 20;
const CONCURRENCY = 4;
const DEADLINE_MS = 1000;
/** What one of ours that keeps no deadline would still be answered in. */
const LOST_AFTER_MS = 20_000;
/** Nobody waits longer for a server without deadlines. */
const GIVE_UP_MS = 5000;
const MAX_OPEN = 15_000;
const BOOT_DEADLINE_MS = 30_000;

const CONTENDERS = ['ours', 'ours, shedding: false', 'by hand, unbounded queue'] as const;
type Name = (typeof CONTENDERS)[number];

interface Sizes {
  times: readonly number[];
  capacityMs: number;
  /** The load goes on, but is not counted yet. */
  settleMs: number;
  levelMs: number;
  rounds: number;
}

const FULL: Sizes = { times: [0.5, 1, 2, 4, 6, 10], capacityMs: 3000, settleMs: 2000, levelMs: 4000, rounds: 2 };
const QUICK: Sizes = { times: [0.5, 4], capacityMs: 1000, settleMs: 500, levelMs: 1500, rounds: 1 };

const NOTHING: Entry = {
  load: '',
  phase: 'counted',
  durationMs: 0,
  sent: 0,
  ok: 0,
  good: 0,
  typedErrors: 0,
  lost: {},
  duplicated: 0,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  maxMs: null,
};

interface Level {
  name: Name;
  times: number;
  round: number;
  entry: Entry;
  /** The whole level, from its first request on. */
  all: Entry[];
}

interface Server {
  port: number;
  end(): Promise<void>;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const sizes = run.quick ? QUICK : FULL;
  const capacity = await measureCapacity(run, sizes);
  const levels: Level[] = [];
  for (let round = 0; round < sizes.rounds; round++)
    for (const name of CONTENDERS.map((_, i) => CONTENDERS[(i + round) % CONTENDERS.length]!))
      levels.push(...(await measure(run, name, capacity, sizes, round)));
  return findings(levels, capacity, sizes);
}

/** Clients that each wait for their answer, more than enough to keep the model busy. */
async function measureCapacity(run: BenchRun, sizes: Sizes): Promise<number> {
  const server = await start(run, 'ours', 'capacity');
  const client = LedgerClient.start(run.scope);
  run.progress('capacity');
  const load = { kind: 'closed', name: 'closed', clients: 4 * CONCURRENCY, path: '/predict', keepAlive: true } as const;
  client.send(server.port, [{ ...load, maxPauseMs: 0, predicts: true }], 'warm-up', LOST_AFTER_MS);
  await sleep(sizes.settleMs);
  client.phase('capacity');
  await sleep(sizes.capacityMs);
  const entry = (await client.stop()).find(({ phase }) => phase === 'capacity')!;
  await server.end();
  return (entry.ok / entry.durationMs) * 1000;
}

async function measure(run: BenchRun, name: Name, capacity: number, sizes: Sizes, round: number): Promise<Level[]> {
  const levels: Level[] = [];
  let server: Server | null = null;
  for (const times of sizes.times) {
    // What the one by hand has piled up at one level would be counted at the next.
    if (name === 'by hand, unbounded queue') {
      await server?.end();
      server = null;
    }
    server ??= await start(run, name, `${CONTENDERS.indexOf(name)}-${round}`);
    run.progress(`round ${round + 1} of ${sizes.rounds}: ${name}, ${times} × capacity`);
    const client = LedgerClient.start(run.scope);
    const perSecond = times * capacity;
    const load = { kind: 'open', name, path: '/predict', perSecond, predicts: true } as const;
    const bounds = { maxOpen: MAX_OPEN, goodWithinMs: DEADLINE_MS };
    client.send(
      server.port,
      [{ ...load, ...bounds }],
      'settling',
      name === 'by hand, unbounded queue' ? GIVE_UP_MS : LOST_AFTER_MS,
    );
    await sleep(sizes.settleMs);
    client.phase('counted');
    await sleep(sizes.levelMs);
    client.phase('after');
    const all = await client.stop();
    // Nothing is sent any more where too many wait for their answers already.
    const entry = all.find(({ phase }) => phase === 'counted') ?? { ...NOTHING, load: name, durationMs: sizes.levelMs };
    levels.push({ name, times, round, entry, all });
  }
  await server?.end();
  return levels;
}

async function start(run: BenchRun, name: Name, folder: string): Promise<Server> {
  if (name === 'by hand, unbounded queue') {
    const [port] = await freePorts(1);
    const args = [`${peersDir}/fastify-fifo.mjs`, port, SLEEP_MS, CONCURRENCY].map(String);
    const child = background(run.scope, process.execPath, args, { env: run.scope.env });
    await until(`${name} to answer`, BOOT_DEADLINE_MS, () => answers(port!));
    return { port: port!, end: () => endChild(child) };
  }
  const ours = await OurSupervisor.create(run.scope, `ours-${folder}`);
  const model = { kind: 'model', module: fixture('sleeps.mjs'), workers: 1, options: { sleepMs: SLEEP_MS } };
  const limits = { concurrency: CONCURRENCY, timeout: `${DEADLINE_MS}ms`, batching: { max_size: 1 } };
  const queue = { shedding: name === 'ours' };
  await ours.command('start', ours.writeConfig({ sleeps: { ...model, ...limits, queue } }));
  return { port: ours.inferencePort, end: () => ours.kill() };
}

async function answers(port: number): Promise<true | null> {
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"inputs":{"id":"0"}}',
  };
  const response = await fetch(`http://127.0.0.1:${port}/predict`, request).catch(() => null);
  return response?.ok ? true : null;
}

function findings(levels: readonly Level[], capacity: number, { times, levelMs }: Sizes): Findings {
  const rows = CONTENDERS.flatMap((name) =>
    times.map((factor) => {
      const of = levels.filter((level) => level.name === name && level.times === factor).map(({ entry }) => entry);
      const perSecond = (count: (entry: Entry) => number) =>
        median(of.map((entry) => (count(entry) / entry.durationMs) * 1000));
      return {
        name,
        times: factor,
        sent: perSecond((entry) => entry.sent),
        goodput: perSecond((entry) => entry.good),
        late: perSecond((entry) => entry.ok - entry.good),
        refused: perSecond((entry) => entry.typedErrors),
        unanswered: perSecond((entry) => Object.values(entry.lost).reduce((sum, count) => sum + count, 0)),
        p50Ms: median(of.flatMap((entry) => entry.p50Ms ?? [])),
        p99Ms: median(of.flatMap((entry) => entry.p99Ms ?? [])),
      };
    }),
  );
  const peak = (name: Name) => Math.max(...rows.filter((row) => row.name === name).map((row) => row.goodput ?? 0));
  const at = (name: Name, factor: number) =>
    rows.find((row) => row.name === name && row.times === factor)?.goodput ?? null;
  const loss = lossOf(levels.filter(({ name }) => name !== 'by hand, unbounded queue').flatMap(({ all }) => all));
  return {
    tables: [
      {
        title: `answers within ${DEADLINE_MS} ms; capacity ${rounded(capacity, 0)}/s; ${levelMs / 1000} s each, medians`,
        head: [
          '',
          '× capacity',
          'sent/s',
          'goodput/s',
          '% of peak',
          'late/s',
          'refused/s',
          'unanswered/s',
          'p50 ms',
          'p99 ms',
        ],
        rows: rows.map((row) => [
          row.name,
          row.times,
          rounded(row.sent, 0),
          rounded(row.goodput, 0),
          rounded((100 * (row.goodput ?? 0)) / peak(row.name), 0),
          rounded(row.late, 0),
          rounded(row.refused, 0),
          rounded(row.unanswered, 0),
          rounded(row.p50Ms, 0),
          rounded(row.p99Ms, 0),
        ]),
      },
    ],
    results: { capacityPerSecond: rounded(capacity, 1), deadlineMs: DEADLINE_MS, rows, levels },
    goals: [
      ...times
        .filter((factor) => factor >= 4)
        .map((factor) =>
          atLeast(`goodput at ${factor} × capacity / peak`, ratio(at('ours', factor), peak('ours')), 0.9, ''),
        ),
      atMost('lost or duplicated', loss.lost + loss.duplicated, 0, ''),
    ],
    lostRequests: loss.lost + loss.duplicated,
    peers: {},
  };
}
