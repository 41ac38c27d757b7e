import { type Chunk, poissonChunks, recordedChunks } from './arrivals.js';
import { fixedSize } from './rules/fixed.js';
import { hpa } from './rules/hpa.js';
import { knative } from './rules/knative.js';
import { ours } from './rules/ours.js';
import type { Contender, Limits } from './rules/rule.js';
import { uwsgi } from './rules/uwsgi.js';
import { type BoxSettings, type Outcome, race } from './run.js';
import { workload } from './workloads.js';

export const RULES = ['ours', 'hpa', 'knative', 'uwsgi'] as const;
export type RuleName = (typeof RULES)[number];

/** One race, as plain data: it can be run in another thread. */
export interface Job {
  arrivals: Synthetic | Recorded;
  serviceMs: number;
  seed: number;
  warmUpMs: number;
  box: BoxSettings;
  limits: Limits;
  /** Rules by name, fixed sizes by number. */
  contenders: (RuleName | number)[];
}

interface Synthetic {
  workload: string;
  seconds: number;
}

interface Recorded {
  /** Ms, ascending. */
  at: Float64Array;
}

/** @returns outcomes in the order of the contenders */
export function runJob(job: Job): Outcome[] {
  const contenders = job.contenders.map((which) => contender(which, job.limits));
  return race(contenders, chunks(job), job.box, job.warmUpMs);
}

function chunks({ arrivals, serviceMs, seed, box }: Job): Iterable<Chunk> {
  if ('at' in arrivals) return recordedChunks(arrivals.at, serviceMs, box.deadlineMs, seed);
  const { load } = workload(arrivals.workload, arrivals.seconds, seed);
  return poissonChunks(load, serviceMs, arrivals.seconds * 1000, seed);
}

function contender(which: RuleName | number, limits: Limits): Contender {
  if (typeof which === 'number') return fixedSize(which);
  switch (which) {
    case 'ours':
      return ours(limits);
    case 'hpa':
      return hpa(limits);
    case 'knative':
      return knative(limits);
    case 'uwsgi':
      return uwsgi(limits);
  }
}
