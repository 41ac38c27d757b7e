import type { Model } from './model.js';

/** Uses beyond this are not foreseen when it is weighed who goes. */
const NEXT_USE_MS = 15 * 60_000;
/** What a load is taken to cost of which none was seen yet. */
const UNKNOWN_LOAD_SECONDS = 1;
const MIB = 1024 ** 2;

/** What is lost by unloading it: chance of use soon × load seconds ÷ MiB. */
export function keepValue(model: Model, now: number, wall: number): number {
  const idleMs = model.unusedMs(now);
  const chance = idleMs === null ? 0 : model.history.nextUseWithin(NEXT_USE_MS, idleMs, wall);
  return (chance * (model.loadSeconds ?? UNKNOWN_LOAD_SECONDS)) / Math.max(1, (model.size.bytes ?? 0) / MIB);
}
