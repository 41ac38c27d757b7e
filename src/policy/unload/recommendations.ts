/** What a person should change about unloading, by what it has brought so far. */
import { formatSize } from '../../units.js';

export interface UnloadAdvice {
  type: 'info' | 'warning';
  message: string;
  suggestion: string;
  priority: 'low' | 'medium' | 'high';
  /** What it was concluded from. */
  numbers: Record<string, number | string | null>;
}

export interface UnloadAdviceFacts {
  observedSeconds: number;
  minSavingsBytes: number;
  totals: {
    total: number;
    succeeded: number;
    failed: number;
    freedBytes: number;
    /** Loads by a request soon after an unloading that nobody had asked for. */
    regretted: number;
    byCause: Readonly<Record<UnloadAdviceCause, number>>;
  };
  models: readonly UnloadedModel[];
  box: { usedBytes: number | null; limitBytes: number | null };
  /** Loads that were refused, or waited, because what is loaded was pinned or too young. */
  refused: { pinned: number; young: number };
}

type UnloadAdviceCause = 'pressure' | 'pattern' | 'preference' | 'adaptive' | 'room' | 'emergency' | 'manual';

export interface UnloadedModel {
  name: string;
  loaded: boolean;
  pinned: boolean;
  /** What it takes, or took when it was loaded; null where it was never measured. */
  bytes: number | null;
  /** Since its last request, 0 while there is one; null before the first. */
  unusedSeconds: number | null;
  regretted: number;
  /** Unloadings because it had been idle for long enough. */
  idleUnloads: number;
}

/** From fewer a share says nothing. */
const LEAST_UNLOADS = 5;
const LOW_SUCCESS_RATE = 0.8;
const VERY_LOW_SUCCESS_RATE = 0.5;
/** Of all unloadings that nobody asked for. */
const MANY_REGRETS_SHARE = 0.2;
const MOST_REGRETS_SHARE = 0.5;
/** A model that goes after being idle, and comes back each time, more often than each half hour. */
const FREQUENT_PER_HOUR = 2;
const LEAST_OBSERVED_SECONDS = 300;
/** One request may meet a bad moment. */
const LEAST_REFUSALS = 3;
/** With less for all others, they take turns in what is left. */
const MUCH_PINNED_SHARE = 0.7;
/** What was asked for within that time is in use: less than the shortest strategy keeps it. */
const IN_USE_SECONDS = 300;
const HOUR_SECONDS = 3600;

/** Most urgent first; none when all is well. Nothing is said on missing data. */
export function recommendUnloading(facts: UnloadAdviceFacts): UnloadAdvice[] {
  const order = { high: 0, medium: 1, low: 2 };
  return [successAdvice, savingsAdvice, frequencyAdvice, reloadAdvice, pinAdvice, budgetAdvice]
    .flatMap((about) => about(facts) ?? [])
    .sort((a, b) => order[a.priority] - order[b.priority]);
}

function successAdvice({ totals: { total, failed, succeeded } }: UnloadAdviceFacts): UnloadAdvice | null {
  const rate = succeeded / total;
  if (total < LEAST_UNLOADS || rate >= LOW_SUCCESS_RATE) return null;
  return {
    type: 'warning',
    message: 'Low unload success rate',
    suggestion:
      'Review dependencies and unload order: what a model requires (unload.requires), and whether its unload() ends in time and gives its memory back',
    priority: rate < VERY_LOW_SUCCESS_RATE ? 'high' : 'medium',
    numbers: { unloads: total, failed, success_rate: rounded(rate) },
  };
}

function savingsAdvice({ totals, minSavingsBytes }: UnloadAdviceFacts): UnloadAdvice | null {
  const { succeeded, freedBytes } = totals;
  const meanBytes = freedBytes / succeeded;
  // One that succeeded and freed nothing was not measured: memory that does not come back is a failure.
  if (succeeded < LEAST_UNLOADS || freedBytes === 0 || meanBytes >= minSavingsBytes) return null;
  return {
    type: 'info',
    message: 'Low memory savings',
    suggestion: `Consider raising the minimum savings threshold (unloading.min_savings): an unloading frees ${formatSize(meanBytes)} on average, which is less than a model should save`,
    priority: 'low',
    numbers: {
      unloads: succeeded,
      average_freed_bytes: Math.round(meanBytes),
      min_memory_savings_bytes: minSavingsBytes,
    },
  };
}

