import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callsOf, type TracedModel } from '../../bench/sim/models/calls.js';
import { synthesizeModels } from '../../bench/sim/models/synthesis.js';
import { Box, type Contender, type Tally } from '../../bench/sim/unload/box.js';
import { runUnloadJob, type UnloadPolicy } from '../../bench/sim/unload/job.js';
import { oursAhead, oursOnDemand } from '../../bench/sim/unload/ours.js';
import { Requests } from '../../bench/sim/unload/requests.js';
import { clairvoyant, gdsf, lru, lruWithTtl } from '../../bench/sim/unload/rivals.js';

const MINUTE = 60_000;

/** Called in these minutes, at random moments of them. A load takes 0.5 s + MB / 200, a call about no time. */
function model(name: string, mb: number, minutes: number[]): TracedModel {
  return {
    name,
    mb,
    loadSeconds: 0.5 + mb / 200,
    medianMs: 0.001,
    seed: 1,
    calls: { kind: 'recorded', minutes: Uint32Array.from(minutes), counts: new Uint32Array(minutes.length).fill(1) },
  };
}

type Maker = (box: Box, requests: Requests) => Contender;

const contenders: Record<string, Maker> = {
  ours: (box) => oursAhead(box, MINUTE),
  'ours on demand': (box) => oursOnDemand(box, MINUTE),
  lru: () => lru(),
  'lru with a ttl': (box) => lruWithTtl(box, 10 * MINUTE),
  gdsf: (box) => gdsf(box),
  clairvoyant: (_, requests) => clairvoyant(requests, 'cost'),
};

function play(models: TracedModel[], budgetMb: number, make: Maker): { box: Box; tally: Tally } {
  const box = new Box(models, budgetMb, 0);
  const requests = new Requests(models, 1);
  box.play(requests, make(box, requests));
  return { box, tally: box.tally };
}

describe('Requests', () => {
  it('has all calls of all models in order, and knows when each is called next', () => {
    const models = synthesizeModels(20, 3);
    const all = models.flatMap((each, i) => {
      const calls: { model: number; at: number }[] = [];
      for (const { at, count } of callsOf(each, 3))
        for (const one of at.subarray(0, count)) calls.push({ model: i, at: one });
      return calls;
    });
    all.sort((a, b) => a.at - b.at);
    const requests = new Requests(models, 3);
    const found: { model: number; at: number }[] = [];
    const foreseen = new Map<number, number>();
    while (requests.advance()) {
      const next = foreseen.get(requests.model);
      if (next !== undefined) expect(requests.at).toBe(next);
      foreseen.set(requests.model, requests.nextAt(requests.model));
      found.push({ model: requests.model, at: requests.at });
    }
    expect(found).toEqual(all);
    expect([...foreseen.values()].every((at) => at === Number.POSITIVE_INFINITY)).toBe(true);
  });
});

