/** How long does a worker that has crossed its memory limit go on serving? Ours, and PM2's max_memory_restart. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchRun, Findings } from './support/bench.js';
import { atMost } from './support/goals.js';
import { largest, median, ratio, rounded } from './support/numbers.js';
import { OurSupervisor } from './support/our-supervisor.js';
import { fixture } from './support/paths.js';
import { Pm2 } from './support/pm2.js';
import { freePorts, until } from './support/wait.js';

const LIMIT_MIB = 200;
/** Over the limit, and below the 120 % at which a worker is killed and not replaced. */
const BREACH_MIB = 220;
/** A worker younger than this is not replaced. */
const FLOOR_MS = 11_000;
/** PM2 looks every 30 s. */
const DEADLINE_MS = 70_000;
const ASK_EVERY_MS = 20;

interface Breach {
  name: string;
  /** From the answer that says the limit is crossed to the first answer of another process. */
  tookMs: number;
  /** Requests meanwhile that got no answer. */
  failed: number;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const script = fixture('hoards.mjs');
  const [port, pm2Port] = (await freePorts(2)) as [number, number];
  run.progress('starting');
  const ours = await OurSupervisor.create(run.scope);
  const web = { kind: 'http', script, port, workers: 1, recycle: { max_memory: `${LIMIT_MIB}MiB`, jitter: '0%' } };
  await ours.command('start', ours.writeConfig({ web }));
  const breaches = await breach(run, 'ours', port, run.quick ? 1 : 5);

  const pm2 = await Pm2.create(run);
  if (pm2) {
    const app = { name: 'web', script, exec_mode: 'cluster', instances: 1, env: { PORT: String(pm2Port) } } as const;
    await pm2.command('start', pm2.writeConfig([{ ...app, max_memory_restart: `${LIMIT_MIB}M` }]));
    breaches.push(...(await breach(run, 'pm2', pm2Port, run.quick ? 1 : 3)));
  }
  return findings(breaches);
}

async function breach(run: BenchRun, name: string, port: number, rounds: number): Promise<Breach[]> {
  const breaches: Breach[] = [];
  for (let round = 1; round <= rounds; round++) {
    await until(`${name} to answer`, DEADLINE_MS, () => ask(port, '/pid'));
    await sleep(FLOOR_MS + Math.random() * 1000);
    const before = await ask(port, '/pid');
    if (!before) throw new Error(`${name} does not answer`);
    run.progress(`${name}: round ${round} of ${rounds}`);
    const missing = Math.ceil(BREACH_MIB - before.rss / 1024 ** 2);
    await ask(port, `/hoard?mib=${missing}`);
    const crossedAt = performance.now();
    let failed = 0;
    await until(
      `${name} to replace it`,
      DEADLINE_MS,
      async () => {
        const answer = await ask(port, '/pid');
        if (!answer) failed++;
        return answer !== null && answer.pid !== before.pid;
      },
      ASK_EVERY_MS,
    );
    breaches.push({ name, tookMs: performance.now() - crossedAt, failed });
  }
  return breaches;
}

async function ask(port: number, path: string): Promise<{ pid: number; rss: number } | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return (await response.json()) as { pid: number; rss: number };
  } catch {
    // Nobody listens, or the connection broke: that is what is counted.
    return null;
  }
}

function findings(breaches: readonly Breach[]): Findings {
  const of = (name: string) => breaches.filter((b) => b.name === name).map((b) => b.tookMs / 1000);
  const failed = (name: string) => breaches.filter((b) => b.name === name).reduce((sum, b) => sum + b.failed, 0);
  const names = [...new Set(breaches.map((b) => b.name))];
  return {
    tables: [
      {
        title: `from crossing ${LIMIT_MIB} MiB to the first answer of another process`,
        head: ['', 'rounds', 'median s', 'longest s', 'requests without an answer'],
        rows: names.map((name) => [
          name,
          of(name).length,
          rounded(median(of(name))),
          rounded(largest(of(name))),
          failed(name),
        ]),
      },
    ],
    results: { breaches, ratio: ratio(median(of('ours')), median(of('pm2'))) },
    goals: [
      atMost('longest, ours', largest(of('ours')), 3, ' s'),
      atMost('requests without an answer, ours', failed('ours'), 0, ''),
    ],
    lostRequests: failed('ours'),
    peers: { pm2: Pm2.version },
  };
}
