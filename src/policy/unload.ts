import { act, type PolicyDecision } from './decision.js';
import type { KeepaliveClock } from './keepalive.js';
import type { PressureLevel } from './pressure.js';
import { PATTERN_SCORE } from './unload/strategies.js';

/** Why a model goes: memory is short, it has been idle for long, a user prefers it to go, or what was learned says so. */
export type CycleCause = 'pressure' | 'pattern' | 'preference' | 'adaptive';

/** One loaded model at one moment. Times in ms. */
export interface UnloadCandidate {
  name: string;
  /** Its configuration lets it go, and a request brings it back. */
  onDemand: boolean;
  loading: boolean;
  /** Since the end of the last request, or since it was loaded. Null: requests are in it, or wait for it. */
  idleMs: number | null;
  /** Since it was loaded; null: not known, taken for long. */
  residentMs: number | null;
  /** Null: not known. */
  bytes: number | null;
  preference: 'keep' | 'evict' | null;
  /** Loaded models that cannot do without it. */
  neededBy: readonly string[];
  keepalive: {
    clock: KeepaliveClock;
    /** Its time is over. */
    due: boolean;
    /** By what was learned, and not by what was said. */
    adaptive: boolean;
    reason: string;
    /** Why it stays where its time is not over. */
    stays: string;
    /** Under which name it is counted. */
    label: string;
    numbers: PolicyDecision['numbers'];
  };
  /** By its strategy, where it goes for a pattern: 0..1. Null: as patterns do. */
  score: number | null;
  /** A request is likely within moments. */
  expected: boolean;
  /** What is lost by unloading it. Asked only of those that go: most of the time nobody does. */
  keepValue: () => number;
}

export interface UnloadRules {
  enabled: boolean;
  minResidencyMs: number;
  minSavingsBytes: number;
  pressureTimeoutMs: number;
  byPressure: boolean;
  byPattern: boolean;
  /** Whether `evict` counts; `keep` always does. */
  byPreference: boolean;
}

export interface UnloadVictim {
  name: string;
  cause: CycleCause;
  /** As reasons are counted, such as `Memory pressure unloading (high)`. */
  label: string;
  score: number;
  /** By a clock that is exact: it waits for no cycle. */
  exact: boolean;
  decision: PolicyDecision<'unload'>;
}

export interface Unloading {
  /** Who goes now, the first to go first. */
  due: readonly UnloadVictim[];
  /** Why each of the others stays. */
  kept: ReadonlyMap<string, string>;
}

const PRESSURE_SCORE = 1;
/** So high that nothing that pressure or patterns say comes before it. */
const PREFERENCE_SCORE = 2;
/** Said for this model, or for all: they hold to the second, however young it is and however little it saves. */
const EXACT: ReadonlySet<KeepaliveClock> = new Set(['to_zero_after', 'ttl']);

/**
 * Who of the loaded models goes. In this order: what its user prefers, pressure, the clock that rules it, whether it saves enough; then
 * the highest score first, and of equal scores the least keep value. A model that is at work, asked for, loading, pinned, needed, or too
 * young is never in the answer.
 */
export function decideUnloads(
  models: readonly UnloadCandidate[],
  pressure: PressureLevel | null,
  rules: UnloadRules,
): Unloading {
  const due: { model: UnloadCandidate; value: number; victim: UnloadVictim }[] = [];
  const kept = new Map<string, string>();
  for (const given of models) {
    const model = rules.byPreference || given.preference !== 'evict' ? given : { ...given, preference: null };
    const never = whyNever(model) ?? (rules.enabled ? null : 'unloading is switched off');
    const cause = never === null ? causeOf(model, pressure, rules) : null;
    const early = never ?? whyTooEarly(model, cause, rules);
    if (early !== null) kept.set(model.name, early);
    else if (cause !== null) {
      const value = model.keepValue();
      due.push({ model, value, victim: victimOf(model, cause, pressure, value) });
    } else kept.set(model.name, model.expected ? 'a request is likely soon' : model.keepalive.stays);
  }
  due.sort((a, b) => b.victim.score - a.victim.score || leastValue(a, b));
  return { due: due.map(({ victim }) => victim), kept };
}

