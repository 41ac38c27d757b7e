import { act, hold, type PolicyDecision } from './decision.js';

/** One worker as its health is judged. */
export interface HealthFacts {
  worker: string;
  /** When it is tried again, monotonic ms; null: it takes work. */
  outUntil: number | null;
  /** Just back: its first answer decides. */
  onTrial: boolean;
  /** How often it was taken out lately. */
  ejections: number;
  /** In a row, while it took work or was out. */
  failedChecks: number;
  checkFailure: string | null;
  /** Checks that kept it out, in a row. */
  failedProbes: number;
  /** Batches in a row in which every input failed, and since when. */
  failedBatches: number;
  failingSince: number | null;
  succeededAt: number | null;
  /** 0..1 of its batches lately that failed; null: it had none. */
  failureShare: number | null;
  /** Time of its batches relative to what such batches take in this pool; null: too few to tell. */
  pace: number | null;
}

export interface HealthLimits {
  failures: number;
  cooldownMs: number;
  /** 0..1 of the pool. */
  maxEjected: number;
}

export interface HealthSituation {
  now: number;
  /** What one input takes here; null: not known. */
  usualMs: number | null;
  /** No worker is replaced for its health before this. */
  replaceAfter: number;
}

export type HealthAction = 'eject' | 'replace' | 'probe';

export interface HealthDecision extends PolicyDecision<HealthAction> {
  worker: string;
}

/** So unlikely a row of failures must be, if this worker failed no more often than the others do: bad inputs come in rows too. */
const CHANCE = 1e-6;
const OUTLIER = 3;
/** With one other there is no telling which of the two is the unusual one. */
const LEAST_OTHERS = 2;
/** Three times nearly nothing is nearly nothing. */
const LEAST_EXCESS_MS = 5;

/** The reason stays the same while the numbers move: a decision to do nothing is news once. */
type Complaint = { kind: 'checks' | 'failures' | 'slow' } & Pick<PolicyDecision, 'reason' | 'numbers'>;

const GRAVEST_FIRST: Complaint['kind'][] = ['checks', 'failures', 'slow'];

/**
 * Who is taken out of the rotation, who is tried again, and who is replaced. Never more than a share of the pool is out, never the
 * last one that takes work; where all have the same complaint it is the model's, or of what it depends on, and nobody's own.
 */
export function decideHealth(
  pool: readonly HealthFacts[],
  limits: HealthLimits,
  situation: HealthSituation,
): HealthDecision[] {
  const decisions: HealthDecision[] = [];
  const nobodyIsIn = pool.every((worker) => worker.outUntil !== null);
  for (const worker of pool) {
    if (worker.outUntil === null || (worker.outUntil > situation.now && !nobodyIsIn)) continue;
    decisions.push({ worker: worker.worker, ...decideProbe(worker, limits) });
  }
  const complaints = pool
    .filter((worker) => worker.outUntil === null)
    .map((worker) => ({ worker, complaint: complaintOf(worker, pool, limits, situation.usualMs) }))
    .filter((found): found is { worker: HealthFacts; complaint: Complaint } => found.complaint !== null)
    .sort((a, b) => GRAVEST_FIRST.indexOf(a.complaint.kind) - GRAVEST_FIRST.indexOf(b.complaint.kind));
  let out = pool.filter((worker) => worker.outUntil !== null).length;
  const mostOut = Math.min(pool.length - 1, Math.floor(limits.maxEjected * pool.length + 1e-9));
  let replaced = false;
  for (const { worker, complaint } of complaints) {
    const { reason } = complaint;
    const numbers = { ...complaint.numbers, out, most_out: Math.max(0, mostOut), workers: pool.length };
    const to = (decision: PolicyDecision<HealthAction>) => decisions.push({ worker: worker.worker, ...decision });
    if (isCommon(worker, complaint, pool))
      to(hold(`${reason}; all workers fail alike: it is none of their own`, numbers));
    else if (out < mostOut) {
      out++;
      const cooldownMs = cooldownOf(worker.ejections, limits.cooldownMs);
      to(act('eject', reason, { ...numbers, cooldown_ms: cooldownMs }));
    } else if (complaint.kind !== 'checks') to(hold(`${reason}; no more workers may be out`, numbers));
    else if (replaced || situation.now < situation.replaceAfter)
      to(hold(`${reason}; one was replaced a short time ago`, numbers));
    else {
      replaced = true;
      to(act('replace', `${reason}; it can't be spared, so a fresh one takes over`, numbers));
    }
  }
  return decisions;
}

