/** What it costs to watch 50 workers each second: the master's CPU, an idle worker's own, and one tick beside what libraries need for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchRun, Findings } from './support/bench.js';
import { background } from './support/command.js';
import { atMost } from './support/goals.js';
import { rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture } from './support/paths.js';
import { peerInstalled, peerVersion } from './support/peers.js';
import { cpuMs } from './support/procfs.js';
import { measureTicks, ourTicks, peerTicks, type TickCost, type TickKind } from './support/tick-costs.js';
import { freePorts, until } from './support/wait.js';

interface Sizes {
  commands: number;
  webs: number;
  models: number;
  /** Programs without a supervisor: what an idle worker would cost anyway. */
  bare: number;
  settleMs: number;
  measureMs: number;
  ticks: number;
}

const FULL: Sizes = { commands: 25, webs: 13, models: 12, bare: 5, settleMs: 15_000, measureMs: 90_000, ticks: 60 };
const QUICK: Sizes = { commands: 4, webs: 3, models: 3, bare: 1, settleMs: 500, measureMs: 3000, ticks: 5 };

const START_DEADLINE_MS = 60_000;
const PEERS = ['pidusage', 'systeminformation'];

/** Percent of one core; null where not one of them could be read. */
interface Costs {
  master: number | null;
  /** Means of one worker. */
  command: number | null;
  web: number | null;
  model: number | null;
  bareWeb: number | null;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const sizes = run.quick ? QUICK : FULL;
  const workers = sizes.commands + sizes.webs + sizes.models;
  run.progress(`starting ${workers} workers`);
  const { masterPid, pids } = await startOurs(run, sizes);
  const bare = await startBare(run, sizes.bare);
  run.progress('waiting until all are at rest');
  await sleep(sizes.settleMs);
  run.progress(`measuring for ${sizes.measureMs / 1000} s`);
  const groups = { master: [masterPid], ...pids, bareWeb: bare };
  const costs = await measureCpu(groups, sizes.measureMs);
  run.progress(`${sizes.ticks} single ticks of each kind`);
  const ticks = await measureTicks(await tickKinds(run, Object.values(pids).flat()), sizes.ticks);
  return findings(sizes, costs, ticks);
}

async function startOurs(run: BenchRun, sizes: Sizes) {
  const ours = await OurSupervisor.create(run.scope);
  const [port] = await freePorts(1);
  await ours.command(
    'start',
    ours.writeConfig({
      command: { command: ['sleep', '100000'], workers: sizes.commands },
      web: { kind: 'http', script: fixture('web.mjs'), port, workers: sizes.webs },
      model: { kind: 'model', module: fixture('echo-model.mjs'), isolation: 'process', workers: sizes.models },
    }),
  );
  const rows = await until('all workers to be ready', START_DEADLINE_MS, async () => {
    const rows = await ours.list();
    return rows.every((row) => row.ready === row.desired) && rows;
  });
  const pidsOf = (name: string) => {
    const workers = rows.find((row) => row.name === name)?.workers ?? [];
    return workers.flatMap(({ pid }) => pid ?? []);
  };
  const pids = { command: pidsOf('command'), web: pidsOf('web'), model: pidsOf('model') };
  return { masterPid: ours.masterPid, pids };
}

async function startBare(run: BenchRun, count: number): Promise<number[]> {
  const ports = await freePorts(count);
  return ports.map((port) => {
    const env = { ...run.scope.env, PORT: String(port) };
    return background(run.scope, process.execPath, [fixture('web.mjs')], { env }).pid as number;
  });
}

async function measureCpu(groups: Record<keyof Costs, number[]>, forMs: number): Promise<Costs> {
  const before = new Map(Object.values(groups).flatMap((pids) => pids.map((pid) => [pid, cpuMs(pid)] as const)));
  const startedAt = performance.now();
  await sleep(forMs);
  const elapsedMs = performance.now() - startedAt;
  const mean = (pids: readonly number[]) => {
    const spent = pids.flatMap((pid) => {
      const [from, to] = [before.get(pid) ?? null, cpuMs(pid)];
      return from === null || to === null ? [] : [to - from];
    });
    return spent.length === 0 ? null : (spent.reduce((sum, ms) => sum + ms, 0) / spent.length / elapsedMs) * 100;
  };
  return {
    master: mean(groups.master),
    command: mean(groups.command),
    web: mean(groups.web),
    model: mean(groups.model),
    bareWeb: mean(groups.bareWeb),
  };
}

async function tickKinds(run: BenchRun, pids: readonly number[]): Promise<TickKind[]> {
  const installed: boolean[] = [];
  for (const name of PEERS) installed.push(await peerInstalled(run, name));
  return [...ourTicks(pids), ...(installed.every(Boolean) ? peerTicks(pids) : [])];
}

function findings(sizes: Sizes, costs: Costs, ticks: readonly TickCost[]): Findings {
  const workers = sizes.commands + sizes.webs + sizes.models;
  const masterShare = costs.master === null ? null : costs.master / workers;
  const beyondBare = (percent: number | null) =>
    percent === null || costs.bareWeb === null ? null : Math.max(0, percent - costs.bareWeb);
  const [ofWeb, ofModel] = [beyondBare(costs.web), beyondBare(costs.model)];
  const row = (title: string, percent: number | null) => [title, rounded(percent, 3)];
  return {
    tables: [
      {
        title: `${workers} idle workers, sampled each second for ${sizes.measureMs / 1000} s`,
        head: ['', '% of a core'],
        rows: [
          row('master', costs.master),
          row('master, for each worker', masterShare),
          row('a web worker itself', costs.web),
          row('a model worker itself', costs.model),
          row('a command itself', costs.command),
          row('the same web program without a supervisor', costs.bareWeb),
        ],
      },
      {
        title: `one tick over ${workers} workers, ${sizes.ticks} ticks`,
        head: ['', 'CPU ms', 'wall ms'],
        rows: ticks.map((tick) => [tick.name, rounded(tick.cpuMs), rounded(tick.wallMs)]),
      },
    ],
    results: { ...sizes, workers, percentOfACore: { ...costs, masterPerWorker: masterShare }, ticks },
    goals: [
      atMost(`master, ${workers} workers`, costs.master, 1, ' % of a core'),
      atMost('master, for each worker', masterShare, 0.1, ' % of a core'),
      atMost('heartbeat and vitals in an idle web worker', ofWeb, 0.1, ' % of a core'),
      atMost('heartbeat and vitals in an idle model worker', ofModel, 0.1, ' % of a core'),
    ],
    lostRequests: 0,
    peers: Object.fromEntries(PEERS.map((name) => [name, peerVersion(name)])),
  };
}
