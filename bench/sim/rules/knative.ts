import { type Contender, ceil, clamp, type Limits, type RuleFacts } from './rule.js';

const TICK_MS = 2000;
const STABLE_MS = 60_000;
const PANIC_MS = 6000;
const PANIC_THRESHOLD = 2;
const MAX_UP = 1000;
const MAX_DOWN = 2;
/** 70 % of a concurrency of 1. */
const TARGET = 0.7;

/**
 * Knative's pod autoscaler with its defaults, on concurrency (in flight and queued): the stable window's mean ÷ target; panic when the
 * 6 s window asks for twice of what is ready: then only up, until it has been calm for the stable window. It has no delay before it shrinks.
 * Sources: https://knative.dev/docs/serving/autoscaling/kpa-specific/ and the algorithm in knative/serving, pkg/autoscaler/scaling/autoscaler.go.
 */
export function knative(limits: Limits): Contender {
  return { name: 'knative', first: limits.min, create: () => rule(limits) };
}

function rule(limits: Limits) {
  const seconds: { at: number; concurrency: number }[] = [];
  let tickedAt = 0;
  let panicAt: number | null = null;
  let panicSize = 0;
  const mean = (now: number, windowMs: number) => {
    const within = seconds.filter(({ at }) => now - at < windowMs);
    return within.reduce((sum, { concurrency }) => sum + concurrency, 0) / Math.max(1, within.length);
  };
  return ({ now, desired, tick }: RuleFacts) => {
    seconds.push({ at: now, concurrency: tick.inSystem });
    while (now - seconds[0]!.at >= STABLE_MS) seconds.shift();
    if (now - tickedAt < TICK_MS) return desired;
    tickedAt = now;

    const ready = Math.max(1, tick.ready);
    const bounded = (size: number) => Math.min(Math.max(size, Math.floor(ready / MAX_DOWN)), ceil(ready * MAX_UP));
    const stable = bounded(ceil(mean(now, STABLE_MS) / TARGET));
    const wantedInPanic = ceil(mean(now, PANIC_MS) / TARGET);
    if (wantedInPanic / ready >= PANIC_THRESHOLD) panicAt = now;
    else if (panicAt !== null && now - panicAt > STABLE_MS) {
      panicAt = null;
      panicSize = 0;
    }
    if (panicAt === null) return clamp(stable, limits);
    panicSize = Math.max(panicSize, stable, bounded(wantedInPanic));
    return clamp(panicSize, limits);
  };
}