/** Those that may go by all but their time, the first that would go first. */
export function nextToGo(models: readonly UnloadCandidate[]): string[] {
  const evict = ({ model }: { model: UnloadCandidate }) => Number(model.preference === 'evict');
  return models
    .filter((model) => whyNever(model) === null)
    .map((model) => ({ model, value: model.keepValue() }))
    .sort((a, b) => evict(b) - evict(a) || leastValue(a, b))
    .map(({ model }) => model.name);
}

/** What no cause overrules; null: nothing of the kind. */
function whyNever({ onDemand, preference, loading, idleMs, neededBy }: UnloadCandidate): string | null {
  if (!onDemand) return 'always loaded: workers.min, or scaled by hand';
  if (preference === 'keep') return 'pinned';
  if (loading) return 'loading';
  if (idleMs === null) return 'busy';
  return neededBy.length > 0 ? `needed by ${neededBy.join(', ')}` : null;
}

/** What only an exact clock overrules. */
function whyTooEarly(
  { residentMs, bytes, keepalive }: UnloadCandidate,
  cause: CycleCause | null,
  { minResidencyMs, minSavingsBytes }: UnloadRules,
): string | null {
  if (cause === 'pattern' && EXACT.has(keepalive.clock)) return null;
  if (residentMs !== null && residentMs < minResidencyMs)
    return `loaded ${seconds(residentMs)} ago, stays for ${seconds(minResidencyMs)}`;
  if (cause !== null && bytes !== null && bytes < minSavingsBytes) return 'it saves too little';
  return null;
}

function causeOf(
  { idleMs, preference, keepalive, expected }: UnloadCandidate,
  pressure: PressureLevel | null,
  { pressureTimeoutMs, byPressure, byPattern }: UnloadRules,
): CycleCause | null {
  if (keepalive.due && EXACT.has(keepalive.clock)) return 'pattern';
  if (preference === 'evict' && (idleMs ?? 0) >= pressureTimeoutMs) return 'preference';
  if (byPressure && pressure === 'critical') return 'pressure';
  if (byPressure && pressure === 'high' && (idleMs ?? 0) >= pressureTimeoutMs && !expected) return 'pressure';
  if (!keepalive.due || !byPattern) return null;
  return keepalive.adaptive ? 'adaptive' : 'pattern';
}

function victimOf(
  model: UnloadCandidate,
  cause: CycleCause,
  pressure: PressureLevel | null,
  value: number,
): UnloadVictim {
  const { name, keepalive, idleMs, residentMs, bytes } = model;
  const score = scoreOf(model, cause);
  const numbers = {
    ...keepalive.numbers,
    score,
    keep_value: Number(value.toPrecision(4)),
    idle_ms: Math.round(idleMs ?? 0),
    resident_ms: residentMs === null ? null : Math.round(residentMs),
    memory_bytes: bytes === null ? null : Math.round(bytes),
    pressure: pressure ?? 'unknown',
  };
  return {
    name,
    cause,
    score,
    label: labelOf(model, cause, pressure),
    exact: cause === 'pattern' && EXACT.has(keepalive.clock),
    decision: act('unload', reasonOf(model, cause, pressure), numbers),
  };
}

function scoreOf({ score, preference }: UnloadCandidate, cause: CycleCause): number {
  if (preference === 'evict') return PREFERENCE_SCORE;
  return cause === 'pressure' ? PRESSURE_SCORE : (score ?? PATTERN_SCORE);
}

function labelOf({ keepalive }: UnloadCandidate, cause: CycleCause, pressure: PressureLevel | null): string {
  if (cause === 'pressure') return `Memory pressure unloading (${pressure})`;
  if (cause === 'preference') return 'User preference unloading';
  return `${cause === 'adaptive' ? 'Adaptive' : 'Usage pattern'} unloading (${keepalive.label})`;
}

function reasonOf({ keepalive }: UnloadCandidate, cause: CycleCause, pressure: PressureLevel | null): string {
  if (cause === 'pressure') return `idle, and memory pressure is ${pressure}`;
  return cause === 'preference' ? 'idle, and its preference is evict' : keepalive.reason;
}

interface Valued {
  model: UnloadCandidate;
  value: number;
}

function leastValue(a: Valued, b: Valued): number {
  return a.value - b.value || (b.model.bytes ?? 0) - (a.model.bytes ?? 0) || (a.model.name < b.model.name ? -1 : 1);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
