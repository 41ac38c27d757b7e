/** What whoever wanted a load is told when it does not come about: what is in the way, and what would help. */
import { SupError } from '../errors.js';
import { mayGo, type TooYoung } from '../policy/load/victims.js';
import type { LoadedModel, LoadFacts } from '../policy/load.js';
import type { Model } from './model.js';
import { shortName } from './requirements.js';

/** Nothing could make room for it, however long one waits. */
export function noRoom(model: Model, facts: LoadFacts): SupError {
  const { need, room, others } = facts;
  // Those that are always loaded take memory, and no place.
  const always = others.filter(({ onDemand }) => !onDemand && lackOf(facts) !== 'places');
  const kept = others.filter(({ onDemand, kept }) => onDemand && kept);
  const hints = [
    always.length > 0 ? `; always loaded: ${namesOf(always)} (workers.min, or scaled by hand)` : '',
    kept.length > 0 ? `; pinned: ${namesOf(kept)} (to let one go: supervisor unpin ${kept[0]?.name})` : '',
  ];
  return new SupError(
    'SUP_NO_ROOM',
    `${model.name} cannot be loaded: ${whatIsLacking(facts)}, and ${whatWouldGo(facts)}${hints.join('')}`,
    {
      model: model.config.name,
      need_bytes: need.bytes,
      room_bytes: room.bytes === null ? null : Math.max(0, Math.round(room.bytes)),
      pinned: [...always, ...kept].map(({ name }) => name),
    },
  );
}

/** What would have to go was loaded only just now. @param ageMs of the youngest that would have to go; null: it still loads */
export function tooYoung(model: Model, facts: LoadFacts, { victim, waitMs }: TooYoung, ageMs: number | null): SupError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  const remedy = lackOf(facts) === 'places' ? 'raise models.max_loaded' : 'give the box more memory';
  const age = ageMs === null ? 'has not even loaded yet' : `was loaded only ${Math.round(ageMs / 1000)} s ago`;
  return new SupError(
    'SUP_CHURN',
    `${model.name} cannot be loaded yet: ${whatIsLacking(facts)}, and ${victim}, which would have to go, ${age}; ` +
      `try again in ${seconds} s, ${remedy}, or lower unloading.min_residency`,
    { model: model.config.name, victim, age_seconds: inSeconds(ageMs), retry_after_seconds: seconds },
  );
}

/** It cannot do without a model that could not be loaded. @param retryAfterMs null: not known */
export function lacksRequirement(
  model: Model,
  requirement: Model,
  error: Error,
  retryAfterMs: number | null,
): SupError {
  const isRoom = error instanceof SupError && (error.code === 'SUP_NO_ROOM' || error.code === 'SUP_CHURN');
  const retryAfter = retryAfterMs === null ? {} : { retry_after_seconds: Math.max(1, Math.ceil(retryAfterMs / 1000)) };
  return new SupError(
    isRoom ? error.code : 'SUP_LOAD_FAILED',
    `${model.name} could not be loaded, since it requires ${shortName(requirement)}: ${error.message}`,
    { ...(isRoom ? error.data : retryAfter), model: model.config.name, requirement: requirement.name },
    { cause: error },
  );
}

function lackOf({
  need,
  room,
  onDemand,
  maxLoaded,
  others,
  leaving,
  brings,
}: LoadFacts): 'bytes' | 'gpuBytes' | 'places' | null {
  for (const of of ['bytes', 'gpuBytes'] as const) if (room[of] !== null && (need[of] ?? 0) > room[of]) return of;
  const coming = brings + (onDemand ? 1 : 0);
  const there = others.filter((other) => other.onDemand).length + leaving;
  return coming > 0 && maxLoaded !== null && there + coming > maxLoaded ? 'places' : null;
}

function whatIsLacking(facts: LoadFacts): string {
  const { need, room, brings, maxLoaded } = facts;
  switch (lackOf(facts)) {
    case 'bytes':
      return `it${brings > 0 ? ', with what it requires,' : ''} needs ${mib(need.bytes)} and ${mib(Math.max(0, room.bytes ?? 0))} are left`;
    case 'gpuBytes':
      return 'the GPU has no room';
    case 'places':
      return `models.max_loaded allows ${maxLoaded}`;
    case null:
      return 'memory has no room';
  }
}

/** Of what might go. */
function whatWouldGo(facts: LoadFacts): string {
  const { need, room, others } = facts;
  const free = others.filter(mayGo);
  if (free.length === 0) return 'nothing loaded may go';
  if (lackOf(facts) !== 'bytes') return `unloading ${namesOf(free)} would not be enough`;
  const freed = free.reduce((all, { size }) => all + (size.bytes ?? 0), 0);
  const missing = (need.bytes ?? 0) - (room.bytes ?? 0) - freed;
  return `unloading ${namesOf(free)} would not be enough: raise limits.memory by ${mib(missing)}`;
}

function namesOf(models: readonly LoadedModel[]): string {
  return models.map(({ name }) => name).join(', ');
}

function mib(bytes: number | null): string {
  return bytes === null ? 'memory' : `${Math.round(bytes / 1024 ** 2)} MiB`;
}

function inSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms) / 1000;
}
