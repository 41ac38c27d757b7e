import type { PolicyDecision } from './decision.js';
import {
  type Lack,
  type LoadedModel,
  leastThatMakeUp,
  mayGo,
  type Sizes,
  type TooYoung,
  youngestThatMakeUp,
} from './load/victims.js';

export type { LoadedModel, Sizes } from './load/victims.js';

/** Who wants it. What is foreseen never makes anybody else wait or go; a start is never refused for want of room. */
export type LoadCause = 'request' | 'operator' | 'start' | 'eager' | 'forecast' | 'popular' | 'standby';

export interface LoadFacts {
  cause: LoadCause;
  onDemand: boolean;
  /** What it took in use, and what it requires that is not loaded. */
  need: Sizes;
  /** How many it requires that are not loaded, and that `max_loaded` counts. */
  brings: number;
  /** What it took right after its last load: less, where memory is only touched in use. */
  least: Sizes;
  /** What is left, less what is reserved for loads under way. */
  room: Sizes;
  /** What unloading that is under way will give back. */
  coming: Sizes;
  /** Loads of models that were never measured: what they take is not in `room` yet. */
  unknown: number;
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
  /** Names of those to unload now. Others may have to follow once these are gone. */
  victims: readonly string[];
  /** What ends the wait; null where it does not wait, or nothing is known to end it. */
  waitsFor: 'turn' | 'memory' | 'busy' | 'residency' | null;
  /** Why it is refused, where that is for a while only. */
  tooYoung: TooYoung | null;
}

const UNASKED: ReadonlySet<LoadCause> = new Set(['eager', 'popular', 'forecast', 'standby']);
const HAS_THE_LAST_WORD: ReadonlySet<LoadCause> = new Set(['start']);

/** What a model is taken to need that was never measured, where several of them load at once. */
const UNKNOWN_BYTES = 256 * 1024 ** 2;

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
 * model; for nothing, where nobody asked for it); `refuse` is for a request that nothing could make room for, or nothing that was loaded
 * long enough ago.
 */
export function decideLoad(facts: LoadFacts): LoadDecision {
  const decision = decideRoom(facts);
  // Whoever is refused hears it at once, however many are loading.
  if (decision.action === 'refuse' || facts.loading < facts.concurrentLoads) return decision;
  return { ...decision, action: 'hold', reason: 'other models are loading', victims: [], waitsFor: 'turn' };
}

function decideRoom(facts: LoadFacts): LoadDecision {
  const answer = (action: LoadDecision['action'], reason: string, more: Partial<LoadDecision> = {}): LoadDecision => ({
    action,
    reason,
    numbers: numbersOf(facts),
    victims: [],
    waitsFor: null,
    tooYoung: null,
    ...more,
  });
  const gone = (chosen: readonly LoadedModel[]): LoadDecision => {
    const victims = chosen.filter(isFree).map(({ name }) => name);
    if (victims.length === 0) return answer('hold', 'memory is being given back', { waitsFor: 'memory' });
    const numbers = { ...numbersOf(facts), victims: victims.join(' ') };
    return answer('unload', 'others make room for it', { victims, numbers });
  };
  const lack: Lack = {
    places: missingPlaces(facts),
    bytes: lacking(facts, 'bytes'),
    gpuBytes: lacking(facts, 'gpuBytes'),
  };
  if (isNothing(lack)) {
    if (facts.cause === 'standby' && !fitsStandby(facts))
      return answer('hold', 'memory has no room for models on standby');
    if (!leavesRoomForUnknown(facts))
      return answer('hold', 'what others take that have just been loaded is not measured yet', { waitsFor: 'turn' });
    return answer('load', REASONS[facts.cause]);
  }
  const missing = lessComing(lack, facts);
  const candidates = facts.others.filter(mayGo);
  const old = candidates.filter(({ youngForMs }) => youngForMs === 0);
  const idle = old.filter((other) => other.idle);
  if (UNASKED.has(facts.cause)) {
    // What stands by makes room for what is likely to be used; nobody else has to.
    const standing = facts.cause === 'standby' ? [] : idle.filter(({ standby }) => standby);
    const victims = leastThatMakeUp(missing, standing);
    return victims ? gone(victims) : answer('hold', 'there is no room for it yet');
  }
  const victims = leastThatMakeUp(missing, idle);
  if (victims) return gone(victims);
  const busy = answer('hold', 'what could make room for it is busy', { waitsFor: 'busy' });
  if (leastThatMakeUp(missing, old)) return busy;
  const tooYoung = youngestThatMakeUp(missing, candidates);
  if (tooYoung && !HAS_THE_LAST_WORD.has(facts.cause))
    return answer('refuse', 'what could make room for it was loaded only just now', {
      tooYoung,
      numbers: { ...numbersOf(facts), young: tooYoung.victim, young_for_ms: Math.round(tooYoung.waitMs) },
    });
  // What it takes in use it may never take again: that alone is no reason to refuse it for ever.
  if (facts.least !== facts.need) return decideRoom({ ...facts, need: facts.least });
  const refused = answer('refuse', 'there is no room for it, and nothing loaded could be unloaded');
  if (!HAS_THE_LAST_WORD.has(facts.cause)) return refused;
  // More memory than there is may be taken at their word, but not more places.
  const places = { places: missing.places, bytes: 0, gpuBytes: 0 };
  if (lack.places === 0) return answer('load', 'asked for, though memory has no room known');
  const leaving = leastThatMakeUp(places, idle);
  if (leaving) return gone(leaving);
  if (leastThatMakeUp(places, old)) return busy;
  return leastThatMakeUp(places, candidates)
    ? answer('hold', 'what could make room for it was loaded only just now', { waitsFor: 'residency' })
    : refused;
}

/** Nobody that needs it is loaded, or still on its way out. */
function isFree({ neededBy, follows }: LoadedModel): boolean {
  return neededBy.length === 0 && !follows;
}

/** How many too many there would be by `max_loaded`, which bounds what is loaded on demand. */
function missingPlaces({ onDemand, brings, maxLoaded, others, leaving }: LoadFacts): number {
  const coming = brings + (onDemand ? 1 : 0);
  if (coming === 0 || maxLoaded === null) return 0;
  return Math.max(0, others.filter((other) => other.onDemand).length + leaving + coming - maxLoaded);
}

/** A size that is not known stands in nobody's way, unless there is no room for anything. */
function lacking({ need, room }: LoadFacts, of: keyof Sizes): number {
  const left = room[of];
  return left === null ? 0 : Math.max(0, (need[of] ?? 0) - left);
}

/** Several loads at once, of models whose size nobody knows, could fill the memory before the next measurement shows it. */
function leavesRoomForUnknown({ unknown, need, room }: LoadFacts): boolean {
  if (unknown === 0 || room.bytes === null) return true;
  return (need.bytes ?? UNKNOWN_BYTES) <= room.bytes - unknown * UNKNOWN_BYTES;
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
