/**
 * Do reloads and recycling lose requests, and how much slower are answers meanwhile? One ledger client with all kinds of clients at
 * once, then requests at a fixed rate; the same for PM2 cluster, with the program as it is and with the handler that PM2 asks for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchRun, Findings } from './support/bench.js';
import { type FixedRateResult, type FixedRateSizes, reloadAtFixedRate } from './support/fixed-rate.js';
import { atLeast, atMost } from './support/goals.js';
import { LedgerClient, type Loss, lossOf } from './support/ledger.js';
import type { ClosedLoad, Entry } from './support/ledger-protocol.js';
import { rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture } from './support/paths.js';
import { Pm2 } from './support/pm2.js';
import { freePorts, until } from './support/wait.js';

const WORKERS = 2;
/** Each worker reaches this within seconds of load, and is then replaced as soon as it is old enough (10 s). */
const RECYCLE_AFTER_REQUESTS = 5000;
const RECYCLE_DEADLINE_MS = 90_000;
const PAUSE_BETWEEN_RELOADS_MS = 500;

interface Sizes {
  reloads: number;
  recycle: boolean;
  pausingClients: number;
  warmUpMs: number;
  answerDeadlineMs: number;
  fixedRate: FixedRateSizes;
}

const FULL: Sizes = {
  reloads: 10,
  recycle: true,
  pausingClients: 500,
  warmUpMs: 1000,
  answerDeadlineMs: 10_000,
  fixedRate: { warmUpMs: 2000, peakMs: 4000, beforeMs: 2000, reloads: 5, answerDeadlineMs: 10_000 },
};
const QUICK: Sizes = {
  reloads: 1,
  recycle: false,
  pausingClients: 100,
  warmUpMs: 300,
  answerDeadlineMs: 3000,
  fixedRate: { warmUpMs: 300, peakMs: 500, beforeMs: 500, reloads: 1, answerDeadlineMs: 3000 },
};

/** A web app that somebody runs. */
interface App {
  port: number;
  /** Resolves when the reload is done. */
  reload(): Promise<unknown>;
}

interface Contender {
  name: string;
  app: App;
  /** Workers of `app` that were replaced by policy so far; null where there is no such thing. */
  recycles(): Promise<number | null>;
  /** The same program without a policy: a recycle in the time before would make the reloads look good. */
  steady: App;
}

interface MixResult {
  entries: Entry[];
  loss: Loss;
  reloads: number;
  recycles: number | null;
}

interface Result {
  name: string;
  mix: MixResult;
  paced: FixedRateResult;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const sizes = run.quick ? QUICK : FULL;
  if (!sizes.recycle) run.note('a quick run is over before a worker is old enough (10 s) to be recycled');
  const results: Result[] = [];
  for (const contender of await startAll(run)) {
    run.progress(`${contender.name}: all kinds of clients, ${sizes.reloads} reloads`);
    const mix = await reloadUnderMix(run, contender, sizes);
    run.progress(`${contender.name}: fixed rate, ${sizes.fixedRate.reloads} reloads`);
    const paced = await reloadAtFixedRate(run.scope, contender.steady, sizes.fixedRate);
    if (paced.p99Ratio === null)
      run.note(
        `${contender.name}: answers were slow before the reloads already, so what these add to p99 is not known`,
      );
    results.push({ name: contender.name, mix, paced });
  }
  return findings(results, sizes);
}

async function startAll(run: BenchRun): Promise<Contender[]> {
  const script = fixture('web.mjs');
  const [port, steadyPort, pm2Port, politePort] = (await freePorts(4)) as [number, number, number, number];
  run.progress('starting all');
  const ours = await OurSupervisor.create(run.scope);
  const program = { kind: 'http', script, workers: WORKERS };
  const web = { ...program, port, recycle: { max_requests: RECYCLE_AFTER_REQUESTS } };
  await ours.command('start', ours.writeConfig({ web, steady: { ...program, port: steadyPort } }));
  const contenders: Contender[] = [
    {
      name: 'ours',
      app: { port, reload: () => ours.command('reload', 'web') },
      recycles: async () => (await ours.list()).find((app) => app.name === 'web')?.recycles ?? null,
      steady: { port: steadyPort, reload: () => ours.command('reload', 'steady') },
    },
  ];
  const pm2 = await Pm2.create(run);
  if (!pm2) return contenders;
  const cluster = { script, instances: WORKERS, exec_mode: 'cluster' } as const;
  const env = { PORT: String(pm2Port) };
  await pm2.command(
    'start',
    pm2.writeConfig([
      { ...cluster, name: 'web', env },
      { ...cluster, name: 'polite', env: { PORT: String(politePort), CLOSE_ON_SIGINT: '1' } },
    ]),
  );
  const peer = (name: string, appName: string, peerPort: number): Contender => {
    const app = { port: peerPort, reload: () => pm2.command('reload', appName) };
    return { name, app, recycles: async () => null, steady: app };
  };
  contenders.push(peer('pm2', 'web', pm2Port));
  if (!run.quick) contenders.push(peer('pm2, program closes on SIGINT', 'polite', politePort));
  return contenders;
}

