import type { PolicyDecision } from './decision.js';
import { type Lack, leastThatMakeUp, type Sizes, type Victim } from './unload/victims.js';

export type { Sizes } from './unload/victims.js';

/** Who wants it. What is foreseen never makes anybody else wait or go; a start is never refused for want of room. */
export type LoadCause = 'request' | 'operator' | 'start' | 'eager' | 'forecast' | 'popular' | 'standby';

/** A model that is loaded, or loads. */
export interface LoadedModel extends Victim {
  /** It may be unloaded and comes back on demand. Others are pinned by their configuration. */
  onDemand: boolean;
  /** Nothing queued or in flight, and not loading. */
  idle: boolean;
}

export interface LoadFacts {
  cause: LoadCause;
  onDemand: boolean;
  /** What it took in use. */
  need: Sizes;
  /** What it took right after its last load: less, where memory is only touched in use. */
  least: Sizes;
  /** What is left, less what is reserved for loads under way. */
  room: Sizes;
  /** What unloading that is under way will give back. */
  coming: Sizes;
  /** Models loaded on demand that are being unloaded. */
  leaving: number;
  /** What is left before pressure would be medium. */
  standbyRoom: number | null;
  loading: number;
  concurrentLoads: number;
  maxLoaded: number | null;
  others: readonly LoadedModel[];
}

export interface LoadDecision extends PolicyDecision<'load' | 'unload' | 'refuse'> {
  /** Names of those to unload first. */
  victims: readonly string[];
  /** What ends the wait; null where it does not wait, or nothing is known to end it. */
  waitsFor: 'turn' | 'memory' | 'busy' | null;
}

const UNASKED: ReadonlySet<LoadCause> = new Set(['eager', 'popular', 'forecast', 'standby']);
const HAS_THE_LAST_WORD: ReadonlySet<LoadCause> = new Set(['start']);

const REASONS: Readonly<Record<LoadCause, string>> = {
  request: 'a request came while it was not loaded',
  operator: 'asked for by an operator',
  start: 'it starts',
  eager: 'all models are loaded at the start',
  popular: 'it is popular',
  forecast: 'it is likely to be used soon',
  standby: 'it was used before, and memory has room',
};

/**
 * Whether a model may load now: `load`; `unload` names who has to go first; `hold` waits (for a load, for memory that is coming, for a busy
 * model; for nothing, where nobody asked for it); `refuse` is for a request that nothing could make room for.
 */
export function decideLoad(facts: LoadFacts): LoadDecision {
  const answer = (action: LoadDecision['action'], reason: string, more: Partial<LoadDecision> = {}): LoadDecision => ({
    action,
    reason,
    numbers: numbersOf(facts),
    victims: [],
    waitsFor: null,
    ...more,
  });
  const gone = (victims: readonly LoadedModel[]): LoadDecision =>
    victims.length === 0
      ? answer('hold', 'memory is being given back', { waitsFor: 'memory' })
      : answer('unload', 'others make room for it', {
          victims: namesOf(victims),
          numbers: { ...numbersOf(facts), victims: namesOf(victims).join(' ') },
        });
  if (facts.loading >= facts.concurrentLoads) return answer('hold', 'other models are loading', { waitsFor: 'turn' });
  const lack: Lack = {
    places: missingPlaces(facts),
    bytes: lacking(facts, 'bytes'),
    gpuBytes: lacking(facts, 'gpuBytes'),
  };
  if (isNothing(lack)) {
    if (facts.cause === 'standby' && !fitsStandby(facts))
      return answer('hold', 'memory has no room for models on standby');
    return answer('load', REASONS[facts.cause]);
  }
  const missing = lessComing(lack, facts);
  const candidates = facts.others.filter((other) => other.onDemand);
  if (UNASKED.has(facts.cause)) {
    // What stands by makes room for what is likely to be used; nobody else has to.
    const standing = facts.cause === 'standby' ? [] : candidates.filter((other) => other.standby && other.idle);
    const victims = leastThatMakeUp(missing, standing);
    return victims ? gone(victims) : answer('hold', 'there is no room for it yet');
  }
  const idle = candidates.filter((other) => other.idle);
  const victims = leastThatMakeUp(missing, idle);
  if (victims) return gone(victims);
  const busy = answer('hold', 'what could make room for it is busy', { waitsFor: 'busy' });
  if (leastThatMakeUp(missing, candidates)) return busy;
  // What it takes in use it may never take again: that alone is no reason to refuse it for ever.
  if (facts.least !== facts.need) return decideLoad({ ...facts, need: facts.least });
  if (!HAS_THE_LAST_WORD.has(facts.cause))
    return answer('refuse', 'there is no room for it, and nothing loaded could be unloaded');
  if (lack.places === 0) return answer('load', 'asked for, though memory has no room known');
  // More memory than there is may be taken at their word, but not more places.
  const places = leastThatMakeUp({ places: missing.places, bytes: 0, gpuBytes: 0 }, idle);
  return places ? gone(places) : busy;
}

/** How many too many there would be by `max_loaded`, which bounds what is loaded on demand. */
function missingPlaces({ onDemand, maxLoaded, others, leaving }: LoadFacts): number {
  if (!onDemand || maxLoaded === null) return 0;
  return Math.max(0, others.filter((other) => other.onDemand).length + leaving + 1 - maxLoaded);
}

/** A size that is not known stands in nobody's way, unless there is no room for anything. */
function lacking({ need, room }: LoadFacts, of: keyof Sizes): number {
  const left = room[of];
  return left === null ? 0 : Math.max(0, (need[of] ?? 0) - left);
}

function lessComing({ places, bytes, gpuBytes }: Lack, { leaving, coming }: LoadFacts): Lack {
  return {
    places: Math.max(0, places - leaving),
    bytes: Math.max(0, bytes - (coming.bytes ?? 0)),
    gpuBytes: Math.max(0, gpuBytes - (coming.gpuBytes ?? 0)),
  };
}

function isNothing({ places, bytes, gpuBytes }: Lack): boolean {
  return places === 0 && bytes === 0 && gpuBytes === 0;
}

function fitsStandby({ need, standbyRoom }: LoadFacts): boolean {
  return standbyRoom === null || (need.bytes ?? 0) <= standbyRoom;
}

function namesOf(models: readonly LoadedModel[]): string[] {
  return models.map(({ name }) => name);
}

function numbersOf({ need, room, coming, loading, maxLoaded, others }: LoadFacts): LoadDecision['numbers'] {
  const numbers: LoadDecision['numbers'] = {
    need_bytes: need.bytes,
    room_bytes: room.bytes === null ? null : Math.round(room.bytes),
    loading,
    loaded: others.filter((other) => other.onDemand).length,
  };
  if (coming.bytes) numbers.coming_bytes = coming.bytes;
  if (maxLoaded !== null) numbers.max_loaded = maxLoaded;
  if (need.gpuBytes !== null) numbers.need_gpu_bytes = need.gpuBytes;
  if (room.gpuBytes !== null) numbers.room_gpu_bytes = room.gpuBytes;
  return numbers;
}