/** A first unloading shows nothing but that the model is not always used. */
function frequencyAdvice({ models, observedSeconds }: UnloadAdviceFacts): UnloadAdvice | null {
  const went = models.filter(({ idleUnloads }) => idleUnloads > 0);
  const again = sum(went, ({ idleUnloads }) => idleUnloads - 1);
  const perHour = ((again / went.length) * HOUR_SECONDS) / observedSeconds;
  if (again < LEAST_UNLOADS || observedSeconds < LEAST_OBSERVED_SECONDS || perHour <= FREQUENT_PER_HOUR) return null;
  return {
    type: 'info',
    message: 'High unload frequency detected',
    suggestion: 'Consider using more conservative unloading strategy',
    priority: 'medium',
    numbers: {
      unloads: again + went.length,
      models: went.length,
      again_per_model_and_hour: rounded(perHour),
      observed_seconds: rounded(observedSeconds),
    },
  };
}

function reloadAdvice({ models, totals: { total, regretted, byCause } }: UnloadAdviceFacts): UnloadAdvice | null {
  const automatic = total - byCause.manual;
  const share = regretted / automatic;
  if (automatic < LEAST_UNLOADS || share < MANY_REGRETS_SHARE) return null;
  const forMemory = byCause.pressure + byCause.room + byCause.emergency;
  const [worst] = [...models].sort((a, b) => b.regretted - a.regretted);
  const name = worst && worst.regretted > 0 ? worst.name : null;
  const pin = name === null ? 'pin what must stay' : `pin what must stay (supervisor pin ${name})`;
  return {
    type: 'warning',
    message: 'High reload frequency detected',
    suggestion:
      forMemory * 2 > automatic
        ? `Memory is too short for what is used: raise limits.memory, use fewer or smaller models, or ${pin}`
        : `Keep models for longer: use a more conservative strategy, or ${pin}`,
    priority: share >= MOST_REGRETS_SHARE ? 'high' : 'medium',
    numbers: {
      unloads: automatic,
      for_memory: forMemory,
      reloaded_soon: regretted,
      reload_rate: rounded(share),
      most_often: name,
    },
  };
}

function pinAdvice({ models, box: { limitBytes }, refused }: UnloadAdviceFacts): UnloadAdvice | null {
  const pinned = models.filter((model) => model.pinned && model.loaded);
  const pinnedBytes = sum(pinned, ({ bytes }) => bytes ?? 0);
  const share = limitBytes === null || limitBytes <= 0 ? null : pinnedBytes / limitBytes;
  const refuses = refused.pinned >= LEAST_REFUSALS;
  const starves = share !== null && share >= MUCH_PINNED_SHARE && models.some((model) => !model.pinned);
  if (pinned.length === 0 || !(refuses || starves)) return null;
  const [largest] = [...pinned].sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
  return {
    type: 'warning',
    message: 'Pinned models leave no room for others',
    suggestion: `Unpin what may go (the largest: supervisor unpin ${largest!.name}), or raise limits.memory`,
    priority: refuses ? 'high' : 'medium',
    numbers: {
      refused_loads: refused.pinned,
      pinned_models: pinned.length,
      pinned_bytes: pinnedBytes,
      limit_bytes: limitBytes,
      pinned_share: share === null ? null : rounded(share),
    },
  };
}

/** What is in use at one time does not fit: unloading can only take turns. */
function budgetAdvice({ models, box: { usedBytes, limitBytes }, refused }: UnloadAdviceFacts): UnloadAdvice | null {
  if (usedBytes === null || limitBytes === null) return null;
  const inUse = models.filter(({ unusedSeconds }) => unusedSeconds !== null && unusedSeconds <= IN_USE_SECONDS);
  const modelsBytes = sum(inUse, ({ bytes }) => bytes ?? 0);
  const loadedBytes = sum(models, ({ loaded, bytes }) => (loaded ? (bytes ?? 0) : 0));
  const neededBytes = modelsBytes + Math.max(0, usedBytes - loadedBytes);
  const overflows = inUse.length > 1 && neededBytes > limitBytes;
  if (!overflows && refused.young < LEAST_REFUSALS) return null;
  return {
    type: 'warning',
    message: 'The memory budget is too small for the models in use',
    suggestion: overflows
      ? `Raise limits.memory to ${formatSize(neededBytes)}, or use fewer or smaller models`
      : 'Raise limits.memory, use fewer or smaller models, or lower unloading.min_residency: loads were refused because what is loaded had only just come',
    priority: refused.young >= LEAST_REFUSALS ? 'high' : 'medium',
    numbers: {
      models_in_use: inUse.length,
      needed_bytes: Math.round(neededBytes),
      limit_bytes: limitBytes,
      refused_loads: refused.young,
    },
  };
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
