import { describe, expect, it } from 'vitest';
import { Clairvoyant, Contender } from '../../bench/sim/keepalive/contender.js';
import { HybridHistogram } from '../../bench/sim/keepalive/hybrid.js';
import { runKeepaliveJob } from '../../bench/sim/keepalive/job.js';
import { type Outcome, outcomes } from '../../bench/sim/keepalive/outcome.js';
import { type Policy, race } from '../../bench/sim/keepalive/race.js';
import { keepaliveSettings } from '../../bench/sim/keepalive/settings.js';
import { type Priced, tuned } from '../../bench/sim/keepalive/tune.js';
import { type Calls, callsOf, DAY_MS, type TracedModel } from '../../bench/sim/models/calls.js';
import { synthesizeModels } from '../../bench/sim/models/synthesis.js';
import { priceOf } from '../../src/policy/keepalive.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const shape = { name: 'm', mb: 100, loadSeconds: 2, medianMs: 1, seed: 1 };
const fixed = (minutes: number): Policy => ({ kind: 'fixed', minutes });

/** Calls at given times, each taking so long. */
function* recorded(at: number[], ms = 0): Generator<Calls> {
  yield { count: at.length, at: Float64Array.from(at), ms: new Float64Array(at.length).fill(ms) };
}

describe('Contender', () => {
  const idled = (idleMs: number, fromMs: number, untilMs: number) => {
    const contender = new Contender(100, 2000);
    contender.fromMs = fromMs;
    contender.untilMs = untilMs;
    contender.idle(idleMs);
    return contender.tally;
  };

  it.each<[string, [number, number, number], [number, number, number]]>([
    ['kept and called', [MINUTE, 0, HOUR], [0, 0, 60 * 100]],
    ['unloaded and called', [2 * HOUR, 0, HOUR], [1, 2, 3600 * 100]],
    ['loaded again in time', [HOUR, HOUR - 10_000, HOUR + MINUTE], [0, 0, 10 * 100]],
    ['called before it is loaded again', [MINUTE, HOUR, 2 * HOUR], [1, 2, 0]],
    ['called while it loads', [HOUR + 500, HOUR, 2 * HOUR], [1, 1.5, 0.5 * 100]],
    ['loaded again for nothing', [3 * HOUR, HOUR, 2 * HOUR], [1, 2, 3600 * 100]],
    ['never kept', [MINUTE, 0, 0], [1, 2, 0]],
  ])('%s', (_, [idleMs, fromMs, untilMs], [cold, coldSeconds, wastedMbSeconds]) => {
    expect(idled(idleMs, fromMs, untilMs)).toEqual({ cold, coldSeconds, wastedMbSeconds });
  });

  it('clairvoyant: nobody waits, and it wastes the time of a load, or of staying loaded where that is less', () => {
    const contender = new Clairvoyant(100, 2000);
    contender.first();
    contender.idle(HOUR);
    contender.idle(500);
    expect(contender.tally).toEqual({ cold: 0, coldSeconds: 0, wastedMbSeconds: 450 });
  });
});