/** How long a worker is out: a tenth of the longest time first, then twice as long each time. */
export function cooldownOf(ejections: number, longestMs: number): number {
  return Math.min(longestMs, (longestMs / 10) * 2 ** Math.min(ejections, 30));
}

function decideProbe(worker: HealthFacts, { failures }: HealthLimits): PolicyDecision<HealthAction> {
  const numbers = { ejections: worker.ejections, failed_probes: worker.failedProbes };
  if (worker.failedProbes < failures) return act('probe', 'its cooldown is over, or nobody else takes work', numbers);
  return act('replace', `it did not recover: ${worker.checkFailure ?? 'its checks failed'}`, numbers);
}

function complaintOf(
  worker: HealthFacts,
  pool: readonly HealthFacts[],
  limits: HealthLimits,
  usualMs: number | null,
): Complaint | null {
  if (worker.failedChecks >= limits.failures)
    return {
      kind: 'checks',
      reason: `its health checks fail: ${worker.checkFailure ?? 'no reason'}`,
      numbers: { failed_checks: worker.failedChecks },
    };
  const others = pool.filter((other) => other !== worker && other.outUntil === null);
  return failing(worker, others, limits.failures) ?? slow(worker, others, usualMs);
}

/** Its predictions fail, and those of the others don't. */
function failing(worker: HealthFacts, others: readonly HealthFacts[], failures: number): Complaint | null {
  const { failedBatches, failingSince, onTrial } = worker;
  if (failedBatches === 0 || failingSince === null) return null;
  const shares = others.flatMap((other) => other.failureShare ?? []);
  if (shares.length === 0) return null;
  const share = shares.reduce((sum, each) => sum + each, 0) / shares.length;
  const goesWell = (other: HealthFacts) =>
    other.succeededAt !== null && (onTrial ? other.failedBatches === 0 : other.succeededAt > failingSince);
  if (!others.some(goesWell)) return null;
  if (!onTrial && (failedBatches < failures || share ** failedBatches > CHANCE)) return null;
  return {
    kind: 'failures',
    reason: 'its predictions fail while those of others succeed',
    numbers: { failed_batches: failedBatches, failure_share_of_others: rounded(share) },
  };
}

function slow(worker: HealthFacts, others: readonly HealthFacts[], usualMs: number | null): Complaint | null {
  const paces = others.flatMap((other) => other.pace ?? []);
  if (worker.pace === null || usualMs === null || paces.length < LEAST_OTHERS) return null;
  const usual = medianOf(paces);
  if (worker.pace <= OUTLIER * usual || (worker.pace - usual) * usualMs < LEAST_EXCESS_MS) return null;
  return {
    kind: 'slow',
    reason: `it takes more than ${OUTLIER} times as long as the others`,
    numbers: { pace: rounded(worker.pace), pace_of_others: rounded(usual), usual_ms: rounded(usualMs) },
  };
}

/** Nobody else passed its last check either. What fails and what is slow is found by comparing already. */
function isCommon(worker: HealthFacts, { kind }: Complaint, pool: readonly HealthFacts[]): boolean {
  return kind === 'checks' && pool.length > 1 && pool.every((other) => other === worker || other.failedChecks > 0);
}

/** Of an even number the greater one of the middle two: rather one slow worker too few than one too many. */
function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
