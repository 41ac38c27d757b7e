/** Bytes of main memory and of GPU memory; null: not known. */
export interface Sizes {
  bytes: number | null;
  gpuBytes: number | null;
}

/** What somebody needs beyond what is there: models that have to go by `max_loaded`, and bytes. */
export interface Lack {
  places: number;
  bytes: number;
  gpuBytes: number;
}

/** A model that may go. */
export interface Victim {
  name: string;
  size: Sizes;
  /** What is lost by unloading it, see keep-value.ts. */
  keepValue: number;
  /** Was loaded on the chance of being used, and has not been: goes before all others. */
  standby: boolean;
}

/** The least valuable of these that together make up for it; null where all of them don't. */
export function leastThatMakeUp<Model extends Victim>(lack: Lack, candidates: readonly Model[]): Model[] | null {
  const makeUp = (chosen: readonly Model[]) =>
    chosen.length >= lack.places && sumOf(chosen, 'bytes') >= lack.bytes && sumOf(chosen, 'gpuBytes') >= lack.gpuBytes;
  let chosen: Model[] = [];
  for (const candidate of [...candidates].sort(leastFirst)) {
    if (makeUp(chosen)) break;
    chosen.push(candidate);
  }
  if (!makeUp(chosen)) return null;
  // One that came late may be needless, or have made others so: what is worth most stays first.
  for (const one of [...chosen].reverse()) {
    const rest = chosen.filter((other) => other !== one);
    if (makeUp(rest)) chosen = rest;
  }
  return chosen;
}

function leastFirst(a: Victim, b: Victim): number {
  return Number(b.standby) - Number(a.standby) || a.keepValue - b.keepValue || (a.name < b.name ? -1 : 1);
}

function sumOf(models: readonly Victim[], of: keyof Sizes): number {
  return models.reduce((sum, { size }) => sum + (size[of] ?? 0), 0);
}