describe('Box', () => {
  it('lets the least recently used go, as reckoned by hand', () => {
    // Room for two: b goes for c, a for b, c for a.
    const models = [model('a', 100, [0, 20, 80]), model('b', 100, [10, 60]), model('c', 100, [40])];
    const { tally } = play(models, 200, contenders.lru!);
    expect(tally).toMatchObject({ requests: 6, cold_starts: 5, cold_seconds: 5, evictions: 3, reloads_within_2m: 0 });
  });

  it('counts what comes back within 2 min', () => {
    const models = [model('a', 100, [0, 2, 4]), model('b', 100, [1, 3])];
    expect(play(models, 100, contenders.lru!).tally).toMatchObject({ cold_starts: 5, evictions: 4 });
    const soon = play([model('a', 100, [0, 3, 20]), model('b', 100, [2, 10])], 100, contenders.lru!).tally;
    expect(soon).toMatchObject({ evictions: 4, reloads_within_2m: 1 });
  });

  it('unloads what has been idle for its time', () => {
    const { tally } = play([model('a', 100, [0, 5, 30])], 100, contenders['lru with a ttl']!);
    expect(tally).toMatchObject({ cold_starts: 2, early_unloads: 1, evictions: 0 });
  });

  it('lets a request wait until somebody is idle, and counts that', () => {
    const busy = { ...model('busy', 100, [0]), medianMs: 10 * MINUTE };
    const [at] = timesOf(busy);
    const { tally } = play([busy, model('other', 100, [2])], 100, contenders.lru!);
    const [otherAt] = timesOf(model('other', 100, [2]));
    const idleAt = at!.at + 1000 + at!.ms;
    expect(tally).toMatchObject({ cold_starts: 2, waited_for_room: 1, evictions: 1 });
    expect(tally.cold_seconds).toBeCloseTo(1 + (idleAt - otherAt!.at) / 1000 + 1, 6);
  });

  it('loads ahead only where there is room, and what is left of such a load is waited for', () => {
    const models = [model('a', 100, [0, 10]), model('b', 150, [])];
    const [, second] = timesOf(models[0]!);
    const loadAt = Math.floor(second!.at / 1000) * 1000;
    const { tally } = play(models, 200, (box) => ({
      ...lru(),
      tick: (now) => {
        if (now === 5 * MINUTE) box.unloadEarly(box.slots[0]!);
        if (now === loadAt) {
          expect(box.prewarm(box.slots[0]!)).toBe(true);
          expect(box.prewarm(box.slots[1]!)).toBe(false);
          expect(box.isIdle(box.slots[0]!)).toBe(false);
        }
      },
    }));
    expect(tally).toMatchObject({ cold_starts: 2, prewarms: 1, early_unloads: 1 });
    expect(tally.cold_seconds).toBeCloseTo(1 + (loadAt + 1000 - second!.at) / 1000, 6);
  });

  it('never holds more than fits, whoever decides', () => {
    const models = fc.array(
      fc.record({
        mb: fc.integer({ min: 10, max: 400 }),
        minutes: fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 }),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(models, fc.constantFrom(...Object.keys(contenders)), (given, name) => {
        const traced = given.map(({ mb, minutes }, i) =>
          model(
            `m${i}`,
            mb,
            [...new Set(minutes)].sort((a, b) => a - b),
          ),
        );
        const { box, tally } = play(traced, 400, (room, requests) => {
          const contender = contenders[name]!(room, requests);
          return {
            ...contender,
            used: (slot, idleMs, now) => {
              expect(room.usedMb).toBeLessThanOrEqual(400 + 1e-6);
              contender.used?.(slot, idleMs, now);
            },
          };
        });
        expect(tally.requests).toBe(
          traced.reduce((sum, { calls }) => sum + (calls as { counts: Uint32Array }).counts.length, 0),
        );
        expect(box.usedMb).toBeCloseTo(
          box.slots.reduce((sum, { loaded, mb }) => sum + (loaded ? mb : 0), 0),
          6,
        );
        expect(tally.cold_starts).toBeLessThanOrEqual(tally.requests);
      }),
      { numRuns: 60 },
    );
  });
});

describe('contenders', () => {
  const models = synthesizeModels(30, 2);
  const budgetMb = 0.4 * models.reduce((sum, { mb }) => sum + mb, 0);
  const tallyOf = (policy: UnloadPolicy) => runUnloadJob({ models, days: 2, warmUpMs: 43_200_000, budgetMb, policy });

  it('make callers wait the less, the more they know', () => {
    const seconds = [
      tallyOf({ kind: 'clairvoyant', sight: 'sqrt' }),
      tallyOf({ kind: 'ours_on_demand', minResidencyMs: 0 }),
      tallyOf({ kind: 'gdsf' }),
      tallyOf({ kind: 'lru' }),
    ].map((tally) => tally.cold_seconds);
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
    expect(tallyOf({ kind: 'ours', minResidencyMs: 0 }).cold_seconds).toBeLessThan(seconds[1]!);
  });

  it('do the same each time', () => {
    expect(tallyOf({ kind: 'ours', minResidencyMs: 0 })).toEqual(tallyOf({ kind: 'ours', minResidencyMs: 0 }));
  });
});

function timesOf(one: TracedModel): { at: number; ms: number }[] {
  const [day] = [...callsOf(one, 1)];
  return Array.from({ length: day!.count }, (_, i) => ({ at: day!.at[i]!, ms: day!.ms[i]! }));
}
