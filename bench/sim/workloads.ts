import type { OfferedLoad } from './arrivals.js';
import { Random } from './random.js';

/** What is asked for, in mean busy workers. Shapes are fixed: a policy may be tuned to them, never they to a policy. */
export interface Workload {
  name: string;
  /** For people. */
  shape: string;
  load: OfferedLoad;
}

const STEP_LEVELS = [2, 8, 4, 10, 1, 6];
/** In cores: with two of them, 3 is more than there is. */
const CPU_LEVELS = [0.5, 1.5, 3, 1, 1.8];
const STEP_SECONDS = 600;
const RAMP_SECONDS = 1800;
const SAWTOOTH_SECONDS = 120;
const SHORT_DAY_SECONDS = 7200;
const DAY_SECONDS = 86_400;

const BURST = {
  base: 1,
  meanGapSeconds: 240,
  /** Pareto: at least this much over the base, mostly little more, sometimes up to the most. */
  leastHeight: 2,
  heightShape: 1.2,
  mostHeight: 9,
  leastSeconds: 20,
  durationShape: 1.5,
  mostSeconds: 300,
};

/** The six that policies are compared on. */
export const COMPARED = ['step', 'ramp', 'sawtooth', 'diurnal', 'bursty', 'flat'] as const;
/** Where the box is what limits: by its memory, by its cores, and a day of 24 h. */
export const SPECIAL = ['memory-bound', 'cpu-bound', 'day'] as const;

/** @throws Error when there is no such workload */
export function workload(name: string, seconds: number, seed: number): Workload {
  switch (name) {
    case 'step':
      return steps(name, STEP_LEVELS);
    case 'ramp':
    case 'memory-bound':
      return {
        name,
        shape: `1 to 9 and back within ${RAMP_SECONDS / 60} min`,
        load: (s) => 1 + 8 * (1 - Math.abs(2 * phase(s, RAMP_SECONDS) - 1)),
      };
    case 'sawtooth':
      return {
        name,
        shape: `jumps to 8, falls to 1 within ${SAWTOOTH_SECONDS / 60} min`,
        load: (s) => 8 - 7 * phase(s, SAWTOOTH_SECONDS),
      };
    case 'diurnal':
      return diurnal(name, SHORT_DAY_SECONDS);
    case 'day':
      return diurnal(name, DAY_SECONDS);
    case 'bursty':
      return {
        name,
        shape: `${BURST.base}; every ${BURST.meanGapSeconds / 60} min (exponential) ${BURST.leastHeight} to ${BURST.mostHeight} more (Pareto ${BURST.heightShape}) for ${BURST.leastSeconds} to ${BURST.mostSeconds} s (Pareto ${BURST.durationShape})`,
        load: bursts(seconds, seed),
      };
    case 'flat':
      return { name, shape: '6', load: () => 6 };
    case 'cpu-bound':
      return steps(name, CPU_LEVELS);
    default:
      throw new Error(`there is no workload '${name}'`);
  }
}

function steps(name: string, levels: readonly number[]): Workload {
  return {
    name,
    shape: `levels ${levels.join(', ')}, ${STEP_SECONDS / 60} min each`,
    load: (s) => levels[Math.floor(s / STEP_SECONDS) % levels.length]!,
  };
}

function diurnal(name: string, daySeconds: number): Workload {
  return {
    name,
    shape: `cosine from 1 to 9 and back in ${daySeconds / 3600} h`,
    load: (s) => 5 - 4 * Math.cos(2 * Math.PI * phase(s, daySeconds)),
  };
}

function phase(seconds: number, period: number): number {
  return (seconds % period) / period;
}

/** Drawn once for a run. */
function bursts(untilSeconds: number, seed: number): OfferedLoad {
  const random = new Random(seed);
  const list: { from: number; to: number; height: number }[] = [];
  for (let from = random.exponential(BURST.meanGapSeconds); from < untilSeconds; ) {
    const height = Math.min(BURST.mostHeight, random.pareto(BURST.leastHeight, BURST.heightShape));
    const to = from + Math.min(BURST.mostSeconds, random.pareto(BURST.leastSeconds, BURST.durationShape));
    list.push({ from, to, height });
    from = to + random.exponential(BURST.meanGapSeconds);
  }
  let next = 0;
  return (s) => {
    // Time only goes forward, but for a new run.
    if (next > 0 && list[next - 1]!.to > s) next = 0;
    while (next < list.length && list[next]!.to <= s) next++;
    const burst = list[next];
    return BURST.base + (burst && burst.from <= s ? burst.height : 0);
  };
}
