import { describe, expect, it } from 'vitest';
import { ChunkedRequests, ClosedLoop, poissonChunks } from '../../bench/sim/arrivals.js';
import { dominates, fixedSizes } from '../../bench/sim/compare.js';
import { runJob } from '../../bench/sim/job.js';
import { type PoolSettings, SimPool } from '../../bench/sim/pool.js';
import { hpa } from '../../bench/sim/rules/hpa.js';
import { knative } from '../../bench/sim/rules/knative.js';
import type { Contender, RuleFacts } from '../../bench/sim/rules/rule.js';
import { uwsgi } from '../../bench/sim/rules/uwsgi.js';
import type { Outcome } from '../../bench/sim/run.js';

const settings: PoolSettings = { deadlineMs: 1000, bootMs: 3000, cores: null };

/** Requests at given times, each with its service time. */
function requests(list: [at: number, serviceMs: number][]): ChunkedRequests {
  const source = new ChunkedRequests();
  const at = Float64Array.from(list, ([ms]) => ms);
  const serviceMs = Float64Array.from(list, ([, ms]) => ms);
  source.load({ untilMs: Number.POSITIVE_INFINITY, at, serviceMs });
  return source;
}

describe('SimPool', () => {
  it('serves first come first served, and gives up at the deadline', () => {
    const pool = new SimPool(
      settings,
      requests([
        [0, 600],
        [100, 600],
        [150, 600],
        [2000, 100],
      ]),
      1,
    );
    const tick = pool.advance(1000);
    expect(tick).toMatchObject({
      arrivals: 3,
      completed: 1,
      queued: 1,
      inFlight: 1,
      idle: 0,
      busyMs: 600,
      workedMs: 1000,
    });
    expect(tick.inSystem).toBeCloseTo((1000 + 500 + 850) / 1000, 6);
    // The second ends late, the third has left when it could begin.
    expect(pool.advance(3000)).toMatchObject({ arrivals: 1, completed: 2, queued: 0, idle: 1 });
    expect(pool.arrivals).toBe(4);
    expect(pool.good).toBe(2);
  });

  it('lets new workers boot and old ones finish; both cost', () => {
    const pool = new SimPool(
      settings,
      requests([
        [0, 1500],
        [100, 500],
      ]),
      2,
    );
    pool.advance(200);
    pool.resize(1);
    expect(pool.size).toBe(1);
    expect(pool.workers).toBe(2);
    pool.advance(1000);
    expect(pool.workers).toBe(1);
    pool.resize(2);
    expect(pool.advance(3999)).toMatchObject({ ready: 1, booting: 1 });
    expect(pool.advance(4001)).toMatchObject({ ready: 2, booting: 0 });
    // Either of the two busy ones may have been chosen: the second worker was there until its own request ended.
    expect([600 + 4001 + 3001, 1500 + 4001 + 2501]).toContain(Math.round(pool.workerMs));
  });

  it('shares the cores that there are', () => {
    const pool = new SimPool(
      { ...settings, cores: 2 },
      requests([
        [0, 300],
        [0, 300],
        [0, 300],
        [0, 600],
      ]),
      4,
    );
    const tick = pool.advance(1000);
    // Four at half the speed until 600 ms; then one alone, with 300 ms of its work done.
    expect(tick).toMatchObject({ completed: 4, inFlight: 0, busyMs: 3 * 600 + 900 });
    expect(tick.cpuShare).toBeCloseTo((2 * 600 + 300) / 2000, 9);
    expect(tick.cpuWait).toBeCloseTo(0.6, 9);
  });

  it('agrees with the recursion of Kiefer and Wolfowitz on who waits how long', () => {
    const [chunk] = [...poissonChunks(() => 5.5, 100, 300_000, 3)];
    const source = new ChunkedRequests();
    source.load(chunk!);
    const pool = new SimPool({ ...settings, deadlineMs: 60_000 }, source, 6);
    let completed = 0;
    let workedMs = 0;
    for (let now = 1000; now <= 400_000; now += 1000) {
      const tick = pool.advance(now);
      completed += tick.completed;
      workedMs += tick.workedMs;
    }
    const free = [0, 0, 0, 0, 0, 0];
    const latencies = [...chunk!.at].map((at, i) => {
      free.sort((a, b) => a - b);
      free[0] = Math.max(free[0]!, at) + chunk!.serviceMs[i]!;
      return free[0] - at;
    });
    const found: number[] = [];
    for (const [ms, count] of pool.latencies.entries()) for (let i = 0; i < count; i++) found.push(ms);
    expect(completed).toBe(latencies.length);
    expect(workedMs).toBeCloseTo(
      chunk!.serviceMs.reduce((sum, ms) => sum + ms, 0),
      3,
    );
    expect(found).toEqual(latencies.map((ms) => Math.floor(ms + 0.5)).sort((a, b) => a - b));
  });

  it('gives each client of a closed loop one request at a time', () => {
    const clients = new ClosedLoop(50, 1);
    const pool = new SimPool({ ...settings, deadlineMs: 60_000 }, clients, 2);
    clients.setClients(5, 0);
    expect(pool.advance(5000)).toMatchObject({ queued: 3, inFlight: 2 });
    clients.setClients(1, 5000);
    expect(pool.advance(10_000)).toMatchObject({ queued: 0, inFlight: 1 });
  });
});

