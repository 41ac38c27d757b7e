import { type Lack, type LoadedModel, leastThatMakeUp, type Sizes } from '../load/victims.js';

/** A model that is not loaded, and that nobody has asked for. */
export interface Newcomer {
  name: string;
  size: Sizes;
  /** What is gained by loading it now, in the unit of the others' keep value. */
  loadValue: number;
  /** Whether now is the time to load it, where memory costs so many seconds per MiB and second. */
  isTime(price: number): boolean;
}

export interface ExchangeFacts {
  newcomers: readonly Newcomer[];
  /** Loaded, and free to go. */
  candidates: readonly LoadedModel[];
  /** What is left; null: not known. */
  room: Sizes;
  /** Models that may still be loaded beside those that there are. */
  places: number;
  /** Of memory that nobody waits for. */
  leastPrice: number;
}

export interface Exchange {
  load: string;
  unload: readonly string[];
  numbers: { load_value: number; price: number; need_bytes: number | null };
}

/** How often it is looked for. */
export const EXCHANGE_EVERY_MS = 10_000;
/** Whoever comes unasked must be worth so many times what goes for it: forecasts err, and a load has its price beside the time that it takes. */
const TIMES_WORTH = 2.5;
const MIB = 1024 ** 2;

/**
 * Who should be loaded before anybody asks, and who goes for it. Without this each load on demand costs a second one: it displaces a model that
 * is used more often, and that one's next request comes to a cold model, too. In `bench -- unload-sim` callers wait a third less than
 * without it, and a fifth less than for one who knows the future and loads on demand (means of eight seeds).
 */
export function decideExchanges({ newcomers, candidates, room, places, leastPrice }: ExchangeFacts): Exchange[] {
  const exchanges: Exchange[] = [];
  const left = { ...room };
  let placesLeft = places;
  let idle = [...candidates];
  for (const { name, size, loadValue, isTime } of [...newcomers].sort((a, b) => b.loadValue - a.loadValue)) {
    const worth = loadValue / TIMES_WORTH;
    // Even where it fits in beside them: the next one who is asked for takes the place of the least.
    const least = idle.reduce((low, { keepValue }) => Math.min(low, keepValue), Number.POSITIVE_INFINITY);
    if (Number.isFinite(least) && worth <= least) break;
    const victims = leastThatMakeUp(
      lackOf(size, left, placesLeft),
      idle.filter(({ keepValue }) => keepValue < worth),
    );
    if (victims === null) continue;
    const mib = mibOf(size);
    const lost = victims.reduce((sum, victim) => sum + victim.keepValue * mibOf(victim.size), 0);
    if (lost > worth * mib) continue;
    const price = Math.max(leastPrice, TIMES_WORTH * Math.max(Number.isFinite(least) ? least : 0, lost / mib));
    if (!isTime(price)) continue;
    idle = idle.filter((each) => !victims.includes(each));
    for (const of of ['bytes', 'gpuBytes'] as const)
      if (left[of] !== null) left[of] += sumOf(victims, of) - (size[of] ?? 0);
    placesLeft += victims.length - 1;
    exchanges.push({
      load: name,
      unload: victims.map((victim) => victim.name),
      numbers: { load_value: loadValue, price, need_bytes: size.bytes },
    });
  }
  return exchanges;
}

function lackOf(size: Sizes, left: Sizes, places: number): Lack {
  const lack = (of: keyof Sizes) => (left[of] === null ? 0 : Math.max(0, (size[of] ?? 0) - left[of]));
  return { places: Math.max(0, 1 - places), bytes: lack('bytes'), gpuBytes: lack('gpuBytes') };
}

/** What it is not known of is taken for small. */
function mibOf({ bytes }: Sizes): number {
  return Math.max(1, (bytes ?? 0) / MIB);
}

function sumOf(models: readonly LoadedModel[], of: keyof Sizes): number {
  return models.reduce((sum, { size }) => sum + (size[of] ?? 0), 0);
}
