/** Many small processes: how fast they start and come back, and what the master costs while they sleep and while one floods the log. */
import { readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchRun, Findings } from './support/bench.js';
import { killAndWaitForNext, servingPid } from './support/comeback.js';
import { atMost } from './support/goals.js';
import { largest, MIB, median, ratio, rounded } from './support/numbers.js';
import { Pm2 } from './support/pm2.js';
import { ourHost, type ProcessHost, pm2Host } from './support/process-hosts.js';
import { cpuMs, rssBytes } from './support/procfs.js';
import { freePorts, until } from './support/wait.js';

const FLOOD_MB_PER_SECOND = 100;
/** PM2 keeps the whole flood on disk. */
const FLOOD_DISK_BYTES = 6 * 1024 ** 3;
const ONLINE_DEADLINE_MS = 60_000;
const SAMPLE_EVERY_MS = 100;

interface Sizes {
  commands: number;
  rounds: number;
  settleMs: number;
  idleMs: number;
  crashes: number;
  floodMs: number;
}

const FULL: Sizes = { commands: 50, rounds: 5, settleMs: 8000, idleMs: 20_000, crashes: 7, floodMs: 15_000 };
const QUICK: Sizes = { commands: 5, rounds: 1, settleMs: 300, idleMs: 500, crashes: 1, floodMs: 1000 };

interface Starts {
  /** From nothing, the master's own start included. */
  coldMs: number[];
  deleteMs: number[];
  /** With the master running. */
  warmMs: number[];
}

interface Idle {
  masterRssBytes: number | null;
  /** Of one core. */
  masterCpuPercent: number | null;
}

interface Flood {
  masterRssBytes: number;
  megabytesPerSecond: number;
}

interface Result {
  name: ProcessHost['name'];
  starts: Starts;
  idle: Idle;
  comebackMs: number[];
  flood: Flood | null;
}

export async function bench(run: BenchRun): Promise<Findings> {
  const sizes = run.quick ? QUICK : FULL;
  const hosts = [await ourHost(run), await pm2Host(run)].filter((host) => host !== null);
  const starts = await measureStarts(run, hosts, sizes);
  const idle = await measureIdle(run, hosts, sizes);
  const comebacks = await measureComebacks(run, hosts, sizes);
  const results: Result[] = [];
  for (const [i, host] of hosts.entries())
    results.push({
      name: host.name,
      starts: starts[i]!,
      idle: idle[i]!,
      comebackMs: comebacks[i]!,
      flood: await measureFlood(run, host, sizes),
    });
  return findings(results, sizes);
}

/** Leaves all commands running. */
async function measureStarts(run: BenchRun, hosts: readonly ProcessHost[], sizes: Sizes): Promise<Starts[]> {
  const measured = hosts.map((): Starts => ({ coldMs: [], deleteMs: [], warmMs: [] }));
  for (let round = 0; round < sizes.rounds; round++)
    for (const i of inTurn(hosts, round)) {
      const host = hosts[i]!;
      run.progress(`round ${round + 1} of ${sizes.rounds}: ${host.name} starts and deletes ${sizes.commands} commands`);
      const file = host.prepareCommands(sizes.commands);
      if (round > 0) await host.kill();
      measured[i]!.coldMs.push(await timeToOnline(host, file, sizes.commands));
      measured[i]!.deleteMs.push((await host.deleteAll()).tookMs);
      measured[i]!.warmMs.push(await timeToOnline(host, file, sizes.commands));
    }
  return measured;
}

/** The command's own time, or longer where not all are online when it returns. */
async function timeToOnline(host: ProcessHost, file: string, count: number): Promise<number> {
  const startedAt = performance.now();
  const { tookMs } = await host.start(file);
  if ((await host.online()) === count) return tookMs;
  await until(`${host.name} to have ${count} online`, ONLINE_DEADLINE_MS, async () => (await host.online()) === count);
  return performance.now() - startedAt;
}

async function measureIdle(run: BenchRun, hosts: readonly ProcessHost[], sizes: Sizes): Promise<Idle[]> {
  run.progress(`masters at rest with ${sizes.commands} commands`);
  await sleep(sizes.settleMs);
  const pids = hosts.map((host) => host.masterPid());
  const before = pids.map(cpuMs);
  const startedAt = performance.now();
  await sleep(sizes.idleMs);
  const elapsedMs = performance.now() - startedAt;
  return pids.map((pid, i) => {
    const [from, to] = [before[i] ?? null, cpuMs(pid)];
    return {
      masterRssBytes: rssBytes(pid),
      masterCpuPercent: from === null || to === null ? null : ((to - from) / elapsedMs) * 100,
    };
  });
}

