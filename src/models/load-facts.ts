import type { ModelsConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { LoadCause, LoadedModel, LoadFacts, Sizes } from '../policy/load.js';
import type { MemoryLedger } from './memory-ledger.js';
import { type Model, times } from './model.js';

export interface Surroundings {
  models: readonly Model[];
  ledger: MemoryLedger<Model>;
  config: ModelsConfig;
  /** What the box leaves, before anything is reserved. */
  box: { room: Sizes; standbyRoom: number | null };
  keepValue: (model: Model) => number;
  isLoading: (model: Model) => boolean;
  /** Loads under way. */
  loading: number;
}

/** What is known at this moment of a model that is to load, and of all that it would have to share the box with. */
export function loadFacts(model: Model, cause: LoadCause, workers: number, around: Surroundings): LoadFacts {
  const { models, ledger, config, box, keepValue, isLoading, loading } = around;
  const reserved = ledger.reserved((each) => each.measured());
  const others = models.filter((other) => other !== model);
  return {
    cause,
    onDemand: model.onDemand,
    need: times(model.size, workers),
    least: times(model.least, workers),
    room: { bytes: less(box.room.bytes, reserved.bytes), gpuBytes: less(box.room.gpuBytes, reserved.gpuBytes) },
    coming: ledger.coming(),
    standbyRoom: less(box.standbyRoom, reserved.bytes),
    loading,
    concurrentLoads: config.concurrentLoads,
    maxLoaded: config.maxLoaded,
    leaving: others.filter((other) => other.onDemand && other.isLeaving).length,
    others: others
      .filter((other) => other.loaded)
      .map(
        (other): LoadedModel => ({
          name: other.name,
          size: isLoading(other) ? whole(other) : known(other.measured(), whole(other)),
          onDemand: other.onDemand,
          idle: !isLoading(other) && other.isIdle,
          keepValue: keepValue(other),
          standby: other.standby,
        }),
      ),
  };
}

/** For the request that is refused. */
export function noRoom(model: Model, { need, room, others }: LoadFacts): SupError {
  const pinned = others.filter((other) => !other.onDemand).map((other) => other.name);
  const lacking = room.bytes !== null && need.bytes !== null && need.bytes > room.bytes;
  const what = lacking
    ? `it needs ${mib(need.bytes)} and ${mib(Math.max(0, room.bytes ?? 0))} are left`
    : 'the GPU has no room';
  const pins = pinned.length > 0 ? `; always loaded: ${pinned.join(', ')}` : '';
  return new SupError('SUP_NO_ROOM', `${model.name} cannot be loaded: ${what}, and nothing loaded may go${pins}`, {
    model: model.config.name,
    need_bytes: need.bytes,
    room_bytes: room.bytes === null ? null : Math.max(0, Math.round(room.bytes)),
    pinned,
  });
}

/** What all its workers are taken to need. */
function whole({ size, pool }: Model): Sizes {
  return times(size, Math.max(1, pool.desired));
}

function less(bytes: number | null, taken: number | null): number | null {
  return bytes === null ? null : bytes - (taken ?? 0);
}

function known(measured: Sizes, learned: Sizes): Sizes {
  return { bytes: measured.bytes ?? learned.bytes, gpuBytes: measured.gpuBytes ?? learned.gpuBytes };
}

function mib(bytes: number | null): string {
  return `${Math.round((bytes ?? 0) / 1024 ** 2)} MiB`;
}
