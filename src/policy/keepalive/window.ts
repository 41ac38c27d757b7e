import { bestWindow } from './best-window.js';
import type { IdleHistory } from './idle-history.js';
import { coldStartWeight } from './price.js';

export interface KeepaliveWindow {
  /** Idle for so long, it is unloaded. Infinity: never. */
  keepMs: number;
  /** Null: kept from the start; else unloaded at once, and loaded again after this. */
  prewarmMs: number | null;
  /** How it was found: from idle times, from idle times and the time of day, or not yet. */
  basis: 'learned' | 'seasonal' | 'strategy';
}

export interface KeepaliveFacts {
  loadSeconds: number;
  mib: number;
  /** Of memory, see priceOf. */
  price: number;
  /** The strategy's time, where too little is known. */
  fallbackMs: number;
  /** When the last request ended. */
  wallMs: number;
  /** `models.predictive.horizon`: so far ahead of the first request expected a model is loaded at most. */
  horizonMs?: number;
}

const LEAST_SAMPLES = 3;
/** A model known for less than so many times the strategy's time has had no chance to show a gap as long as that: what it showed are bursts. */
const LEAST_KNOWN = 4;
const DEFAULT_HORIZON_MS = 1_800_000;
/** Loads take longer at times, and whoever looks at the clock does so once a second. */
const LEAD_SHARE = 1.2;
const LEAD_MS = 2000;

/** The window after a model's last request in which it is worth its memory. */
export function keepaliveWindow(history: IdleHistory, facts: KeepaliveFacts): KeepaliveWindow {
  const { loadSeconds, mib, price, fallbackMs, wallMs, horizonMs = DEFAULT_HORIZON_MS } = facts;
  const isNew = history.samples < LEAST_SAMPLES || history.knownMs(wallMs) < LEAST_KNOWN * fallbackMs;
  if (isNew) return { keepMs: fallbackMs, prewarmMs: null, basis: 'strategy' };
  const { stretches, unseen, basis } = history.forecast(wallMs);
  const coldMs = loadSeconds * 1000 * coldStartWeight(history.callsPerDay(wallMs) ?? 0);
  const leadMs = Math.min(horizonMs, leadMsOf(loadSeconds));
  return { ...bestWindow(stretches, unseen, coldMs, leadMs, price * mib), basis };
}

/** How long before a request a load has to begin. */
export function leadMsOf(loadSeconds: number): number {
  return loadSeconds * 1000 * LEAD_SHARE + LEAD_MS;
}
