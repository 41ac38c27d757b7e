/**
 * Does a pool find its size? A model that only computes, on whatever cores there are, under 1, then 32, then 1 clients; beside it
 * the same model with one worker, fixed. The pool may have 8 workers: on 2 cores more than 2 or 3 bring nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppRow, Decision } from '../src/master/supervisor.js';
import type { BenchRun, Findings } from './support/bench.js';
import { atLeast, atMost } from './support/goals.js';
import { LedgerClient, lossOf } from './support/ledger.js';
import type { Entry } from './support/ledger-protocol.js';
import { ratio, rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture } from './support/paths.js';

const MAX_WORKERS = 8;
const PEAK_CLIENTS = 32;
const LOOK_EVERY_MS = 250;
const ANSWER_DEADLINE_MS = 40_000;

interface Sizes {
  calmMs: number;
  peakMs: number;
  /** The last part of the peak: the size has settled, and this is measured. */
  settledMs: number;
  /** Longer than the window after which a pool shrinks. */
  afterMs: number;
  fixedMs: number;
}

const FULL: Sizes = { calmMs: 15_000, peakMs: 90_000, settledMs: 45_000, afterMs: 180_000, fixedMs: 30_000 };
const QUICK: Sizes = { calmMs: 2000, peakMs: 8000, settledMs: 3000, afterMs: 1000, fixedMs: 3000 };

interface Look {
  atMs: number;
  phase: string;
  desired: number;
  ready: number;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const sizes = run.quick ? QUICK : FULL;
  const adaptive = await adaptivePool(run, sizes);
  const fixed = await fixedPool(run, sizes);
  return findings(adaptive, fixed);
}

interface Adaptive {
  entries: Entry[];
  looks: Look[];
  decisions: Decision[];
  peakAtMs: number;
  settledAtMs: number;
  endOfPeakMs: number;
}

async function adaptivePool(run: BenchRun, sizes: Sizes): Promise<Adaptive> {
  const ours = await start(run, 'adaptive', { min: 1, max: MAX_WORKERS });
  const client = LedgerClient.start(run.scope);
  const looks: Look[] = [];
  const startedAt = performance.now();
  let phase = 'calm';
  let over = false;
  const watching = (async () => {
    while (!over) {
      const { apps } = await ours.ask<{ apps: AppRow[] }>('/api/apps');
      const [spin] = apps as [AppRow];
      looks.push({ atMs: performance.now() - startedAt, phase, desired: spin.desired, ready: spin.ready });
      await sleep(LOOK_EVERY_MS);
    }
  })();
  const load = (clients: number, name: string) => {
    phase = name;
    run.progress(`${name}: ${clients} ${clients === 1 ? 'client' : 'clients'}`);
    client.send(ours.inferencePort, [closed(clients)], name, ANSWER_DEADLINE_MS);
  };
  load(1, 'calm');
  await sleep(sizes.calmMs);
  const peakAtMs = performance.now() - startedAt;
  load(PEAK_CLIENTS, 'peak');
  await sleep(sizes.peakMs - sizes.settledMs);
  const settledAtMs = performance.now() - startedAt;
  phase = 'settled';
  client.phase('settled');
  await sleep(sizes.settledMs);
  const endOfPeakMs = performance.now() - startedAt;
  load(1, 'after');
  await sleep(sizes.afterMs);
  over = true;
  await watching;
  const entries = await client.stop();
  const { decisions } = await ours.ask<{ decisions: Decision[] }>('/api/decisions?policy=scale');
  await ours.kill();
  return { entries, looks, decisions, peakAtMs, settledAtMs, endOfPeakMs };
}

async function fixedPool(run: BenchRun, sizes: Sizes): Promise<Entry[]> {
  const ours = await start(run, 'fixed', 1);
  const client = LedgerClient.start(run.scope);
  run.progress(`a fixed pool of 1: ${PEAK_CLIENTS} clients`);
  client.send(ours.inferencePort, [closed(PEAK_CLIENTS)], 'warm-up', ANSWER_DEADLINE_MS);
  await sleep(Math.min(3000, sizes.fixedMs));
  client.phase('fixed');
  await sleep(sizes.fixedMs);
  const entries = await client.stop();
  await ours.kill();
  return entries;
}