describe('race', () => {
  it('plays fixed times as reckoned by hand', () => {
    // Idle for 4, 14 and 59 min: each call takes one.
    const at = [0, 5, 20, 80].map((minute) => minute * MINUTE);
    const { requests, tallies } = race(shape, recorded(at, MINUTE), [fixed(5), fixed(15), fixed(60)], 0);
    expect(requests).toBe(4);
    expect(tallies.map(({ cold }) => cold)).toEqual([3, 2, 1]);
    expect(tallies.map(({ wastedMbSeconds }) => wastedMbSeconds / 6000)).toEqual([4 + 5 + 5, 4 + 14 + 15, 4 + 14 + 59]);
  });

  it('counts idle time from the end of the last request that ends', () => {
    const calls = function* (): Generator<Calls> {
      yield {
        count: 3,
        at: Float64Array.from([0, MINUTE, 12 * MINUTE]),
        ms: Float64Array.from([10 * MINUTE, 1000, 0]),
      };
    };
    const { tallies } = race(shape, calls(), [fixed(5)], 0);
    expect(tallies[0]).toEqual({ cold: 1, coldSeconds: 2, wastedMbSeconds: 120 * 100 });
  });

  it('does not count the warm-up, but learns in it', () => {
    const at = Array.from({ length: 48 }, (_, i) => i * HOUR);
    const { requests, tallies } = race(
      shape,
      recorded(at),
      [fixed(5), { kind: 'ours', price: priceOf('balanced', null) }],
      DAY_MS,
    );
    expect(requests).toBe(24);
    expect(tallies[0]!.cold).toBe(24);
    expect(tallies[1]!.cold).toBe(0);
    expect(tallies[1]!.wastedMbSeconds).toBeLessThan(tallies[0]!.wastedMbSeconds);
  });

  /** Whether each policy is ever warm at a moment at which it wastes nothing: only who knows the next request can be. */
  function looksAhead(policies: Policy[]): boolean[] {
    const found = policies.map(() => false);
    const LATER_MS = 1000;
    for (const model of synthesizeModels(40, 5).slice(2, 30)) {
      const { count, at, ms } = inOnePiece(model, 3);
      const ends = Math.max(...at.subarray(0, count).map((start, i) => start + ms[i]!));
      const next = (idleMs: number) => {
        const call = { count: 1, at: Float64Array.of(ends + idleMs), ms: new Float64Array(1) };
        return race(model, [{ count, at, ms }, call], policies, ends).tallies;
      };
      for (let idleMs = 5000; idleMs < DAY_MS; idleMs *= 1.6) {
        const sooner = next(idleMs);
        for (const [i, later] of next(idleMs + LATER_MS).entries()) {
          if (later.cold > 0 || sooner[i]!.cold > 0) continue;
          const wasted = later.wastedMbSeconds - sooner[i]!.wastedMbSeconds;
          if (wasted < 0.99 * model.mb * (LATER_MS / 1000)) found[i] = true;
        }
      }
    }
    return found;
  }

  it('lets nobody look ahead but the clairvoyant', () => {
    const policies: Policy[] = [
      { kind: 'hybrid' },
      { kind: 'ours', price: 4e-6 },
      { kind: 'ours', price: 1e-6 },
      fixed(10),
    ];
    expect(looksAhead([...policies, { kind: 'clairvoyant' }])).toEqual([false, false, false, false, true]);
  });

  it('gives the same to a policy whoever plays beside it', () => {
    const [model] = synthesizeModels(40, 2).slice(25);
    const job = { model: model!, days: 4, warmUpMs: DAY_MS };
    const policies: Policy[] = [fixed(15), { kind: 'hybrid' }, { kind: 'clairvoyant' }];
    const together = runKeepaliveJob({ ...job, policies });
    for (const [i, policy] of policies.entries()) {
      const [alone] = runKeepaliveJob({ ...job, policies: [policy] }).tallies;
      expect(alone!.cold).toBe(together.tallies[i]!.cold);
      expect(alone!.wastedMbSeconds).toBeCloseTo(together.tallies[i]!.wastedMbSeconds, 3);
    }
  });
});

/** The calls of some days in one piece. */
function inOnePiece(model: TracedModel, days: number): Calls {
  const at: number[] = [];
  const ms: number[] = [];
  for (const day of callsOf(model, days)) {
    at.push(...day.at.subarray(0, day.count));
    ms.push(...day.ms.subarray(0, day.count));
  }
  return { count: at.length, at: Float64Array.from(at), ms: Float64Array.from(ms) };
}

describe('HybridHistogram', () => {
  const windowAfter = (idle: number[]) => {
    const hybrid = new HybridHistogram();
    for (const ms of idle) hybrid.learn(ms);
    return [hybrid.fromMs / MINUTE, hybrid.untilMs / MINUTE];
  };

  it('is loaded between the 5th and the 99th percentile, with a margin of 10 %', () => {
    const [from, until] = windowAfter(new Array(100).fill(30.5 * MINUTE));
    expect(from).toBeCloseTo(27, 9);
    expect(until).toBeCloseTo(31 * 1.1, 9);
  });

  it('stays loaded from the start where the 5th percentile is within the first minute', () => {
    expect(windowAfter([...new Array(10).fill(10_000), ...new Array(90).fill(4.5 * MINUTE)])).toEqual([0, 5 * 1.1]);
  });

  it('keeps for the whole 4 h where the histogram is flat, or empty', () => {
    expect(windowAfter(Array.from({ length: 480 }, (_, i) => (i % 240) * MINUTE))).toEqual([0, 240]);
    expect(windowAfter([])).toEqual([0, 240]);
  });

  it('forecasts the mean where most are longer than 4 h', () => {
    expect(windowAfter(new Array(10).fill(24 * HOUR))).toEqual([1440 * 0.85, 1440 * 1.15]);
  });
});

