import { beforeAll, describe, expect, it } from 'vitest';
import { ClosedLoop } from '../../bench/sim/arrivals.js';
import { dominates, fixedSizes } from '../../bench/sim/compare.js';
import { type Job, RULES, type RuleName, runJob } from '../../bench/sim/job.js';
import { SimPool } from '../../bench/sim/pool.js';
import { DEFAULTS } from '../../bench/sim/rules/ours.js';
import type { Outcome } from '../../bench/sim/run.js';
import { COMPARED } from '../../bench/sim/workloads.js';
import { Scaler } from '../../src/policy/scale.js';

/** As `npm run bench -- scale-sim`, but with less time, so that more is left to chance, and another seed. */
const job: Omit<Job, 'arrivals' | 'contenders'> = {
  serviceMs: 100,
  seed: 11,
  warmUpMs: 600_000,
  box: { deadlineMs: 1000, bootMs: 3000, cores: null, memory: null },
  limits: { min: 1, max: 16 },
};
const arrivals = (workload: string) => ({ workload, seconds: 2 * 3600 });

describe.each(COMPARED)('%s, two virtual hours', (workload) => {
  const rules = new Map<RuleName, Outcome>();
  let best: Outcome;
  const ours = () => rules.get('ours')!;
  beforeAll(async () => {
    const race = (contenders: Job['contenders']) => runJob({ ...job, arrivals: arrivals(workload), contenders });
    for (const [i, outcome] of race([...RULES]).entries()) rules.set(RULES[i]!, outcome);
    ({ best } = await fixedSizes(16, true, async (sizes) => race(sizes)));
  });

  it('answers as much in time as the best fixed size, for less', () => {
    const most = { step: 0.95, ramp: 0.95, diurnal: 0.95, bursty: 0.75, flat: 1.2, sawtooth: 1.2 }[workload];
    expect(ours().goodput).toBeGreaterThanOrEqual((workload === 'bursty' ? 0.975 : 0.99) * best.goodput);
    expect(ours().worker_seconds).toBeLessThanOrEqual(most * best.worker_seconds);
    expect(ours().resizes_per_hour).toBeLessThanOrEqual(50);
  });

  it('is dominated by none of the published rules', () => {
    for (const rule of RULES) if (rule !== 'ours') expect(dominates(rules.get(rule)!, ours())).toBe(false);
    if (workload !== 'bursty') expect(dominates(ours(), rules.get('hpa')!)).toBe(true);
  });
});

describe('on a box that is full', () => {
  it('never takes more memory than there is', () => {
    const box = { ...job.box, memory: { limitMib: 2048, workerMib: 256 } };
    const [outcome] = runJob({ ...job, box, arrivals: arrivals('memory-bound'), contenders: ['ours'] });
    // 85 % is critical: six workers of 256 MiB are 75 %.
    expect(outcome!.peak_workers).toBe(6);
  });

  it('takes few more workers than cores, where they are what limits', () => {
    const box = { ...job.box, cores: 2 };
    const [outcome] = runJob({
      ...job,
      box,
      limits: { min: 1, max: 8 },
      arrivals: arrivals('cpu-bound'),
      contenders: ['ours'],
    });
    expect(outcome!.p95_workers).toBeLessThanOrEqual(3);
  });

  it.each([1, 8])('settles at two or three on two cores under 32 clients that never pause, from %i', (first) => {
    const clients = new ClosedLoop(20, 5);
    const pool = new SimPool({ deadlineMs: 30_000, bootMs: 500, cores: 2 }, clients, first);
    const scaler = new Scaler({ ...DEFAULTS, min: 1, max: 8 });
    const sizes: number[] = [];
    let desired = first;
    const play = (count: number, seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        clients.setClients(count, pool.now);
        const tick = pool.advance(pool.now + 1000);
        const facts = { ...tick, desired, concurrency: 1, deadlineMs: 30_000, bootMs: 500 };
        desired = scaler.decide(
          { ...facts, memoryRoom: null, pressure: 'low', overFairShare: false },
          pool.now,
        ).desired;
        pool.resize(desired);
        sizes.push(desired);
      }
    };
    play(1, 60);
    const before = sizes.at(-1)!;
    expect(before).toBeLessThanOrEqual(2);
    play(32, 90);
    expect(Math.max(...sizes.slice(75))).toBeLessThanOrEqual(3);
    expect(Math.min(...sizes.slice(75))).toBeGreaterThanOrEqual(2);
    play(1, 120);
    expect(sizes.at(-1)).toBeLessThanOrEqual(2);
  });
});
