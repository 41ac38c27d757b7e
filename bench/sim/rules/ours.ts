import type { PressureLevel } from '../../../src/policy/pressure.js';
import { type ScaleLimits, Scaler } from '../../../src/policy/scale.js';
import type { Contender, Limits } from './rule.js';

/** As in the configuration's defaults. */
export const DEFAULTS: Omit<ScaleLimits, 'min' | 'max'> = {
  headroom: 1.2,
  target: null,
  upWindowMs: 5000,
  upCooldownMs: 10_000,
  downWindowMs: 120_000,
};

export function ours(limits: Limits, overrides: Partial<ScaleLimits> = {}): Contender {
  return {
    name: 'ours',
    first: limits.min,
    create: () => {
      const scaler = new Scaler({ ...limits, ...DEFAULTS, ...overrides });
      return (facts) =>
        scaler.decide(
          {
            arrivals: facts.tick.arrivals,
            completed: facts.tick.completed,
            busyMs: facts.tick.busyMs,
            queued: facts.tick.queued,
            inFlight: facts.tick.inFlight,
            ready: facts.tick.ready,
            booting: facts.tick.booting,
            desired: facts.desired,
            idle: facts.tick.idle,
            concurrency: 1,
            deadlineMs: facts.deadlineMs,
            bootMs: facts.bootMs,
            memoryRoom: facts.memoryRoom,
            countsQueue: true,
            cpuShare: facts.tick.cpuShare,
            cores: facts.cores,
            cpuWait: facts.tick.cpuWait,
            pressure: pressureOf(facts.memoryShare),
            overFairShare: false,
          },
          facts.now,
        ).desired;
    },
  };
}

function pressureOf(share: number | null): PressureLevel | null {
  if (share === null) return null;
  if (share >= 0.85) return 'critical';
  if (share >= 0.7) return 'high';
  return share >= 0.5 ? 'medium' : 'low';
}
