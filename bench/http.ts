/** Requests a second of one bare HTTP app under us, PM2 cluster and plain node:cluster, on kept and on fresh connections. */
import { join } from 'node:path';
import type { BenchRun, Findings } from './support/bench.js';
import { background } from './support/command.js';
import { atLeast } from './support/goals.js';
import { applyLoad, type LoadResult, loadTool, noteLoadTool, warmUp } from './support/load.js';
import { median, ratio, rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture, peersDir } from './support/paths.js';
import { Pm2 } from './support/pm2.js';
import { freePorts, until } from './support/wait.js';

const WORKERS = 2;
const CONNECTIONS = 32;
const MODES = ['keep-alive', 'connection per request'] as const;
const NAMES = ['ours', 'pm2', 'cluster rr', 'cluster none'] as const;

type Mode = (typeof MODES)[number];
type Name = (typeof NAMES)[number];

interface Contender {
  name: Name;
  url: string;
}

interface Measurement extends LoadResult {
  name: Name;
  mode: Mode;
  round: number;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const rounds = run.quick ? 1 : 5;
  const seconds = run.quick ? 1 : 5;
  noteLoadTool(run);
  const contenders = await startAll(run);

  if (!run.quick) for (const { url } of contenders) await warmUp(run.scope, { url, connections: CONNECTIONS });

  const measured: Measurement[] = [];
  for (let round = 0; round < rounds; round++) {
    // Another one is first in each round: whoever comes after a pause finds a cooler machine.
    const order = contenders.map((_, i) => contenders[(i + round) % contenders.length]!);
    for (const mode of MODES)
      for (const { name, url } of order) {
        run.progress(`round ${round + 1} of ${rounds}: ${mode}, ${name}`);
        const connectionPerRequest = mode === 'connection per request';
        const result = await applyLoad(run.scope, { url, connections: CONNECTIONS, seconds, connectionPerRequest });
        measured.push({ name, mode, round, ...result });
      }
  }
  return findings(measured);
}

async function startAll(run: BenchRun): Promise<Contender[]> {
  const { scope } = run;
  const script = fixture('web.mjs');
  const ports = await freePorts(NAMES.length);
  const contenders: Contender[] = NAMES.map((name, i) => ({ name, url: `http://127.0.0.1:${ports[i]}/` }));
  const portOf = (name: Name) => String(ports[NAMES.indexOf(name)]);

  run.progress('starting all');
  const ours = await OurSupervisor.create(scope);
  await ours.command(
    'start',
    ours.writeConfig({ web: { kind: 'http', script, port: Number(portOf('ours')), workers: WORKERS } }),
  );

  const pm2 = await Pm2.create(run);
  await pm2?.command(
    'start',
    pm2.writeConfig([{ name: 'web', script, instances: WORKERS, exec_mode: 'cluster', env: { PORT: portOf('pm2') } }]),
  );

  for (const policy of ['rr', 'none'] as const)
    background(scope, process.execPath, [join(peersDir, 'bare-cluster.mjs'), script, String(WORKERS), policy], {
      env: { ...scope.env, PORT: portOf(`cluster ${policy}`) },
    });

  const started = contenders.filter(({ name }) => name !== 'pm2' || pm2 !== null);
  for (const { name, url } of started) await until(`${name} to answer`, 10_000, () => answers(url));
  return started;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

function findings(measured: readonly Measurement[]): Findings {
  const rate = (name: Name, mode: Mode) =>
    median(measured.filter((m) => m.name === name && m.mode === mode).map((m) => m.requestsPerSecond));
  const overPm2 = (mode: Mode) => ratio(rate('ours', mode), rate('pm2', mode));
  const bestCluster = (mode: Mode): Name =>
    (rate('cluster rr', mode) ?? 0) >= (rate('cluster none', mode) ?? 0) ? 'cluster rr' : 'cluster none';

  const medians = NAMES.map((name) => ({
    name,
    modes: MODES.map((mode) => {
      const of = measured.filter((m) => m.name === name && m.mode === mode);
      return {
        mode,
        requestsPerSecond: rounded(rate(name, mode), 0),
        p50Ms: rounded(median(of.flatMap((m) => m.p50Ms ?? [])), 3),
        p99Ms: rounded(median(of.flatMap((m) => m.p99Ms ?? [])), 3),
        failed: of.reduce((sum, m) => sum + m.failed, 0),
      };
    }),
  })).filter(({ name }) => measured.some((m) => m.name === name));

  return {
    tables: MODES.map((mode, i) => ({
      title: `${mode}: ${WORKERS} workers, ${CONNECTIONS} connections, ${loadTool}, medians`,
      head: ['', 'requests/s', 'p50 ms', 'p99 ms', 'failed', 'ours / this'],
      rows: medians.map(({ name, modes }) => {
        const { requestsPerSecond, p50Ms, p99Ms, failed } = modes[i]!;
        return [name, requestsPerSecond, p50Ms, p99Ms, failed, rounded(ratio(rate('ours', mode), rate(name, mode)))];
      }),
    })),
    results: { workers: WORKERS, connections: CONNECTIONS, loadTool, medians, measured },
    goals: [
      atLeast('keep-alive: ours / PM2', overPm2('keep-alive'), 1, 'x'),
      atLeast('connection per request: ours / PM2', overPm2('connection per request'), 1.8, 'x'),
      ...MODES.map((mode) => {
        const best = bestCluster(mode);
        return atLeast(
          `${mode}: ours / bare node:cluster (best: ${best})`,
          ratio(rate('ours', mode), rate(best, mode)),
          0.97,
          'x',
        );
      }),
    ],
    lostRequests: measured.filter((m) => m.name === 'ours').reduce((sum, m) => sum + m.failed, 0),
    peers: { pm2: Pm2.version },
  };
}
