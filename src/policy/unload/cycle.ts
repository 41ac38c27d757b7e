/** When models may go: a cycle each `check_interval` at most, and so many in each. */
export interface CycleRules {
  checkIntervalMs: number;
  maxPerCycle: number;
}

/** The latest cycle. */
export interface Cycle {
  /** When it let its first model go; monotonic ms. */
  beganAt: number;
  /** How many it has let go. */
  gone: number;
}

/**
 * How many may go now. A cycle begins with the first that is due, once the last one began `check_interval` ago; where memory is urgent, as
 * soon as what went in the last one was measured.
 * @param last null: there was none
 * @param urgent memory is at `pressure_threshold`, or critical
 * @param settled what went is measured
 */
export function roomInCycle(
  last: Cycle | null,
  rules: CycleRules,
  urgent: boolean,
  settled: boolean,
  now: number,
): number {
  if (last === null || isOver(last, rules, urgent, settled, now)) return rules.maxPerCycle;
  return Math.max(0, rules.maxPerCycle - last.gone);
}

/** The latest cycle after so many more went. */
export function afterGoing(
  last: Cycle | null,
  went: number,
  rules: CycleRules,
  urgent: boolean,
  settled: boolean,
  now: number,
): Cycle | null {
  if (went === 0) return last;
  if (last === null || isOver(last, rules, urgent, settled, now)) return { beganAt: now, gone: went };
  return { ...last, gone: last.gone + went };
}

function isOver(
  { beganAt, gone }: Cycle,
  { checkIntervalMs, maxPerCycle }: CycleRules,
  urgent: boolean,
  settled: boolean,
  now: number,
): boolean {
  return now - beganAt >= checkIntervalMs || (urgent && settled && gone >= maxPerCycle);
}
