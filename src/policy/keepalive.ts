import { bestWindow } from './keepalive/best-window.js';
import type { IdleHistory } from './keepalive/idle-history.js';
import type { PressureLevel } from './pressure.js';

export { IdleHistory } from './keepalive/idle-history.js';

export type Strategy = 'aggressive' | 'balanced' | 'conservative';

export interface KeepaliveWindow {
  /** After the last request's end: unload then at the latest. Infinity: never. */
  keepMs: number;
  /** Null: keep from the start; else unload at once and load again after this. */
  prewarmMs: number | null;
  basis: 'learned' | 'seasonal' | 'strategy';
}

export interface KeepaliveFacts {
  loadSeconds: number;
  mib: number;
  price: number;
  fallbackMs: number;
  wallMs: number;
}

const LEAST_SAMPLES = 3;

export function keepaliveWindow(history: IdleHistory, facts: KeepaliveFacts): KeepaliveWindow {
  if (history.samples < LEAST_SAMPLES) return { keepMs: facts.fallbackMs, prewarmMs: null, basis: 'strategy' };
  const { loadSeconds, mib } = facts;
  const perDay = history.perDay(facts.wallMs);
  const price = facts.price * Math.min(10, Math.max(0.1, (perDay / 100) ** Number(process.env.ALPHA ?? 0)));
  const PHI = Number(process.env.PHI ?? 0);
  const st = history.stretches(facts.wallMs);
  if (PHI === 0) return { ...bestWindow(st, history.unseen, loadSeconds * 1000, price * mib), basis: 'learned' };
  let lo = 0,
    hi = 1;
  let best = bestWindow(st, history.unseen, loadSeconds * 1000, (price * mib) / (1 + PHI));
  for (let i = 0; i < 6; i++) {
    const x = (lo + hi) / 2;
    best = bestWindow(st, history.unseen, loadSeconds * 1000, (price * mib) / (1 + PHI * x));
    let out = history.unseen,
      tot = history.unseen;
    for (const { fromMs, toMs, weight } of st) {
      tot += weight;
      if (fromMs >= best.keepMs || (best.prewarmMs !== null && toMs <= best.prewarmMs)) out += weight;
    }
    if (out / tot > x) lo = x;
    else hi = x;
  }
  return { ...best, basis: 'learned' };
}

const PRICES: Record<Strategy, number> = { aggressive: 5e-6, balanced: 2e-6, conservative: 1e-6 };
const PRESSURE: Record<PressureLevel, number> = { low: 1, medium: 2, high: 5, critical: 20 };

export function priceOf(strategy: Strategy, pressure: PressureLevel | null, factor = 1): number {
  return PRICES[strategy] * (pressure === null ? 1 : PRESSURE[pressure]) * factor;
}

export function decideKeepalive(f: {
  state: 'loaded' | 'unloaded';
  idleMs: number;
  window: KeepaliveWindow;
  toZeroAfterMs: number | null;
  ttlMs: number | null;
}) {
  const keep = Math.min(f.toZeroAfterMs ?? f.window.keepMs, f.ttlMs ?? Number.POSITIVE_INFINITY);
  if (f.state === 'loaded' && f.idleMs >= keep)
    return {
      action: 'unload' as const,
      reason: 'idle for long enough',
      numbers: { idle_ms: Math.round(f.idleMs), keep_ms: keep },
    };
  if (f.state === 'unloaded' && f.window.prewarmMs !== null && f.idleMs > f.window.prewarmMs)
    return { action: 'load' as const, reason: 'likely soon', numbers: {} as Record<string, number | string | null> };
  return { action: 'hold' as const, reason: 'in use', numbers: {} as Record<string, number | string | null> };
}
