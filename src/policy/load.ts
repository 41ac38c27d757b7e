import type { PolicyDecision } from './decision.js';

/** Who wants it. A forecast never makes anybody else wait or go; an operator and a start are never refused for want of room. */
export type LoadCause = 'request' | 'operator' | 'start' | 'popular' | 'forecast' | 'standby';

/** Bytes of main memory and of GPU memory; null: not known. */
export interface Sizes {
  bytes: number | null;
  gpuBytes: number | null;
}

/** A model that is loaded, or loads. */
export interface LoadedModel {
  name: string;
  size: Sizes;
  /** It may be unloaded and comes back on demand. Others are pinned by their configuration. */
  onDemand: boolean;
  /** Nothing queued or in flight, nothing that waits for it, and not loading. */
  idle: boolean;
  /** What is lost by unloading it: chance of use × load seconds ÷ MiB. */
  keepValue: number;
  /** Was loaded on the chance of being used, and has not been. */
  standby: boolean;
}

export interface LoadFacts {
  cause: LoadCause;
  onDemand: boolean;
  /** What it took last time. */
  need: Sizes;
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
}

const UNASKED: ReadonlySet<LoadCause> = new Set(['popular', 'forecast', 'standby']);
const HAS_THE_LAST_WORD: ReadonlySet<LoadCause> = new Set(['operator', 'start']);

/**
 * Whether a model may load now: `load`; `unload` names who has to go first; `hold` waits (for a load, for memory that is coming, for a busy
 * model); `refuse` is for a request that nothing could make room for.
 */
export function decideLoad(facts: LoadFacts): LoadDecision {
  const { loading, concurrentLoads } = facts;
  const numbers = numbersOf(facts);
  if (loading >= concurrentLoads) return answer('hold', LOADING, numbers);
  const places = missingPlaces(facts);
  const lacks = lackOf(facts);
  if (places === 0 && lacks.length === 0) {
    if (facts.cause === 'standby' && !fitsStandby(facts))
      return answer('hold', 'memory has no room for models on standby', numbers);
    return answer('load', REASONS[facts.cause], numbers);
  }
  if (UNASKED.has(facts.cause)) {
    // What stands by makes room for what is likely to be used; nobody else has to.
    const standing = facts.cause === 'standby' ? [] : facts.others.filter((other) => other.standby && other.idle);
    return makeRoom(facts, standing, places, lacks) ?? answer('hold', 'there is no room for it yet', numbers);
  }
  const idle = facts.others.filter((other) => other.onDemand && other.idle);
  const room = makeRoom(facts, idle, places, lacks);
  if (room) return room;
  const busy = facts.others.filter((other) => other.onDemand && !other.idle);
  if (makeRoom(facts, [...idle, ...busy], places, lacks))
    return answer('hold', 'what could make room for it is busy', numbers);
  if (HAS_THE_LAST_WORD.has(facts.cause)) return answer('load', 'asked for, though memory has no room known', numbers);
  return answer('refuse', 'there is no room for it, and nothing loaded could be unloaded', numbers);
}

/** Reasons to wait that end soon. */
export const LOADING = 'other models are loading';
export const COMING = 'memory is being given back';

const REASONS: Readonly<Record<LoadCause, string>> = {
  request: 'a request came while it was not loaded',
  operator: 'asked for by an operator',
  start: 'it starts',
  popular: 'it is popular',
  forecast: 'it is likely to be used soon',
  standby: 'it was used before, and memory has room',
};

function answer(action: LoadDecision['action'], reason: string, numbers: LoadDecision['numbers']): LoadDecision {
  return { action, reason, numbers, victims: [] };
}

/** How many too many there would be by `max_loaded`, which bounds what is loaded on demand. */
function missingPlaces({ onDemand, maxLoaded, others, leaving }: LoadFacts): number {
  if (!onDemand || maxLoaded === null) return 0;
  return Math.max(0, others.filter((other) => other.onDemand).length + leaving + 1 - maxLoaded);
}

type Lack = { of: keyof Sizes; bytes: number };

/** What it needs beyond what is left. What is not known stands in nobody's way. */
function lackOf({ need, room }: LoadFacts): Lack[] {
  const lacks: Lack[] = [];
  for (const of of ['bytes', 'gpuBytes'] as const) {
    const [wanted, left] = [need[of], room[of]];
    if (wanted !== null && left !== null && wanted > left) lacks.push({ of, bytes: wanted - left });
  }
  return lacks;
}

function fitsStandby({ need, standbyRoom }: LoadFacts): boolean {
  return standbyRoom === null || (need.bytes ?? 0) <= standbyRoom;
}

/** The least valuable of these that together make room; a hold where what is coming suffices; null where all of them don't. */
function makeRoom(
  facts: LoadFacts,
  candidates: readonly LoadedModel[],
  missing: number,
  lacks: readonly Lack[],
): LoadDecision | null {
  const numbers = numbersOf(facts);
  const places = Math.max(0, missing - facts.leaving);
  const still = lacks
    .map(({ of, bytes }) => ({ of, bytes: bytes - (facts.coming[of] ?? 0) }))
    .filter(({ bytes }) => bytes > 0);
  if (places === 0 && still.length === 0) return answer('hold', COMING, numbers);
  const byValue = [...candidates].sort(
    (a, b) => Number(b.standby) - Number(a.standby) || a.keepValue - b.keepValue || (a.name < b.name ? -1 : 1),
  );
  const suffice = (chosen: readonly LoadedModel[]) =>
    chosen.length >= places && still.every(({ of, bytes }) => sumOf(chosen, of) >= bytes);
  let victims: LoadedModel[] = [];
  for (const candidate of byValue) {
    if (suffice(victims)) break;
    // One that gives nothing of what is lacking goes only to make a place.
    if (victims.length < places || still.some(({ of }) => (candidate.size[of] ?? 0) > 0)) victims.push(candidate);
  }
  if (!suffice(victims)) return null;
  // Those that came first may have become needless by a larger one that came after them.
  for (const victim of victims) {
    const rest = victims.filter((other) => other !== victim);
    if (suffice(rest)) victims = rest;
  }
  const names = victims.map(({ name }) => name);
  return { ...answer('unload', 'others make room for it', { ...numbers, victims: names.join(' ') }), victims: names };
}

function sumOf(models: readonly LoadedModel[], of: keyof Sizes): number {
  return models.reduce((sum, { size }) => sum + (size[of] ?? 0), 0);
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
