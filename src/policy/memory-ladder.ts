import { act, hold, type PolicyDecision } from './decision.js';

export type Rung = 'trim' | 'recycle' | 'emergency' | 'kill';

/** Shares of the memory limit, ascending. */
export interface LadderThresholds {
  cleanup: number;
  recycle: number;
  emergency: number;
}

export interface LadderWorker {
  id: string;
  bytes: number;
  /** Ready, old enough (10 s or twice its boot), and not being replaced or stopped already. */
  replaceable: boolean;
  /** Has a process that may be killed. */
  killable: boolean;
}

export interface LadderPool {
  name: string;
  /** What it should have: its own limit where that is set, else an equal part of the limit. */
  fairBytes: number;
  /** No request queued or in flight, not pinned, and wakes up by itself on demand. */
  unloadable: boolean;
  workers: readonly LadderWorker[];
}

export interface LadderFacts {
  usedBytes: number | null;
  limitBytes: number | null;
  pools: readonly LadderPool[];
}

/** A rung that has fired and whose effect is being waited for, or was measured. */
export interface LadderStep {
  rung: Rung;
  targets: readonly string[];
  firedAt: number;
  /** Used when it fired. */
  beforeBytes: number;
  /** The least that was used in any sample since, the one that it fired on included. */
  lowestBytes: number;
  /** When what it started was over; null while it runs. */
  doneAt: number | null;
}

export interface LadderDecision extends PolicyDecision<Rung> {
  /** Names of workers (recycle, kill) or pools (emergency: those to unload); empty for trim and hold. */
  targets: string[];
}

/**
 * A step that is not over after so long is not waited for any longer. Replacing a worker is starting the new one (10 s) and letting the
 * old one finish (`stop.grace`, 30 s); a killed process that is large takes a moment to give its memory back.
 */
export const PATIENCE_MS: Readonly<Record<Rung, number>> = {
  trim: 5000,
  recycle: 40_000,
  emergency: 10_000,
  kill: 1500,
};
/** A step that freed less than this share of the limit freed little. */
const LITTLE_SHARE = 0.01;
/** Even a rung that freed much is not repeated sooner: memory that goes up and down by itself would fire it again and again. */
export const REPEAT_MS = 10_000;
/** Nor is one that freed little repeated sooner, nor does a lower rung fire so soon after a higher one. */
export const COOLDOWN_MS = 30_000;
/** A trim that freed little, while there is no more than there was then: all of it is needed, and collecting garbage is not free. */
export const FRUITLESS_TRIM_MS = 300_000;

const SETTLING = 'the latest step is not long ago';

const HEIGHT: Readonly<Record<Rung, number>> = { trim: 1, recycle: 2, emergency: 3, kill: 4 };

/** Memory is known, and there is too little of it left. */
interface Scarcity {
  usedBytes: number;
  limitBytes: number;
  thresholds: LadderThresholds;
  pools: readonly LadderPool[];
  now: number;
}

/**
 * What the box does about its memory, once a sample. Trim, then replace the largest worker of a pool over its fair share, then
 * emergency, then kill. A rung fires only from its threshold on, when the step before it is over and a sample was taken after that.
 * From `emergency` on nothing is waited for: one more sample that is no lower, and the largest worker is killed. Memory that fell
 * below the first threshold starts the ladder anew.
 * @param last the latest step, whatever came of it
 */
export function decideLadder(
  facts: LadderFacts,
  last: LadderStep | null,
  thresholds: LadderThresholds,
  now: number,
): LadderDecision {
  const { usedBytes, limitBytes, pools } = facts;
  if (usedBytes === null || limitBytes === null || limitBytes <= 0)
    return wait('it is not known how much memory is used');
  const scarcity = { usedBytes, limitBytes, thresholds, pools, now };
  const share = usedBytes / limitBytes;
  if (share < thresholds.cleanup) return wait('enough room');
  if (last && now <= last.firedAt) return wait('one act a sample');
  if (share >= thresholds.emergency)
    return last && stayedAbove(thresholds.emergency, last, scarcity)
      ? inEmergency(scarcity, last)
      : emergency(scarcity);
  if (last && isUnderWay(last, now)) return wait(`the latest step (${last.rung}) is not over yet`);
  // What is trimmed comes back by itself, and a replaced worker has to warm up: so trim first, however high memory jumped.
  const trimmed = last !== null && stayedAbove(thresholds.cleanup, last, scarcity);
  if (trimmed && share >= thresholds.recycle) {
    if (!hasRested('recycle', last, scarcity)) return wait(SETTLING);
    const decision = recycle(scarcity, last);
    if (decision) return decision;
  }
  return last && !hasRested('trim', last, scarcity) ? wait(SETTLING) : trim(scarcity);
}

/** Nothing is waited for here but the sample that shows whether memory falls. */
function inEmergency(scarcity: Scarcity, last: LadderStep): LadderDecision {
  if (last.rung !== 'emergency' && last.rung !== 'kill') return emergency(scarcity);
  const patient = scarcity.now < last.firedAt + PATIENCE_MS[last.rung];
  // The kernel takes a large process apart for longer than until the next sample: that is no reason to kill the next one.
  if (last.rung === 'kill' && patient) return wait('the killed worker is giving its memory back');
  if (scarcity.usedBytes < last.beforeBytes)
    return patient ? wait('it is an emergency, and memory is falling') : emergency(scarcity);
  const victim = largest(scarcity.pools.flatMap(({ workers }) => workers).filter(({ killable }) => killable));
  if (victim) return kill(scarcity, victim);
  return patient ? wait('it is an emergency, and nothing is left that could go') : emergency(scarcity);
}

