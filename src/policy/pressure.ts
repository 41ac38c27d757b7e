import { act, hold, type PolicyDecision } from './decision.js';

export type PressureLevel = 'low' | 'medium' | 'high' | 'critical';

/** All are shares of the memory limit, ascending. */
export interface PressureThresholds {
  medium: number;
  high: number;
  critical: number;
}

export interface PressureDecision extends PolicyDecision<'raise' | 'lower'> {
  /** What it is from now on. Null memory changes nothing. */
  level: PressureLevel;
}

/** So far below the threshold of a level memory must be before the level ends: noise smaller than this never flaps. */
export const HYSTERESIS_SHARE = 0.02;
/** Shares are quotients: 0.70 − 0.02 is a little less than 0.68. */
const ROUNDING = 1e-9;

const ASCENDING = ['low', 'medium', 'high', 'critical'] as const;

/**
 * The level of memory pressure. It rises at once when memory reaches a threshold, and falls only once it is 2 points below it; a
 * fall may go several levels down.
 * @param share of the memory limit that is used, may be above 1; null: not known
 */
export function decidePressure(
  share: number | null,
  level: PressureLevel,
  thresholds: PressureThresholds,
): PressureDecision {
  if (share === null) return { ...hold('it is not known how much memory is used'), level };
  const begins: Record<PressureLevel, number> = { low: Number.NEGATIVE_INFINITY, ...thresholds };
  const reached = ASCENDING.findLast((candidate) => share >= begins[candidate] - ROUNDING) as PressureLevel;
  const numbers = { share: rounded(share), level: reached, before: level };
  if (ASCENDING.indexOf(reached) > ASCENDING.indexOf(level)) {
    const threshold = begins[reached];
    const reason = `memory is at ${percent(share)} of its limit: ${reached} from ${percent(threshold)}`;
    return { ...act('raise', reason, { ...numbers, threshold: rounded(threshold) }), level: reached };
  }
  const kept = ASCENDING.slice(0, ASCENDING.indexOf(level) + 1).findLast(
    (candidate) => share > begins[candidate] - HYSTERESIS_SHARE + ROUNDING,
  ) as PressureLevel;
  if (kept === level) return { ...hold(`memory pressure stays ${level}`), level };
  const threshold = begins[level];
  const reason = `memory fell to ${percent(share)} of its limit: ${level} ends 2 points below ${percent(threshold)}`;
  return { ...act('lower', reason, { ...numbers, level: kept, threshold: rounded(threshold) }), level: kept };
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

function rounded(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}
