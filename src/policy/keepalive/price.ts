import type { PressureLevel } from '../pressure.js';

/** How willingly idle models are unloaded. */
export type Strategy = 'aggressive' | 'balanced' | 'conservative';

/**
 * Seconds of cold start that 1 MiB may cost, for each second that it lies idle. Calibrated on the synthetic trace of `bench -- keepalive-sim`:
 * the models together waste about what they would with a fixed time of 5, 15 and 30 min.
 */
const PRICE: Record<Strategy, number> = { aggressive: 8.7e-6, balanced: 4.5e-6, conservative: 3.4e-6 };
/** Memory that others wait for is worth more. */
const PRESSURE: Record<PressureLevel, number> = { low: 1, medium: 2, high: 4, critical: 16 };

/**
 * The price of memory, one for the box: cold seconds per MiB and second.
 * @param pressure null: not known, taken for low
 * @param adaptive what the box has learned, 1 to begin with
 */
export function priceOf(strategy: Strategy, pressure: PressureLevel | null, adaptive = 1): number {
  return PRICE[strategy] * PRESSURE[pressure ?? 'low'] * adaptive;
}

/** A model of so many calls a day pays the price as it is. */
const USUAL_PER_DAY = 100;
/**
 * 0: each call counts alike, and models that are called less than once an hour are cold nearly always; 1: each model counts alike, and busy ones
 * are unloaded for them.
 */
const FAIRNESS = 0.7;
const LEAST_WEIGHT = 0.5;
const MOST_WEIGHT = 5;

/** How much a cold start of a model weighs: the more, the rarer it is called. */
export function coldStartWeight(callsPerDay: number): number {
  return Math.min(MOST_WEIGHT, Math.max(LEAST_WEIGHT, (USUAL_PER_DAY / callsPerDay) ** FAIRNESS));
}