/** Each app is killed once: the first death is what the policies of both answer at once. */
async function measureComebacks(run: BenchRun, hosts: readonly ProcessHost[], sizes: Sizes): Promise<number[][]> {
  const ports: number[][] = [];
  for (const host of hosts) {
    await host.kill();
    const own = await freePorts(sizes.crashes);
    ports.push(own);
    await host.start(host.prepareWebApps(own));
    for (const port of own) await until(`port ${port} to answer`, ONLINE_DEADLINE_MS, () => servingPid(port));
  }
  run.progress(`${sizes.crashes} web apps each are killed`);
  await sleep(sizes.settleMs);
  const measured: number[][] = hosts.map(() => []);
  for (let crash = 0; crash < sizes.crashes; crash++)
    for (const i of inTurn(hosts, crash)) measured[i]!.push(await killAndWaitForNext(ports[i]![crash]!));
  for (const host of hosts) await host.kill();
  return measured;
}

async function measureFlood(run: BenchRun, host: ProcessHost, sizes: Sizes): Promise<Flood | null> {
  const { bavail, bsize } = statfsSync(run.scope.dir);
  if (bavail * bsize < FLOOD_DISK_BYTES) {
    run.note(`${host.name} was not flooded: less than 6 GiB free in ${run.scope.dir}`);
    return null;
  }
  run.progress(`${host.name}: a log flood of ${FLOOD_MB_PER_SECOND} MB/s`);
  const reportFile = join(run.scope.dir, `flood-${host.name}.json`);
  await host.start(host.prepareFlood(FLOOD_MB_PER_SECOND, reportFile));
  const pid = host.masterPid();
  const samples: number[] = [];
  const end = performance.now() + sizes.floodMs;
  while (performance.now() < end) {
    const bytes = rssBytes(pid);
    if (bytes !== null) samples.push(bytes);
    await sleep(SAMPLE_EVERY_MS);
  }
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as { writtenBytes: number; elapsedMs: number };
  await host.kill();
  return {
    masterRssBytes: largest(samples) ?? 0,
    megabytesPerSecond: report.writtenBytes / 1000 / report.elapsedMs,
  };
}

/** Indexes, another one first in each round. */
function inTurn(hosts: readonly ProcessHost[], round: number): number[] {
  return hosts.map((_, i) => (i + round) % hosts.length);
}

function findings(results: readonly Result[], sizes: Sizes): Findings {
  const summaries = results.map(({ name, starts, idle, comebackMs, flood }) => ({
    name,
    coldStartMs: median(starts.coldMs),
    warmStartMs: median(starts.warmMs),
    deleteMs: median(starts.deleteMs),
    comebackMs: median(comebackMs),
    masterRssMib: mib(idle.masterRssBytes),
    masterIdleCpuPercent: idle.masterCpuPercent,
    floodMasterRssMib: mib(flood?.masterRssBytes ?? null),
    floodMegabytesPerSecond: flood?.megabytesPerSecond ?? null,
  }));
  const ours = summaries[0]!;
  const pm2 = summaries[1] ?? null;
  const over = (key: 'coldStartMs' | 'comebackMs') => ratio(ours[key], pm2?.[key] ?? null);
  const row = (title: string, key: Exclude<keyof typeof ours, 'name'>, digits = 0) => {
    const [mine, theirs] = [ours[key], pm2?.[key] ?? null];
    return [title, rounded(mine, digits), rounded(theirs, digits), rounded(ratio(mine, theirs))];
  };
  const count = `${sizes.commands} commands`;
  return {
    tables: [
      {
        title: `${count}, medians of ${sizes.rounds}; crashes: median of ${sizes.crashes}`,
        head: ['', 'ours', 'pm2', 'ours / pm2'],
        rows: [
          row(`start ${count}, master included, ms`, 'coldStartMs'),
          row(`start ${count}, master running, ms`, 'warmStartMs'),
          row(`delete ${count}, ms`, 'deleteMs'),
          row('killed web app until the next one answers, ms', 'comebackMs', 1),
          row(`master with ${count}, MiB RSS`, 'masterRssMib', 1),
          row(`master with ${count}, % of a core`, 'masterIdleCpuPercent', 2),
          row('master in a log flood, most MiB RSS', 'floodMasterRssMib', 1),
          row('log taken in the flood, MB/s', 'floodMegabytesPerSecond', 1),
        ],
      },
    ],
    results: {
      commands: sizes.commands,
      idleSeconds: sizes.idleMs / 1000,
      floodSeconds: sizes.floodMs / 1000,
      summaries,
      measured: results,
    },
    goals: [
      atMost(`start ${count}, master included: ours / PM2`, over('coldStartMs'), 0.7, 'x'),
      atMost('crash to the next worker serving: ours / PM2', over('comebackMs'), 1, 'x'),
      atMost(`master RSS with ${count}`, ours.masterRssMib, 90, ' MiB'),
      atMost('idle CPU of the master', ours.masterIdleCpuPercent, 0.5, ' %'),
      atMost('master RSS in a log flood', ours.floodMasterRssMib, 150, ' MiB'),
    ],
    lostRequests: 0,
    peers: { pm2: Pm2.version },
  };
}

function mib(bytes: number | null): number | null {
  return bytes === null ? null : bytes / MIB;
}