describe('outcomes', () => {
  it('adds up models, and takes the upper quartile of their rates, without those that were never called', () => {
    const model = (requests: number, cold: number) => ({
      requests,
      tallies: [{ cold, coldSeconds: 2 * cold, wastedMbSeconds: 10 }],
    });
    expect(outcomes([model(10, 1), model(10, 5), model(10, 9), model(10, 10), model(0, 0)])).toEqual([
      { cold_starts: 25, p75_cold_rate: 0.9, cold_seconds: 50, wasted_mb_s: 40 },
    ]);
    expect(outcomes([model(0, 0)])[0]!.p75_cold_rate).toBeNull();
  });
});

describe('tuned', () => {
  /** Wastes less the dearer memory is, but never less than 100. */
  const priced = (price: number): Priced => ({
    price,
    wasted_mb_s: 100 + 1e-3 / price ** 0.8,
    cold_seconds: price,
    cold_starts: 1,
    p75_cold_rate: 0,
  });

  it('finds the price that wastes as much, never more', async () => {
    const found = await tuned([150, 1000, 40_000], [priced(1e-4), priced(1e-5)], async (prices) => prices.map(priced));
    for (const [i, waste] of [150, 1000, 40_000].entries()) {
      expect(found[i]!.wasted_mb_s).toBeLessThanOrEqual(waste);
      expect(found[i]!.wasted_mb_s).toBeGreaterThan(waste * 0.989);
    }
  });

  it('says where no price wastes so little', async () => {
    expect(await tuned([50], [priced(1e-5)], async (prices) => prices.map(priced))).toEqual([null]);
  });
});

describe('keepaliveSettings', () => {
  it('has the defaults of the goals', () => {
    expect(keepaliveSettings({}, false)).toEqual({ traces: [], days: 7, models: 200, seed: 1, asInGoals: true });
    expect(keepaliveSettings({ days: '365' }, false).asInGoals).toBe(true);
    expect(keepaliveSettings({ trace: ['a', 'b'] }, false)).toMatchObject({
      traces: ['a', 'b'],
      models: null,
      asInGoals: false,
    });
  });

  it.each([{ days: '1' }, { days: 'x' }, { models: '0' }, { seed: '1.5' }, { days: '' }, { trace: ['a'], days: '7' }])(
    'refuses %j',
    (values) => {
      expect(() => keepaliveSettings(values, false)).toThrow(/--days|--models|--seed/);
    },
  );
});

describe('a few days of 60 models', () => {
  const price = priceOf('balanced', null);
  const policies: Policy[] = [
    fixed(15),
    fixed(60),
    { kind: 'ours', price },
    { kind: 'ours', price: price / 2 },
    { kind: 'clairvoyant' },
  ];
  const play = (seed: number) =>
    outcomes(
      synthesizeModels(60, seed).map((model) => runKeepaliveJob({ model, days: 4, warmUpMs: DAY_MS, policies })),
    );
  let found: Outcome[];

  it('ours waits for far less than fixed times that waste as much', () => {
    found = play(21);
    const [short, long, ours, cheap, clairvoyant] = found;
    expect(ours!.wasted_mb_s).toBeLessThan(1.15 * short!.wasted_mb_s);
    expect(ours!.cold_seconds).toBeLessThan(0.5 * short!.cold_seconds);
    expect(ours!.p75_cold_rate!).toBeLessThan(short!.p75_cold_rate!);
    expect(cheap!.wasted_mb_s).toBeGreaterThan(ours!.wasted_mb_s);
    expect(cheap!.cold_seconds).toBeLessThan(ours!.cold_seconds);
    expect(cheap!.cold_seconds).toBeLessThan(long!.cold_seconds);
    for (const outcome of [short, long, ours, cheap]) {
      expect(outcome!.cold_seconds).toBeGreaterThan(clairvoyant!.cold_seconds);
      expect(outcome!.wasted_mb_s).toBeGreaterThan(clairvoyant!.wasted_mb_s);
    }
  });

  it('is the same for the same seed', () => {
    expect(play(21)).toEqual(play(21));
  });
});
