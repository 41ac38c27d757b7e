import { type Contender, ceil, clamp, type Limits, type RuleFacts } from './rule.js';

const SYNC_MS = 15_000;
const TARGET = 0.7;
const TOLERANCE = 0.1;
const DOWN_STABILISATION_MS = 300_000;
/** At most so many more in one period, whichever is larger. */
const UP_FACTOR = 2;
const UP_WORKERS = 4;

/**
 * Kubernetes' HorizontalPodAutoscaler on utilisation, with its defaults: desired = ceil(current × metric ÷ target), nothing within the
 * tolerance, those not ready count as idle where it grows, the highest recommendation of the last 5 min where it shrinks.
 * Source: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ ("Algorithm details", "Default behavior").
 */
export function hpa(limits: Limits): Contender {
  return { name: 'hpa', first: limits.min, create: () => rule(limits) };
}

function rule(limits: Limits) {
  let syncedAt = 0;
  let workedMs = 0;
  let readyMs = 0;
  let recommended: { at: number; size: number }[] = [];
  return ({ now, desired, tick }: RuleFacts) => {
    const { ready, booting } = tick;
    workedMs += tick.workedMs;
    readyMs += tick.readyMs;
    if (now - syncedAt < SYNC_MS || readyMs === 0) return desired;
    syncedAt = now;
    const utilisation = workedMs / readyMs;
    workedMs = 0;
    readyMs = 0;

    const ratio = utilisation / TARGET;
    let size = desired;
    if (Math.abs(ratio - 1) > TOLERANCE) {
      size = ceil(ratio * ready);
      if (ratio > 1 && booting > 0) {
        const conservative = (ratio * ready) / (ready + booting);
        size = conservative <= 1 + TOLERANCE ? desired : ceil(conservative * (ready + booting));
      }
    }
    recommended = [...recommended.filter(({ at }) => now - at < DOWN_STABILISATION_MS), { at: now, size }];
    const stable = size < desired ? Math.min(desired, Math.max(...recommended.map((r) => r.size))) : size;
    return clamp(Math.min(stable, Math.max(desired * UP_FACTOR, desired + UP_WORKERS)), limits);
  };
}
