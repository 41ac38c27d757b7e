import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import type { LoadCause, LoadedModel, LoadFacts, Sizes } from '../policy/load.js';
import type { MemoryLedger } from './memory-ledger.js';
import { type Model, times } from './model.js';
import { allRequirementsOf } from './requirements.js';
import { youngForMs } from './residency.js';

export interface Surroundings {
  models: readonly Model[];
  ledger: MemoryLedger<Model>;
  config: { models: ModelsConfig; unloading: UnloadingConfig };
  /** What the box leaves, before anything is reserved. */
  box: { room: Sizes; standbyRoom: number | null };
  keepValue: (model: Model) => number;
  isLoading: (model: Model) => boolean;
  /** A load that comes first is about to need it. */
  isHeld: (model: Model) => boolean;
  /** Loads under way. */
  loading: number;
  now: number;
}

/** What is known at this moment of a model that is to load, and of all that it would have to share the box with. */
export function loadFacts(model: Model, cause: LoadCause, workers: number, around: Surroundings): LoadFacts {
  const { models, ledger, config, box, keepValue, isLoading, isHeld, loading, now } = around;
  const reserved = ledger.reserved((each) => each.measured());
  const others = models.filter((other) => other !== model);
  const required = allRequirementsOf(model, models);
  const needs = needsOf(others, models);
  // The whole chain, or nobody goes for it: what it requires would find room, and it would not.
  const missing = [...required].filter((each) => !each.loaded);
  return {
    cause,
    onDemand: model.onDemand,
    need: sum([times(model.size, workers), ...missing.map(({ size }) => size)]),
    least: sum([times(model.least, workers), ...missing.map(({ least }) => least)]),
    brings: missing.filter((each) => each.onDemand).length,
    room: { bytes: less(box.room.bytes, reserved.bytes), gpuBytes: less(box.room.gpuBytes, reserved.gpuBytes) },
    coming: ledger.coming(),
    unknown: ledger.unknown,
    standbyRoom: less(box.standbyRoom, reserved.bytes),
    loading,
    concurrentLoads: config.models.concurrentLoads,
    maxLoaded: config.models.maxLoaded,
    leaving: others.filter((other) => other.onDemand && other.isLeaving).length,
    others: others
      .filter((other) => other.loaded)
      .map((other): LoadedModel => {
        const { preference } = other.unload;
        const needing = [...needs].filter(([, requirements]) => requirements.has(other)).map(([each]) => each);
        return {
          name: other.name,
          size: isLoading(other) ? whole(other) : known(other.measured(), whole(other)),
          onDemand: other.onDemand,
          kept: preference === 'keep',
          evict: preference === 'evict' && config.unloading.byPreference,
          idle: !isLoading(other) && other.isIdle && !isHeld(other),
          keepValue: keepValue(other),
          standby: other.standby,
          youngForMs: youngForMs(other, config, now),
          required: required.has(other),
          neededBy: needing.filter(({ loaded }) => loaded).map(({ name }) => name),
          follows: needing.some(({ isLeaving }) => isLeaving),
        };
      }),
  };
}

/** What those that are there cannot do without, where there is anything of the kind. */
function needsOf(others: readonly Model[], models: readonly Model[]): Map<Model, Set<Model>> {
  const there = others.filter(
    ({ config, loaded, isLeaving }) => config.unload.requires.length > 0 && (loaded || isLeaving),
  );
  return new Map(there.map((each) => [each, allRequirementsOf(each, models)]));
}

/** What all its workers are taken to need. */
function whole({ size, pool }: Model): Sizes {
  return times(size, Math.max(1, pool.desired));
}

/** Null where nothing is known of any. */
function sum(sizes: readonly Sizes[]): Sizes {
  const of = (key: keyof Sizes) =>
    sizes.reduce<number | null>((all, { [key]: bytes }) => (bytes === null ? all : (all ?? 0) + bytes), null);
  return { bytes: of('bytes'), gpuBytes: of('gpuBytes') };
}

function less(bytes: number | null, taken: number | null): number | null {
  return bytes === null ? null : bytes - (taken ?? 0);
}

function known(measured: Sizes, learned: Sizes): Sizes {
  return { bytes: measured.bytes ?? learned.bytes, gpuBytes: measured.gpuBytes ?? learned.gpuBytes };
}