function mixOf(pausingClients: number): ClosedLoad[] {
  const load = { kind: 'closed', path: '/', keepAlive: true, maxPauseMs: 0 } as const;
  return [
    { ...load, name: 'keep-alive', clients: 16 },
    { ...load, name: 'fresh connections', clients: 16, keepAlive: false },
    { ...load, name: '200 ms requests', clients: 32, path: '/slow' },
    { ...load, name: 'pausing keep-alive', clients: pausingClients, maxPauseMs: 2500 },
  ];
}

async function reloadUnderMix(run: BenchRun, contender: Contender, sizes: Sizes): Promise<MixResult> {
  const { app } = contender;
  const loads = mixOf(sizes.pausingClients);
  const client = LedgerClient.start(run.scope);
  client.send(app.port, loads, 'all', sizes.answerDeadlineMs);
  await sleep(sizes.warmUpMs);
  // First what a quiet time brings by itself: a reload would make all workers young again.
  if (sizes.recycle && (await contender.recycles()) !== null)
    await until(
      `${contender.name} to recycle both workers`,
      RECYCLE_DEADLINE_MS,
      async () => ((await contender.recycles()) ?? 0) >= WORKERS,
      1000,
    );
  for (let i = 0; i < sizes.reloads; i++) {
    await app.reload();
    await sleep(PAUSE_BETWEEN_RELOADS_MS);
  }
  const entries = await client.stop();
  return { entries, loss: lossOf(entries), reloads: sizes.reloads, recycles: await contender.recycles() };
}

function findings(results: readonly Result[], sizes: Sizes): Findings {
  const ours = results.find(({ name }) => name === 'ours')!;
  const lost = ours.mix.loss.lost + ours.paced.loss.lost;
  const duplicated = ours.mix.loss.duplicated + ours.paced.loss.duplicated;
  return {
    tables: [
      {
        title: `${sizes.reloads} reloads${sizes.recycle ? ' and recycling by requests' : ''} under load, ${WORKERS} workers`,
        head: ['', 'clients', 'requests', 'lost', 'duplicated', 'p50 ms', 'p99 ms', 'why lost'],
        rows: results.flatMap(({ name, mix }) =>
          mix.entries.map((e) => {
            const loss = lossOf([e]);
            return [name, e.load, e.sent, loss.lost, loss.duplicated, e.p50Ms, e.p99Ms, inWords(loss)];
          }),
        ),
      },
      {
        title: 'half of the peak rate, sent on time whatever happens',
        head: [
          '',
          'requests/s',
          'p99 ms before',
          'p99 ms in reloads',
          'ratio',
          'one reload ms',
          'lost',
          'recycled in all',
        ],
        rows: results.map(({ name, mix, paced }) => [
          name,
          paced.ratePerSecond,
          paced.before?.p99Ms ?? null,
          paced.during?.p99Ms ?? null,
          rounded(paced.p99Ratio),
          rounded(paced.reloadMs, 0),
          paced.loss.lost,
          mix.recycles,
        ]),
      },
    ],
    results: { workers: WORKERS, contenders: results },
    goals: [
      atMost('requests lost', lost, 0, ''),
      atMost('requests answered twice', duplicated, 0, ''),
      atLeast('workers recycled under load', sizes.recycle ? ours.mix.recycles : null, WORKERS, ''),
      atMost('p99 in a reload / before', ours.paced.p99Ratio, 2, 'x'),
    ],
    lostRequests: lost + duplicated,
    peers: { pm2: Pm2.version },
  };
}

function inWords({ reasons }: Loss): string {
  return Object.entries(reasons)
    .map(([reason, count]) => `${reason}: ${count}`)
    .join(', ');
}
