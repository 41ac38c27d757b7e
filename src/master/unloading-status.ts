/** What is known of unloading: what it brought, why, and what would go next. Times of day are wall-clock ms, the rest base units. */
import type { UnloadPreference } from '../config/schema.js';
import type { PressureLevel } from '../policy/pressure.js';
import type { CycleCause } from '../policy/unload.js';

/** Why a model was unloaded: by a cycle of unloading, for a load that needed its room, since memory ran out, or by somebody's word. */
export type UnloadCause = CycleCause | 'room' | 'emergency' | 'manual';

/** How one unloading came out. Bytes are measured (proportional set size of its processes), null where they could not be. */
export interface UnloadRecord {
  /** `app@version`. */
  model: string;
  cause: UnloadCause;
  /** In the words of the histogram, such as `Memory pressure unloading (high)`. */
  label: string;
  at: number;
  seconds: number;
  beforeBytes: number | null;
  afterBytes: number | null;
  freedBytes: number | null;
  /** Why it counts as failed: its `unload` threw, it had to be killed, or its memory did not come back. Null: it went well. */
  error: string | null;
}

export interface UnloadTotals {
  total: number;
  succeeded: number;
  failed: number;
  freedBytes: number;
  seconds: number;
  lastAt: number | null;
  lastLabel: string | null;
  byLabel: Readonly<Record<string, number>>;
  /** Of the latest that failed. */
  lastError: string | null;
  byCause: Readonly<Record<UnloadCause, number>>;
  /** Loads by a request soon after an unloading that nobody had asked for. */
  regretted: number;
}

/** What collecting the garbage of all workers brought. */
export interface GarbageReport {
  /** Proportional set size of the workers' processes, read before and after. Null where it can't be read. */
  beforeBytes: number | null;
  afterBytes: number | null;
  /** Asked. */
  workers: number;
  /** Of these, those that gave no answer in time. */
  unanswered: number;
  /** When it was done. */
  at: number;
}

export interface PackageStatus {
  model: string;
  version: string;
  /** The model's name, where it has one version only; else `app@version`. */
  key: string;
  loaded: boolean;
  /** Names what rules it: its own strategy, or that of the box. */
  strategy: string;
  /** Only where it has one of its own. */
  ownStrategy: string | null;
  preference: UnloadPreference;
  requires: readonly string[];
  /** Loaded models that need it. */
  neededBy: readonly string[];
  lastUsedAt: number | null;
  idleSeconds: number | null;
  memoryBytes: number | null;
  totals: UnloadTotals;
  /** Place in the order in which models would go now, from 1; null where it would not. */
  rank: number | null;
  /** Why it would not go now. Null where it would, or is not loaded. */
  whyNot: string | null;
  /** Until then it stays, as far as its idle time decides; null: not known, or for ever. */
  goesInSeconds: number | null;
}

export interface UnloadingStatus {
  enabled: boolean;
  checkIntervalSeconds: number;
  /** As configured. */
  strategy: string;
  /** What is followed now: pressure makes it more aggressive. */
  currentStrategy: string;
  /** Names that may be set. */
  strategies: readonly string[];
  pressureThreshold: number;
  maxPerCycle: number;
  minSavingsBytes: number;
  /** Since the master started. */
  observedSeconds: number;
  totals: UnloadTotals;
  packages: readonly PackageStatus[];
  box: { pressure: PressureLevel | null; usedBytes: number | null; limitBytes: number | null };
  /** Loads that were refused or had to wait because what is loaded was pinned or too young, since the master started. */
  refused: { pinned: number; young: number };
}
