/** Who would have to go for a load: the least valuable first, and nobody before those that cannot do without it. */

/** Bytes of main memory and of GPU memory; null: not known. */
export interface Sizes {
  bytes: number | null;
  gpuBytes: number | null;
}

/** A model that is loaded, or loads. */
export interface LoadedModel {
  name: string;
  size: Sizes;
  /** `max_loaded` counts it. Others are always loaded: by their configuration, or at an operator's word. */
  onDemand: boolean;
  /** Pinned: a user wants it to stay. */
  kept: boolean;
  /** A user wants it to go first. */
  evict: boolean;
  /** Nothing queued or in flight, and neither loading nor about to be needed. */
  idle: boolean;
  /** What is lost by unloading it: chance of use × load seconds ÷ MiB. */
  keepValue: number;
  /** Was loaded on the chance of being used, and has not been. */
  standby: boolean;
  /** Until it has been loaded for long enough; 0: it has. */
  youngForMs: number;
  /** What is to load cannot do without it. */
  required: boolean;
  /** Names of loaded models that cannot do without it, directly or not. */
  neededBy: readonly string[];
  /** One that could not do without it has not ended yet. */
  follows: boolean;
}

/** What a load needs beyond what is there: models that have to go by `max_loaded`, and bytes. */
export interface Lack {
  places: number;
  bytes: number;
  gpuBytes: number;
}

export interface TooYoung {
  /** The one that is old enough last. */
  victim: string;
  /** Until it is. */
  waitMs: number;
}

/** Whether it may ever go for what is to load. */
export function mayGo({ onDemand, kept, required }: LoadedModel): boolean {
  return onDemand && !kept && !required;
}

/** The least valuable of these that together make up for it, in the order in which they go; null where all of them don't. */
export function leastThatMakeUp(lack: Lack, candidates: readonly LoadedModel[]): LoadedModel[] | null {
  const left = [...candidates].sort(leastFirst);
  let chosen: LoadedModel[] = [];
  while (!makeUp(lack, chosen)) {
    const names = chosen.map(({ name }) => name);
    const next = left.findIndex(({ neededBy }) => neededBy.every((name) => names.includes(name)));
    if (next === -1) return null;
    chosen.push(...left.splice(next, 1));
  }
  // One that came late may be needless, or have made others so: what is worth most stays first.
  for (const one of [...chosen].reverse()) {
    const rest = chosen.filter((other) => other !== one);
    if (makeUp(lack, rest) && !rest.some(({ neededBy }) => neededBy.includes(one.name))) chosen = rest;
  }
  return chosen;
}

/** When those that have to stay for a while could make up for it; null where they never do. */
export function youngestThatMakeUp(lack: Lack, candidates: readonly LoadedModel[]): TooYoung | null {
  const byName = new Map(candidates.map((candidate) => [candidate.name, candidate]));
  // It goes after those that need it, so it is not old enough before they are.
  const waitMs = ({ youngForMs, neededBy }: LoadedModel) =>
    Math.max(youngForMs, ...neededBy.map((name) => byName.get(name)?.youngForMs ?? Number.POSITIVE_INFINITY));
  const waits = [...new Set(candidates.map(waitMs))].filter(Number.isFinite).sort((a, b) => a - b);
  for (const wait of waits) {
    const old = candidates.filter((candidate) => waitMs(candidate) <= wait);
    if (!makeUp(lack, old)) continue;
    const last = leastThatMakeUp(lack, old)?.find(({ youngForMs }) => youngForMs === wait);
    return last ? { victim: last.name, waitMs: wait } : null;
  }
  return null;
}

function makeUp({ places, bytes, gpuBytes }: Lack, chosen: readonly LoadedModel[]): boolean {
  return chosen.length >= places && sumOf(chosen, 'bytes') >= bytes && sumOf(chosen, 'gpuBytes') >= gpuBytes;
}

function leastFirst(a: LoadedModel, b: LoadedModel): number {
  return (
    Number(b.standby) - Number(a.standby) ||
    Number(b.evict) - Number(a.evict) ||
    a.keepValue - b.keepValue ||
    (a.name < b.name ? -1 : 1)
  );
}

function sumOf(models: readonly LoadedModel[], of: keyof Sizes): number {
  return models.reduce((sum, { size }) => sum + (size[of] ?? 0), 0);
}
