/** Predictions a second and their latency: ours, and a Fastify + Piscina server written by hand around the same classifier. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchRun, Findings } from './support/bench.js';
import { background } from './support/command.js';
import { atLeast, atMost } from './support/goals.js';
import { applyLoad, type LoadResult, loadTool, noteLoadTool, warmUp } from './support/load.js';
import { median, ratio, rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { example, peersDir, root } from './support/paths.js';
import { freePorts, until } from './support/wait.js';

const CLIENTS = [32, 1] as const;
const PEER_THREADS = 2;
const TEXTS_PER_INTENT = 4;
const BOOT_DEADLINE_MS = 30_000;

type Name = 'ours, 1 worker' | 'ours, 2 workers' | 'by hand, 1 task per thread' | 'by hand, 4 tasks per thread';
type Clients = (typeof CLIENTS)[number];

/** Piscina's default is one task per thread; the classifier waits for native code, so a thread can have more under way. */
const BY_HAND = { 'by hand, 1 task per thread': 1, 'by hand, 4 tasks per thread': 4 } as const;

interface Contender {
  name: Name;
  url: string;
}

interface Measurement extends LoadResult {
  name: Name;
  clients: Clients;
  round: number;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const rounds = run.quick ? 1 : 5;
  const seconds = { 32: run.quick ? 1 : 5, 1: run.quick ? 1 : 3 };
  const bodies = sampleTexts().map((inputs) => JSON.stringify({ inputs }));

  noteLoadTool(run);
  run.progress('starting all');
  const contenders = [await startOurs(run, 1), await startOurs(run, 2), ...(await startByHand(run))];
  const answers = await Promise.all(contenders.map(({ url }) => labelOf(url, bodies[0]!)));
  if (new Set(answers).size !== 1 || answers[0] == null)
    throw new Error(`they do not answer alike: ${answers.join(', ')}`);

  if (!run.quick) for (const { url } of contenders) await warmUp(run.scope, { url, connections: 32, bodies });

  const measured: Measurement[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = contenders.map((_, i) => contenders[(i + round) % contenders.length]!);
    for (const clients of CLIENTS)
      for (const { name, url } of order) {
        run.progress(`round ${round + 1} of ${rounds}: ${clients} clients, ${name}`);
        const plan = { url, connections: clients, seconds: seconds[clients], bodies };
        measured.push({ name, clients, round, ...(await applyLoad(run.scope, plan)) });
      }
  }
  return findings(
    measured,
    contenders.map(({ name }) => name),
  );
}

async function startOurs(run: BenchRun, workers: 1 | 2): Promise<Contender> {
  const ours = await OurSupervisor.create(run.scope, `ours-${workers}`);
  const intents = { kind: 'model', module: example('intents/model.mjs'), isolation: 'process', workers };
  await ours.command('start', ours.writeConfig({ intents }, { inference: { default_model: 'intents' } }));
  const name = workers === 1 ? 'ours, 1 worker' : 'ours, 2 workers';
  return { name, url: `http://127.0.0.1:${ours.inferencePort}/predict` };
}

async function startByHand(run: BenchRun): Promise<Contender[]> {
  const program = join(peersDir, 'fastify-piscina.mjs');
  const files = [example('intents/classifier.mjs'), example('intents/model.onnx')];
  const variants = Object.entries(BY_HAND) as [keyof typeof BY_HAND, number][];
  const ports = await freePorts(variants.length);
  const contenders = variants.map(([name, tasksPerThread], i) => {
    const args = [program, ...files, ports[i], PEER_THREADS, tasksPerThread].map(String);
    background(run.scope, process.execPath, args, { env: run.scope.env });
    return { name, url: `http://127.0.0.1:${ports[i]}/predict` };
  });
  for (const { name, url } of contenders)
    await until(`${name} to answer`, BOOT_DEADLINE_MS, () => labelOf(url, JSON.stringify({ inputs: 'hello' })));
  return contenders;
}

/** Null while nobody answers. */
async function labelOf(url: string, body: string): Promise<string | null> {
  try {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { outputs } = (await response.json()) as { outputs?: { label?: string } };
    return outputs?.label ?? null;
  } catch {
    // Not listening yet.
    return null;
  }
}

/** Different texts, so that nobody gains by remembering one. */
function sampleTexts(): string[] {
  const dir = example('intents/data');
  return readdirSync(dir).flatMap((file) => {
    const lines = readFileSync(join(dir, file), 'utf8').split('\n');
    return lines.filter((line) => line.trim() !== '').slice(0, TEXTS_PER_INTENT);
  });
}

function findings(measured: readonly Measurement[], names: readonly Name[]): Findings {
  const medians = names.flatMap((name) =>
    CLIENTS.map((clients) => {
      const of = measured.filter((m) => m.name === name && m.clients === clients);
      return {
        name,
        clients,
        requestsPerSecond: median(of.map((m) => m.requestsPerSecond)),
        p50Ms: median(of.flatMap((m) => m.p50Ms ?? [])),
        p99Ms: median(of.flatMap((m) => m.p99Ms ?? [])),
        failed: of.reduce((sum, m) => sum + m.failed, 0),
      };
    }),
  );
  const at = (name: Name, clients: Clients) => medians.find((m) => m.name === name && m.clients === clients)!;
  const ours = 'ours, 1 worker';
  const goals = (Object.keys(BY_HAND) as (keyof typeof BY_HAND)[]).flatMap((peer) => {
    const rates = ratio(at(ours, 32).requestsPerSecond, at(peer, 32).requestsPerSecond);
    // Whole ms say nothing about a tenth of one.
    const [mine, theirs] = loadTool === 'wrk' ? [at(ours, 1).p50Ms, at(peer, 1).p50Ms] : [null, null];
    return [
      atLeast(`32 clients: ${ours} / ${peer}`, rates, 2.3, 'x'),
      atMost(
        `1 client: p50 of ${ours} above ${peer}`,
        mine === null || theirs === null ? null : mine - theirs,
        0.1,
        ' ms',
      ),
    ];
  });
  return {
    tables: CLIENTS.map((clients) => ({
      title: `${clients} keep-alive ${clients === 1 ? 'client' : 'clients'}, ${loadTool}, medians`,
      head: ['', 'predictions/s', 'p50 ms', 'p99 ms', 'failed'],
      rows: names.map((name) => {
        const m = at(name, clients);
        return [name, rounded(m.requestsPerSecond, 0), rounded(m.p50Ms, 3), rounded(m.p99Ms, 3), m.failed];
      }),
    })),
    results: { loadTool, peerThreads: PEER_THREADS, medians, measured },
    goals,
    lostRequests: measured.filter((m) => m.name.startsWith('ours')).reduce((sum, m) => sum + m.failed, 0),
    peers: { fastify: installedVersion('fastify'), piscina: installedVersion('piscina') },
  };
}

/** The peer runs on the project's own copies. */
function installedVersion(name: string): string | null {
  const file = join(root, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
