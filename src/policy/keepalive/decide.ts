import { act, hold, type PolicyDecision } from '../decision.js';
import type { KeepaliveWindow } from './window.js';

export interface KeepaliveState {
  state: 'loaded' | 'unloaded';
  /** Since the end of the last request, or since it was loaded without one. Null: it is at work. */
  idleMs: number | null;
  /** Preference `keep`: no clock rules it. */
  pinned: boolean;
  /** `scale.to_zero_after`. */
  toZeroAfterMs: number | null;
  /** What was learned; null where prediction is off. */
  window: KeepaliveWindow | null;
  /** The strategy's time. */
  fallbackMs: number;
  /** `models.ttl`. */
  ttlMs: number | null;
}

export type KeepaliveClock = 'to_zero_after' | KeepaliveWindow['basis'] | 'ttl';

export interface KeepaliveDecision extends PolicyDecision<'unload' | 'load'> {
  /** Which of them rules; null where none does. */
  clock: KeepaliveClock | null;
  /** Idle for so long, it goes. Infinity: never. */
  keepMs: number;
}

/** Which clock rules a model: `to_zero_after` where it is set, else what was learned, else the strategy's time; `ttl` caps them all. */
export function decideKeepalive(model: KeepaliveState): KeepaliveDecision {
  const ruled = model.pinned ? null : ruling(model);
  return { ...decide(model, ruled), clock: ruled?.clock ?? null, keepMs: ruled?.keepMs ?? Number.POSITIVE_INFINITY };
}

function decide(model: KeepaliveState, ruled: Ruling | null): PolicyDecision<'unload' | 'load'> {
  const { state, idleMs, ttlMs } = model;
  if (ruled === null) return hold('its preference is keep');
  if (idleMs === null) return hold('at work');
  const { clock, keepMs, prewarmMs } = ruled;
  const numbers = {
    clock,
    idle_ms: Math.round(idleMs),
    keep_ms: Number.isFinite(keepMs) ? Math.round(keepMs) : null,
    prewarm_ms: prewarmMs === null ? null : Math.round(prewarmMs),
    ttl_ms: ttlMs,
  };
  const over = idleMs >= keepMs;
  const waiting = prewarmMs !== null && idleMs < prewarmMs;
  if (state === 'unloaded')
    return prewarmMs === null || over || waiting
      ? hold('unloaded until it is called', numbers)
      : act('load', 'its next request is due', numbers);
  if (over) return act('unload', OVER[clock], numbers);
  return waiting ? act('unload', 'its next request is not due for a while', numbers) : hold('kept warm', numbers);
}

const OVER: Record<KeepaliveClock, string> = {
  to_zero_after: 'idle for to_zero_after',
  ttl: 'idle for models.ttl',
  learned: 'idle for longer than its requests so far make worth while',
  seasonal: 'idle for longer than its requests at this time of day make worth while',
  strategy: "idle for its strategy's time",
};

interface Ruling {
  clock: KeepaliveClock;
  keepMs: number;
  prewarmMs: number | null;
}

function ruling(model: KeepaliveState): Ruling {
  const { toZeroAfterMs, window, fallbackMs, ttlMs } = model;
  const own =
    toZeroAfterMs !== null
      ? { clock: 'to_zero_after' as const, keepMs: toZeroAfterMs, prewarmMs: null }
      : window === null
        ? { clock: 'strategy' as const, keepMs: fallbackMs, prewarmMs: null }
        : { clock: window.basis, keepMs: window.keepMs, prewarmMs: window.prewarmMs };
  if (ttlMs === null || ttlMs >= own.keepMs) return own;
  // Where the next request is due only after it, nothing is loaded for it: `waiting` holds until then.
  return { ...own, clock: 'ttl', keepMs: ttlMs };
}
