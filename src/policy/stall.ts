import { act, hold, type PolicyDecision } from './decision.js';

/** A queue that does not move, whatever the health checks say. */
export interface StallFacts {
  /** Inputs that wait, and how long the oldest of them. */
  queued: number;
  oldestMs: number;
  /** Since something waits and no worker took or gave back anything. */
  stillMs: number;
  /** Of the batches lately; null: too few to tell. */
  p95Ms: number | null;
  /** Workers that take work, each with the time that its oldest batch has been in flight; null: it has none. */
  workers: readonly { worker: string; hasRoom: boolean; inFlightMs: number | null }[];
}

export interface StallLimits {
  wedgeMs: number;
  /** How long work waits for a fuller batch at most. */
  maxDelayMs: number;
}

export interface StallDecision extends PolicyDecision<'replace'> {
  worker: string | null;
  /** Whether the queue stands still. */
  stalled: boolean;
}

/** A queue may stand still for as long as twice what nearly all batches take. */
const PATIENCE = 2;

/**
 * Whether the queue stands still although something waits, and who is to blame: a worker that has room and takes nothing, else the one
 * that holds its batch longest. Such a worker is replaced and not killed: what it may yet answer is not lost. While nothing is known of
 * what batches take, a full pool is taken to be at work.
 */
export function decideStall(facts: StallFacts, limits: StallLimits): StallDecision {
  const { queued, oldestMs, stillMs, p95Ms, workers } = facts;
  const limitMs = Math.max(PATIENCE * (p95Ms ?? 0), limits.wedgeMs) + limits.maxDelayMs;
  const idle = workers.filter((worker) => worker.hasRoom);
  const known = p95Ms !== null || idle.length > 0;
  if (queued === 0 || workers.length === 0 || !known || stillMs <= limitMs)
    return { ...hold('the queue moves'), worker: null, stalled: false };
  const numbers = {
    queued,
    waited_ms: Math.round(oldestMs),
    still_ms: Math.round(stillMs),
    limit_ms: Math.round(limitMs),
    p95_ms: p95Ms === null ? null : Math.round(p95Ms),
  };
  const [first] = idle;
  if (first)
    return {
      ...act('replace', 'work waits, it has room, and takes nothing', numbers),
      worker: first.worker,
      stalled: true,
    };
  const holder = workers.reduce((a, b) => ((b.inFlightMs ?? 0) > (a.inFlightMs ?? 0) ? b : a));
  const reason = 'work waits, and it does not give back what it has';
  return {
    ...act('replace', reason, { ...numbers, in_flight_ms: Math.round(holder.inFlightMs ?? 0) }),
    worker: holder.worker,
    stalled: true,
  };
}