async function start(run: BenchRun, name: string, workers: unknown): Promise<OurSupervisor> {
  const ours = await OurSupervisor.create(run.scope, name);
  const spin = { kind: 'model', module: fixture('spin.mjs'), workers, batching: { max_size: 1 } };
  await ours.command('start', ours.writeConfig({ spin }));
  return ours;
}

function closed(clients: number) {
  const name = 'predictions';
  return { kind: 'closed', name, clients, path: '/predict', keepAlive: true, maxPauseMs: 0, predicts: true } as const;
}

function findings({ entries, looks, decisions, peakAtMs, endOfPeakMs }: Adaptive, fixed: readonly Entry[]): Findings {
  const perSecond = (of: readonly Entry[], phase: string) => {
    const entry = of.find((e) => e.phase === phase);
    return entry && entry.durationMs > 0 ? rounded((entry.ok / entry.durationMs) * 1000) : null;
  };
  const settled = looks.filter((look) => look.phase === 'settled');
  const settledSize = settled.at(-1)?.desired ?? null;
  const reached = looks.find((look) => look.atMs >= peakAtMs && look.ready >= 2);
  const backToOne = looks.find((look) => look.phase === 'after' && look.desired === 1);
  const [ours, one] = [perSecond(entries, 'settled'), perSecond(fixed, 'fixed')];
  const loss = lossOf([...entries, ...fixed]);
  const refused = [...entries, ...fixed].reduce((sum, entry) => sum + entry.typedErrors, 0);
  const upSeconds = reached ? rounded((reached.atMs - peakAtMs) / 1000, 1) : null;
  const downSeconds = backToOne ? rounded((backToOne.atMs - endOfPeakMs) / 1000, 1) : null;
  const largest = Math.max(...looks.map((look) => look.desired));
  return {
    tables: [
      {
        title: 'predictions under 1, 32 and 1 clients; a pool of 1 to 8 workers, and a fixed one',
        head: ['pool', 'phase', 'answers/s', 'p50 ms', 'p99 ms', 'lost', 'refused'],
        rows: [
          ...entries.map((e) => row('1 to 8', e)),
          ...fixed.filter((e) => e.phase === 'fixed').map((e) => row('1', e)),
        ],
      },
      {
        title: 'size',
        head: ['second worker ready after', 'largest', 'at the end of the peak', 'back to 1 after'],
        rows: [[upSeconds, largest, settledSize, downSeconds]],
      },
      {
        title: 'what was decided',
        head: ['time', 'action', 'reason'],
        rows: decisions.map((d) => [d.time, d.action, d.reason]),
      },
    ],
    results: { entries, fixed, looks, decisions, upSeconds, downSeconds, settledSize, largest },
    goals: [
      atMost('second worker ready after the load came', upSeconds, 15, ' s'),
      atLeast('workers at the end of the peak', settledSize, 2, ''),
      atMost('workers at the end of the peak', settledSize, 3, ''),
      atLeast('throughput at the peak / fixed pool of 1', ratio(ours, one), 1.3, 'x'),
      atMost('lost or duplicated', loss.lost + loss.duplicated, 0, ''),
      atMost('refused', refused, 0, ''),
    ],
    lostRequests: loss.lost + loss.duplicated,
    peers: {},
  };
}

function row(pool: string, entry: Entry): (string | number | null)[] {
  const lost = Object.values(entry.lost).reduce((sum, count) => sum + count, 0);
  const rate = entry.durationMs > 0 ? rounded((entry.ok / entry.durationMs) * 1000, 1) : null;
  return [pool, entry.phase, rate, entry.p50Ms, entry.p99Ms, lost, entry.typedErrors];
}