function trim(scarcity: Scarcity): LadderDecision {
  return climb('trim', 'cleanup', 'caches are trimmed and garbage is collected', scarcity, []);
}

/** Null where no worker can be replaced. */
function recycle(scarcity: Scarcity, last: LadderStep): LadderDecision | null {
  // Where a replacement did not get ready the old worker is still there; the next one may do better.
  const tried = last.rung === 'recycle' ? last.targets : [];
  const candidates = (pool: LadderPool) =>
    pool.workers.filter(({ id, replaceable }) => replaceable && !tried.includes(id));
  const overShare = scarcity.pools
    .map((pool) => ({ pool, overBytes: sizeOf(pool) - pool.fairBytes }))
    .filter(({ overBytes }) => overBytes > 0)
    .sort((a, b) => b.overBytes - a.overBytes);
  for (const { pool, overBytes } of overShare) {
    const worker = largest(candidates(pool));
    if (!worker) continue;
    const why = `${worker.id} is the largest worker of ${pool.name}, which has more than its fair share`;
    return climb('recycle', 'recycle', why, scarcity, [worker.id], {
      worker_bytes: Math.round(worker.bytes),
      fair_bytes: Math.round(pool.fairBytes),
      over_bytes: Math.round(overBytes),
    });
  }
  const worker = largest(scarcity.pools.flatMap(candidates));
  if (!worker) return null;
  const why = `${worker.id} is the largest worker that can be replaced`;
  return climb('recycle', 'recycle', why, scarcity, [worker.id], { worker_bytes: Math.round(worker.bytes) });
}

function emergency(scarcity: Scarcity): LadderDecision {
  const idle = scarcity.pools.filter(({ unloadable }) => unloadable);
  const targets = idle.map(({ name }) => name);
  const unloading = targets.length > 0 ? `${targets.join(', ')} unloaded` : 'nothing idle to unload';
  return climb('emergency', 'emergency', `caches are cleared, nothing grows, ${unloading}`, scarcity, targets, {
    unload_bytes: Math.round(idle.reduce((sum, pool) => sum + sizeOf(pool), 0)),
  });
}

function kill(scarcity: Scarcity, victim: LadderWorker): LadderDecision {
  const why = `it did not fall after the last step, and ${victim.id} is the largest worker`;
  return climb('kill', 'emergency', why, scarcity, [victim.id], { worker_bytes: Math.round(victim.bytes) });
}

function climb(
  rung: Rung,
  threshold: keyof LadderThresholds,
  why: string,
  { usedBytes, limitBytes, thresholds }: Scarcity,
  targets: string[],
  more: Record<string, number> = {},
): LadderDecision {
  const share = usedBytes / limitBytes;
  const numbers = {
    used_bytes: Math.round(usedBytes),
    limit_bytes: Math.round(limitBytes),
    share: Math.round(share * 10_000) / 10_000,
    threshold: Math.round(thresholds[threshold] * 10_000) / 10_000,
    ...more,
  };
  const reason = `memory is at ${percent(share)} of its limit (${threshold} from ${percent(thresholds[threshold])}): ${why}`;
  return { ...act(rung, reason, numbers), targets };
}

/** Without figures: a hold is news only when its reason changes. */
function wait(reason: string): LadderDecision {
  return { ...hold(reason), targets: [] };
}

function isUnderWay({ rung, firedAt, doneAt }: LadderStep, now: number): boolean {
  return doneAt === null ? now < firedAt + PATIENCE_MS[rung] : now <= doneAt;
}

/** Whether memory has been above the threshold in every sample since the step. */
function stayedAbove(threshold: number, { lowestBytes }: LadderStep, { limitBytes }: Scarcity): boolean {
  return lowestBytes >= threshold * limitBytes;
}

function hasRested(rung: Rung, last: LadderStep, scarcity: Scarcity): boolean {
  const { usedBytes, limitBytes, thresholds, now } = scarcity;
  if (HEIGHT[last.rung] < HEIGHT[rung]) return true;
  const restedMs = now - last.firedAt;
  const anew = last.rung === rung || !stayedAbove(thresholds.cleanup, last, scarcity);
  if (freedMuch(last, scarcity)) return restedMs >= (anew ? REPEAT_MS : COOLDOWN_MS);
  const grown = usedBytes - last.beforeBytes >= limitBytes * LITTLE_SHARE;
  return restedMs >= (last.rung === 'trim' && !grown ? FRUITLESS_TRIM_MS : COOLDOWN_MS);
}

function freedMuch({ beforeBytes, lowestBytes }: LadderStep, { limitBytes }: Scarcity): boolean {
  return beforeBytes - lowestBytes >= limitBytes * LITTLE_SHARE;
}

/** Null where there is none that has any memory of its own. */
function largest(workers: readonly LadderWorker[]): LadderWorker | null {
  return workers.reduce<LadderWorker | null>(
    (most, worker) => (worker.bytes > (most?.bytes ?? 0) ? worker : most),
    null,
  );
}

function sizeOf({ workers }: LadderPool): number {
  return workers.reduce((sum, { bytes }) => sum + bytes, 0);
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