describe('poissonChunks', () => {
  it('makes as many requests as the load says, the same for the same seed', () => {
    const count = (seed: number) =>
      [...poissonChunks((s) => (s < 1800 ? 2 : 6), 100, 3_600_000, seed)].reduce((sum, { at }) => sum + at.length, 0);
    expect(count(1)).toBe(count(1));
    expect(count(1)).not.toBe(count(2));
    const expected = 1800 * 20 + 1800 * 60;
    expect(Math.abs(count(1) - expected)).toBeLessThan(4 * Math.sqrt(expected));
  });
});

/** What a rule asks for, second by second, with the size it asked for ready at once. */
function sizes(contender: Contender, load: (second: number) => Partial<RuleFacts['tick']>, seconds: number): number[] {
  const rule = contender.create();
  const found: number[] = [];
  let desired = contender.first;
  for (let second = 1; second <= seconds; second++) {
    const tick = {
      arrivals: 0,
      completed: 0,
      busyMs: 0,
      workedMs: 0,
      readyMs: desired * 1000,
      inSystem: 0,
      queued: 0,
      inFlight: 0,
      ready: desired,
      booting: 0,
      idle: 0,
      cpuShare: null,
      cpuWait: null,
      ...load(second),
    };
    const facts = {
      tick,
      now: second * 1000,
      desired,
      deadlineMs: 1000,
      cores: null,
      bootMs: null,
      memoryRoom: null,
      memoryShare: null,
    };
    desired = rule(facts);
    found.push(desired);
  }
  return found;
}

describe('published rules', () => {
  const limits = { min: 1, max: 16 };

  it('HPA: ceil(current × utilisation ÷ 70 %) every 15 s, at most double or 4 more, down after 5 min', () => {
    const found = sizes(hpa(limits), (s) => ({ workedMs: s <= 60 ? 5600 : 700 }), 500);
    // 5.6 of 1 ready: 560 % ÷ 70 % = 8, but no more than 1 + 4 at first.
    expect(found.slice(0, 14)).toEqual(Array(14).fill(1));
    expect(found[14]).toBe(5);
    expect(found[29]).toBe(8);
    expect(found[300]).toBe(8);
    expect(found[400]).toBe(1);
  });

  it('Knative: ceil(mean concurrency of 60 s ÷ 0.7), panics at twice what is ready, and then does not shrink for 60 s', () => {
    const steady = sizes(knative(limits), () => ({ inSystem: 3.5 }), 70);
    expect(steady.at(-1)).toBe(5);
    const burst = sizes(knative(limits), (s) => ({ inSystem: s > 100 && s <= 110 ? 7 : 0.5 }), 300);
    expect(burst[99]).toBe(1);
    expect(Math.max(...burst)).toBe(10);
    expect(burst[150]).toBe(10);
    expect(burst[200]).toBeLessThan(10);
    expect(burst[299]).toBe(1);
  });

  it('uWSGI: one more above 50 % in each cycle, one less after ten cycles below 25 %, at once above 33 in the queue', () => {
    const grown = sizes(uwsgi(limits), () => ({ workedMs: 2100 }), 60);
    expect(grown.slice(0, 6)).toEqual([1, 1, 2, 2, 2, 3]);
    // 2.1 of 5 is 42 %: between the limits.
    expect(grown.at(-1)).toBe(5);
    const shrunk = sizes({ ...uwsgi(limits), first: 8 }, () => ({ workedMs: 1000 }), 200);
    expect(shrunk[27]).toBe(8);
    expect(shrunk[31]).toBe(7);
    // 1 of 4 is 25 %: no longer below.
    expect(shrunk.at(-1)).toBe(4);
    expect(sizes(uwsgi(limits), () => ({ queued: 34 }), 2)).toEqual([2, 3]);
  });
});

describe('comparison', () => {
  const outcome = (goodput: number, worker_seconds: number): Outcome => ({
    goodput,
    worker_seconds,
    resizes: 0,
    resizes_per_hour: 0,
    p99_ms: null,
    peak_workers: 1,
    p95_workers: 1,
  });

  it('dominates where it is as good and as cheap, and better in one of them', () => {
    expect(dominates(outcome(0.999, 90), outcome(0.9995, 100))).toBe(true);
    expect(dominates(outcome(0.998, 90), outcome(0.9995, 100))).toBe(false);
    expect(dominates(outcome(1, 100), outcome(0.9, 100))).toBe(true);
    expect(dominates(outcome(1, 100.1), outcome(0.9, 100))).toBe(false);
    expect(dominates(outcome(1, 100), outcome(1, 100))).toBe(false);
  });

  it.each([true, false])('finds the smallest fixed size that is as good as any (monotone: %s)', async (monotone) => {
    for (let enough = 1; enough <= 16; enough++) {
      let tries = 0;
      const found = await fixedSizes(16, monotone, async (sizes) => {
        tries += sizes.length;
        return sizes.map((size) => outcome(size >= enough ? 0.9999 : size / 20, size));
      });
      expect(found.best.size).toBe(enough);
      expect(found.worst.goodput).toBe(Math.min(0.9999, 1 >= enough ? 0.9999 : 1 / 20));
      expect(tries).toBeLessThanOrEqual(monotone ? 8 : 16);
    }
  });

  it('is the same for the same seed, and another for another', () => {
    const job = {
      arrivals: { workload: 'bursty', seconds: 1800 },
      serviceMs: 100,
      seed: 1,
      warmUpMs: 600_000,
      box: { ...settings, memory: null },
      limits: { min: 1, max: 16 },
      contenders: ['ours' as const, 'hpa' as const, 8],
    };
    expect(runJob(job)).toEqual(runJob(job));
    expect(runJob({ ...job, seed: 2 })).not.toEqual(runJob(job));
  });
});
