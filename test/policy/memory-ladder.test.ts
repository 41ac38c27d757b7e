import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COOLDOWN_MS,
  decideLadder,
  FRUITLESS_TRIM_MS,
  type LadderDecision,
  type LadderPool,
  type LadderStep,
  type LadderWorker,
  PATIENCE_MS,
  REPEAT_MS,
  type Rung,
} from '../../src/policy/memory-ladder.js';

const LIMIT = 1000;
const thresholds = { cleanup: 0.8, recycle: 0.9, emergency: 0.95 };

const worker = (id: string, bytes: number, more: Partial<LadderWorker> = {}): LadderWorker => ({
  id,
  bytes,
  replaceable: true,
  killable: true,
  ...more,
});
const pool = (name: string, fairBytes: number, workers: LadderWorker[], unloadable = false): LadderPool => ({
  name,
  fairBytes,
  unloadable,
  workers,
});
/** `web` is over its share by 200, `api` by 50; the largest worker of all is in `big`, which is not over its own. */
const pools = [
  pool('api', 100, [worker('api/1', 100), worker('api/2', 50)]),
  pool('web', 200, [worker('web/1', 150), worker('web/2', 250)]),
  pool('big', 600, [worker('big/1', 400)], true),
];

/** One box over time: keeps the latest step as its user does. */
class Ladder {
  last: LadderStep | null = null;
  now = 0;
  constructor(public pools: readonly LadderPool[]) {}

  sample(usedBytes: number | null, afterMs = 1000): LadderDecision {
    this.now += afterMs;
    if (this.last && usedBytes !== null) this.last.lowestBytes = Math.min(this.last.lowestBytes, usedBytes);
    const decision = this.decide(usedBytes);
    if (decision.action !== 'hold') {
      const beforeBytes = usedBytes as number;
      const { action: rung, targets } = decision;
      this.last = { rung, targets, firedAt: this.now, beforeBytes, lowestBytes: beforeBytes, doneAt: null };
    }
    return decision;
  }

  /** What the latest step started is over. */
  done(afterMs = 500): void {
    this.now += afterMs;
    (this.last as LadderStep).doneAt = this.now;
  }

  decide(usedBytes: number | null): LadderDecision {
    return decideLadder({ usedBytes, limitBytes: LIMIT, pools: this.pools }, this.last, thresholds, this.now);
  }

  /** Samples of the same memory, each step over at once: how many ms pass until something is done. */
  msUntilAct(usedBytes: number, patienceMs: number): { ms: number; decision: LadderDecision } {
    for (let ms = 1000; ms <= patienceMs; ms += 1000) {
      const decision = this.sample(usedBytes);
      if (decision.action !== 'hold') return { ms, decision };
    }
    throw new Error(`nothing was done within ${patienceMs} ms`);
  }
}

