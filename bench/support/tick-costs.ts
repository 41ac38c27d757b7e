/** What one look at many processes costs, by our code and by the libraries that do such things. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ManualClock } from '../../src/clock.js';
import { ProcessTrees } from '../../src/sensing/process-trees.js';
import { readProportional } from '../../src/sensing/procfs.js';
import { Sampler } from '../../src/sensing/sampler.js';
import { median } from './numbers.js';
import { requirePeer } from './peers.js';
import { childrenCpuMs } from './procfs.js';

export interface TickCost {
  name: string;
  /** Mean of all ticks, programs that were started for it included. */
  cpuMs: number;
  /** Median. */
  wallMs: number;
}

export interface TickKind {
  name: string;
  tick(): unknown;
}

const TICK_MS = 1000;
const WARM_UP_ROUNDS = 2;
/** systeminformation answers a second question within 500 ms from memory. */
const PAUSE_MS = 600;

/** Time is made up: a second goes by from tick to tick, so that what is read every 10 or 60 s is read as often as it would be. */
export function ourTicks(pids: readonly number[]): TickKind[] {
  const known = new ProcessTrees();
  const trees = new ProcessTrees();
  const clock = new ManualClock();
  const warn = (text: string) => console.error(text);
  const sampler = new Sampler({ diskPath: process.cwd(), clock, warn, gpu: null });
  let now = 0;
  return [
    { name: 'ours: memory of each tree (stat, statm)', tick: () => known.memory(pids) },
    {
      name: 'ours: ProcessTrees (the same, CPU, and in turns PSS and open files)',
      tick: () => {
        now += TICK_MS;
        return trees.sample(pids, now);
      },
    },
    {
      name: 'ours: Sampler (the same, and the machine): what the master does',
      tick: () => {
        clock.advance(TICK_MS);
        return sampler.sample(pids);
      },
    },
    {
      name: 'ours, if PSS were read of all at each tick',
      tick: () => {
        for (const pid of pids) readProportional(pid);
        return known.memory(pids);
      },
    },
  ];
}

interface SystemInformation {
  processes(): Promise<unknown>;
  mem(): Promise<unknown>;
  currentLoad(): Promise<unknown>;
}

/** Both libraries have to be installed. */
export function peerTicks(pids: readonly number[]): TickKind[] {
  const pidusage = requirePeer('pidusage') as (pids: readonly number[]) => Promise<unknown>;
  const system = requirePeer('systeminformation') as SystemInformation;
  return [
    { name: 'pidusage(pids), without descendants', tick: () => pidusage(pids) },
    { name: 'systeminformation.processes()', tick: () => system.processes() },
    { name: 'systeminformation.mem()', tick: () => system.mem() },
    { name: 'systeminformation.currentLoad()', tick: () => system.currentLoad() },
  ];
}

/** All kinds in each round, so that none of them finds the processor warmer than the others. */
export async function measureTicks(kinds: readonly TickKind[], rounds: number): Promise<TickCost[]> {
  const spent = kinds.map(() => ({ cpuMs: 0, wallMs: [] as number[] }));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const [i, kind] of kinds.entries()) {
      const { cpuMs, wallMs } = await measureTick(kind);
      if (round < 0) continue;
      spent[i]!.cpuMs += cpuMs;
      spent[i]!.wallMs.push(wallMs);
    }
    await sleep(PAUSE_MS);
  }
  return kinds.map(({ name }, i) => ({
    name,
    cpuMs: spent[i]!.cpuMs / rounds,
    wallMs: median(spent[i]!.wallMs) as number,
  }));
}

async function measureTick({ tick }: TickKind): Promise<{ cpuMs: number; wallMs: number }> {
  const childrenBefore = childrenCpuMs();
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await tick();
  const wallMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000 + childrenCpuMs() - childrenBefore, wallMs };
}
