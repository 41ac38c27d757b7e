/** What unloading has brought and cost, as one figure. */

export interface UnloadOutcome {
  /** Models that there are, loaded or not. */
  models: number;
  /** What one of them takes on average; null where none was measured. */
  meanBytes: number | null;
  /** Unloadings, and how many of them went well. */
  unloads: number;
  succeeded: number;
  freedBytes: number;
  /** How long they took, together. */
  unloadSeconds: number;
  /** Since when all this is counted. */
  observedSeconds: number;
}

/** Shares of 0..1, of which more is better. */
export interface UnloadImpact {
  memoryEfficiency: number;
  timeEfficiency: number;
  successRate: number;
  score: number;
}

const MEMORY_WEIGHT = 0.2;
const TIME_WEIGHT = 0.3;
const SUCCESS_WEIGHT = 0.5;

/**
 * Its formulas are those of docs/http-api.md, "Unloading": with 50 MB freed of 50 models with 2 MB each, 12.5 s of unloading in 417 s, and 23 of
 * 25 that went well they give 0.5, 0.97 and 0.92, and a score of 0.85.
 */
export function unloadImpact(outcome: UnloadOutcome): UnloadImpact {
  const memory = memoryEfficiency(outcome);
  const time = timeEfficiency(outcome);
  const success = successRate(outcome);
  return {
    memoryEfficiency: memory,
    timeEfficiency: time,
    successRate: success,
    score: MEMORY_WEIGHT * memory + TIME_WEIGHT * time + SUCCESS_WEIGHT * success,
  };
}

/** Without an unloading none has failed: a rate of 0 would raise an alarm where nothing has happened. */
export function successRate({ unloads, succeeded }: Pick<UnloadOutcome, 'unloads' | 'succeeded'>): number {
  return unloads > 0 ? within(succeeded / unloads) : 1;
}

/** freed ÷ (mean footprint × models): 1 when as much was freed as all of them take. 0 where their size is not known. */
function memoryEfficiency({ freedBytes, meanBytes, models }: UnloadOutcome): number {
  const allBytes = (meanBytes ?? 0) * models;
  return allBytes > 0 ? within(freedBytes / allBytes) : 0;
}

/** 1 − unload seconds ÷ observed seconds. */
function timeEfficiency({ unloadSeconds, observedSeconds }: UnloadOutcome): number {
  if (observedSeconds > 0) return within(1 - unloadSeconds / observedSeconds);
  return unloadSeconds > 0 ? 0 : 1;
}

function within(share: number): number {
  return Math.min(1, Math.max(0, share));
}