describe('decideLadder', () => {
  it('holds below the first threshold, and on missing data', () => {
    const ladder = new Ladder(pools);
    expect(ladder.sample(799)).toEqual({ action: 'hold', reason: 'enough room', numbers: {}, targets: [] });
    expect(ladder.sample(null).action).toBe('hold');
    const unlimited = { usedBytes: 999, limitBytes: null, pools };
    expect(decideLadder(unlimited, null, thresholds, 0).action).toBe('hold');
  });

  it('climbs rung by rung, each when the one before is over and a sample was taken after it', () => {
    const ladder = new Ladder(pools);
    expect(ladder.sample(920)).toMatchObject({ action: 'trim', targets: [] });
    expect(ladder.sample(920).action).toBe('hold');
    ladder.done(0);
    expect(ladder.decide(920).action).toBe('hold');
    expect(ladder.sample(920)).toMatchObject({ action: 'recycle', targets: ['web/2'] });
    expect(ladder.sample(930).action).toBe('hold');
    expect(ladder.sample(960)).toMatchObject({ action: 'emergency', targets: ['big'] });
    expect(ladder.decide(960).action).toBe('hold');
    expect(ladder.sample(960, 500)).toMatchObject({ action: 'kill', targets: ['big/1'] });
  });

  it('says why, with the figures', () => {
    const ladder = new Ladder(pools);
    expect(ladder.sample(831)).toMatchObject({
      reason: 'memory is at 83.1 % of its limit (cleanup from 80 %): caches are trimmed and garbage is collected',
      numbers: { used_bytes: 831, limit_bytes: LIMIT, share: 0.831, threshold: 0.8 },
    });
    ladder.done();
    expect(ladder.sample(900)).toMatchObject({
      reason:
        'memory is at 90 % of its limit (recycle from 90 %): web/2 is the largest worker of web, which has more than its fair share',
      numbers: { worker_bytes: 250, fair_bytes: 200, over_bytes: 200 },
    });
    expect(ladder.sample(960)).toMatchObject({
      reason: 'memory is at 96 % of its limit (emergency from 95 %): caches are cleared, nothing grows, big unloaded',
      numbers: { unload_bytes: 400 },
    });
    expect(ladder.sample(970)).toMatchObject({
      reason:
        'memory is at 97 % of its limit (emergency from 95 %): it did not fall after the last step, and big/1 is the largest worker',
      numbers: { worker_bytes: 400 },
    });
  });

  it('takes the largest replaceable worker of the pool that is most over its share, else of any such pool, else of all', () => {
    const stuck = { replaceable: false };
    const recycled = (given: LadderPool[]) => {
      const ladder = new Ladder(given);
      ladder.sample(900);
      ladder.done();
      return ladder.sample(900);
    };
    const api = pools[0] as LadderPool;
    const big = pools[2] as LadderPool;
    expect(recycled([api, pool('web', 200, [worker('web/1', 150), worker('web/2', 250, stuck)]), big]).targets).toEqual(
      ['web/1'],
    );
    expect(recycled([api, pool('web', 200, [worker('web/2', 400, stuck)]), big]).targets).toEqual(['api/1']);
    expect(recycled([pool('web', 500, [worker('web/2', 400, stuck)]), big]).targets).toEqual(['big/1']);
    expect(recycled([pool('web', 200, [worker('web/2', 400, stuck)])]).action).toBe('hold');
  });

  it.each([
    ['trim', 850, PATIENCE_MS.trim],
    ['recycle', 920, PATIENCE_MS.recycle],
  ] as const)('does not wait for ever for a %s that is never over', (rung, usedBytes, patienceMs) => {
    const ladder = new Ladder(pools);
    ladder.sample(usedBytes);
    if (rung === 'recycle') {
      ladder.done();
      ladder.sample(usedBytes);
    }
    expect(ladder.last?.rung).toBe(rung);
    const firedAt = ladder.now;
    const { decision } = ladder.msUntilAct(920, patienceMs);
    expect(ladder.now - firedAt).toBe(patienceMs);
    expect(decision.action).toBe('recycle');
  });

  it('goes straight to emergency, whatever is under way below it', () => {
    const ladder = new Ladder(pools);
    expect(ladder.sample(850).action).toBe('trim');
    expect(ladder.sample(960, 100).action).toBe('emergency');
  });

  it('does not repeat a trim that freed little, sooner where memory grew since', () => {
    const still = new Ladder(pools);
    still.sample(850);
    still.done();
    expect(still.msUntilAct(851, 400_000)).toMatchObject({ ms: 300_000, decision: { action: 'trim' } });
    const growing = new Ladder(pools);
    growing.sample(850);
    growing.done();
    expect(growing.msUntilAct(865, 100_000)).toMatchObject({ ms: 30_000, decision: { action: 'trim' } });
  });

  it('repeats a trim that freed much, but not at each sample', () => {
    const ladder = new Ladder(pools);
    ladder.sample(880);
    ladder.done();
    expect(ladder.msUntilAct(850, 100_000)).toMatchObject({ ms: 10_000, decision: { action: 'trim' } });
  });

  it('replaces another worker next, where the last one freed little or is still there', () => {
    const ladder = new Ladder(pools);
    ladder.sample(920);
    ladder.done();
    expect(ladder.sample(920).targets).toEqual(['web/2']);
    ladder.done();
    const next = ladder.msUntilAct(921, 100_000);
    expect(next.ms).toBe(COOLDOWN_MS);
    expect(next.decision).toMatchObject({ action: 'recycle', targets: ['web/1'] });
  });

  it('leaves the lower rungs alone for a while after a higher one', () => {
    const ladder = new Ladder(pools);
    ladder.sample(920);
    ladder.done();
    ladder.sample(920);
    ladder.done();
    expect(ladder.msUntilAct(850, 100_000)).toMatchObject({ ms: COOLDOWN_MS, decision: { action: 'trim' } });
  });

  it('starts anew once memory had fallen: with a trim, and with an emergency before a kill', () => {
    const ladder = new Ladder(pools);
    ladder.sample(960);
    ladder.done();
    ladder.sample(500, 60_000);
    expect(ladder.sample(920).action).toBe('trim');
    const again = new Ladder(pools);
    again.sample(960);
    again.sample(940);
    expect(again.sample(990).action).toBe('emergency');
    expect(again.sample(990).action).toBe('kill');
  });

  it('kills one worker after the other until memory falls, and gives each a moment to be gone', () => {
    const ladder = new Ladder([pool('web', 100, [worker('web/1', 300), worker('web/2', 600)])]);
    ladder.sample(980);
    expect(ladder.sample(980).targets).toEqual(['web/2']);
    ladder.pools = [pool('web', 100, [worker('web/1', 300), worker('web/2', 600, { killable: false })])];
    expect(ladder.sample(980).action).toBe('hold');
    expect(ladder.sample(980).targets).toEqual(['web/1']);
    expect(ladder.sample(700).action).toBe('hold');
  });

  it('waits while an emergency brings memory down, and repeats it when that is too little', () => {
    const ladder = new Ladder(pools);
    ladder.sample(990);
    ladder.done(0);
    const again = ladder.msUntilAct(970, 100_000);
    expect(again).toMatchObject({ ms: PATIENCE_MS.emergency, decision: { action: 'emergency' } });
    expect(ladder.sample(970).action).toBe('kill');
  });

  it('does not kill what has no process, or no memory of its own; then only caches can go', () => {
    const ladder = new Ladder([pool('web', 100, [worker('web/1', 900, { killable: false }), worker('web/2', 0)])]);
    expect(ladder.sample(990).action).toBe('emergency');
    expect(ladder.sample(990).action).toBe('hold');
    expect(ladder.msUntilAct(990, 60_000).decision).toMatchObject({ action: 'emergency', targets: [] });
  });

  describe('whatever memory does', () => {
    const anyWorker = fc.record({
      bytes: fc.nat(500),
      replaceable: fc.boolean(),
      killable: fc.boolean(),
    });
    const anyPools = fc
      .array(
        fc.record({ fairBytes: fc.nat(600), unloadable: fc.boolean(), workers: fc.array(anyWorker, { maxLength: 4 }) }),
        {
          maxLength: 4,
        },
      )
      .map((given) =>
        given.map(
          ({ workers, ...rest }, p): LadderPool => ({
            ...rest,
            name: `p${p}`,
            workers: workers.map((w, i) => ({ ...w, id: `p${p}/${i}` })),
          }),
        ),
      );
    const anySample = fc.record({
      usedBytes: fc.option(
        fc.oneof(
          fc.integer({ min: 0, max: 1200 }),
          fc.integer({ min: 780, max: 1000 }),
          fc.integer({ min: 940, max: 960 }),
        ),
        { freq: 20 },
      ),
      afterMs: fc.constantFrom(1, 500, 1000, 1000, 1000, 5000, 60_000),
      /** Whether the step under way ends before this sample. */
      ends: fc.boolean(),
      pools: fc.option(anyPools, { freq: 3 }),
    });
    const SHARE_OF: Record<Rung, keyof typeof thresholds> = {
      trim: 'cleanup',
      recycle: 'recycle',
      emergency: 'emergency',
      kill: 'emergency',
    };

    it('acts once a sample, above the threshold, on what may be acted on, and after the step before', () => {
      const acts: Record<string, number> = { trim: 0, recycle: 0, emergency: 0, kill: 0, hold: 0 };
      fc.assert(
        fc.property(anyPools, fc.array(anySample, { minLength: 20, maxLength: 120 }), (given, samples) => {
          const ladder = new Ladder(given);
          for (const { usedBytes, afterMs, ends, pools: changed } of samples) {
            if (changed) ladder.pools = changed;
            if (ends && ladder.last?.doneAt === null) ladder.done(1);
            const before = ladder.last;
            const decision = ladder.sample(usedBytes, afterMs);
            acts[decision.action] = (acts[decision.action] as number) + 1;
            check(ladder, decision, usedBytes, before);
            if (decision.action !== 'hold') expect(ladder.decide(usedBytes).action).toBe('hold');
          }
        }),
        { numRuns: 400 },
      );
      // Else this would prove nothing.
      for (const count of Object.values(acts)) expect(count).toBeGreaterThan(100);
    });

    function check(
      ladder: Ladder,
      { action, targets }: LadderDecision,
      usedBytes: number | null,
      before: LadderStep | null,
    ): void {
      if (usedBytes === null || usedBytes < thresholds.cleanup * LIMIT) expect(action).toBe('hold');
      if (action === 'hold') {
        expect(targets).toEqual([]);
        return;
      }
      expect(usedBytes).toBeGreaterThanOrEqual(thresholds[SHARE_OF[action]] * LIMIT);
      const workers = ladder.pools.flatMap((p) => p.workers);
      if (action === 'recycle' || action === 'kill') {
        expect(targets).toHaveLength(1);
        const target = workers.find(({ id }) => id === targets[0]);
        expect(action === 'kill' ? target?.killable : target?.replaceable).toBe(true);
      }
      if (action === 'emergency') expect(targets).toEqual(ladder.pools.filter((p) => p.unloadable).map((p) => p.name));
      if (action === 'kill') expect(['emergency', 'kill']).toContain(before?.rung);
      if (action === 'recycle') expect(before).not.toBeNull();
      if (before && (action === 'trim' || action === 'recycle'))
        expect(before.doneAt ?? before.firedAt + PATIENCE_MS[before.rung] - 1).toBeLessThan(ladder.now);
    }

    it('makes no storm: a rung below emergency fires at most so often as its rests allow', () => {
      const wild = fc.array(fc.integer({ min: 700, max: 949 }), { minLength: 600, maxLength: 600 });
      fc.assert(
        fc.property(wild, (samples) => {
          const ladder = new Ladder(pools);
          const fired: { at: number; action: string }[] = [];
          for (const usedBytes of samples) {
            const { action } = ladder.sample(usedBytes);
            if (action === 'hold') continue;
            fired.push({ at: ladder.now, action });
            ladder.done(1);
          }
          for (const action of ['trim', 'recycle']) {
            const times = fired.filter((f) => f.action === action).map((f) => f.at);
            for (const [i, at] of times.slice(1).entries())
              expect(at - (times[i] as number)).toBeGreaterThanOrEqual(REPEAT_MS);
          }
        }),
        { numRuns: 100 },
      );
    });

    it('always does something again in time while memory stays high and something can be done', () => {
      const anyHistory = fc.array(anySample, { maxLength: 40 });
      fc.assert(
        fc.property(anyHistory, fc.integer({ min: 800, max: 1100 }), (samples, stuckAt) => {
          const ladder = new Ladder(pools);
          for (const { usedBytes, afterMs, ends } of samples) {
            if (ends && ladder.last?.doneAt === null) ladder.done(1);
            ladder.sample(usedBytes, afterMs);
          }
          const share = stuckAt / LIMIT;
          const patienceMs =
            share >= thresholds.emergency
              ? PATIENCE_MS.emergency
              : share >= thresholds.recycle
                ? PATIENCE_MS.recycle
                : FRUITLESS_TRIM_MS;
          ladder.msUntilAct(stuckAt, patienceMs + 1000);
          if (share < thresholds.emergency) return;
          const rungs = [ladder.last?.rung];
          for (let i = 0; i < 15; i++) {
            ladder.sample(stuckAt);
            rungs.push(ladder.last?.rung);
          }
          expect(rungs).toContain('kill');
        }),
        { numRuns: 400 },
      );
    });
  });
});
