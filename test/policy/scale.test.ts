import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ScaleDecision, type ScaleFacts, type ScaleLimits, Scaler } from '../../src/policy/scale.js';

const limits: ScaleLimits = {
  min: 1,
  max: 16,
  headroom: 1.2,
  target: null,
  upWindowMs: 5000,
  upCooldownMs: 10_000,
  downWindowMs: 120_000,
};

const calm: ScaleFacts = {
  arrivals: 0,
  completed: 0,
  busyMs: 0,
  queued: 0,
  inFlight: 0,
  ready: 1,
  booting: 0,
  desired: 1,
  idle: 1,
  concurrency: 1,
  deadlineMs: 1000,
  bootMs: 3000,
  memoryRoom: null,
  cpuShare: null,
  cpuWait: null,
  pressure: null,
  overFairShare: false,
};

/** A tick in which `load` workers were busy on average, with 10 requests a second for each; a crowd came at once. */
function loaded(load: number, changes: Partial<ScaleFacts> = {}): Partial<ScaleFacts> {
  return { arrivals: load * 10, completed: load * 10, busyMs: load * 1000, inFlight: 30, ...changes };
}

/** A pool that has at once the size that is decided, ticking once a second. */
class Ticker {
  readonly scaler: Scaler;
  readonly decisions: ScaleDecision[] = [];
  now = 0;

  constructor(
    changes: Partial<ScaleLimits> = {},
    public size = 1,
  ) {
    this.scaler = new Scaler({ ...limits, ...changes });
  }

  /** @returns the last decision */
  tick(facts: Partial<ScaleFacts>, seconds = 1): ScaleDecision {
    for (let i = 0; i < seconds; i++) {
      this.now += 1000;
      const present = { desired: this.size, ready: this.size, idle: this.size };
      const decision = this.scaler.decide({ ...calm, ...present, ...facts }, this.now);
      this.size = decision.desired;
      this.decisions.push(decision);
    }
    return this.decisions.at(-1)!;
  }

  /** Until the size is what `seconds` of this make of it. */
  settle(facts: Partial<ScaleFacts>, seconds = 120): number {
    this.tick(facts, seconds);
    return this.size;
  }
}

describe('demand', () => {
  it('is the offered load and the headroom times its square root, in workers of some slots', () => {
    const decision = new Ticker({}, 4).tick(loaded(4));
    expect(decision.target).toBe(7); // 4 + 1.2 × 2 = 6.4
    expect(decision.numbers).toMatchObject({
      arrivals_per_second: 40,
      service_ms: 100,
      offered_load: 4,
      headroom: 1.2,
    });
    expect(new Ticker({}, 4).tick(loaded(4, { concurrency: 2 })).target).toBe(4); // 6.4 / 2 = 3.2
  });

  it('adds what drains a backlog within half of the deadline', () => {
    const facts = loaded(4, { queued: 40 });
    expect(new Ticker({}, 4).tick(facts).target).toBe(15); // 6.4 + 40 × 100 ms / 500 ms
    expect(new Ticker({}, 4).tick({ ...facts, deadlineMs: 8000 }).target).toBe(8);
  });

  it('takes a short queue for chance', () => {
    expect(new Ticker({}, 4).tick(loaded(4, { queued: 5 })).target).toBe(7);
  });

  it('sees at once that the load has jumped, and is not fooled by noise', () => {
    const ticker = new Ticker({}, 8);
    ticker.tick(loaded(4), 20);
    expect(ticker.tick(loaded(5)).numbers.arrivals_per_second).toBe(42);
    expect(ticker.tick(loaded(8)).numbers.arrivals_per_second).toBe(80);
  });

  it('follows a target where one is set', () => {
    const ticker = new Ticker({ target: 2 }, 4);
    expect(ticker.tick(loaded(1, { inFlight: 4, queued: 8 }), 3).target).toBe(6);
  });

  it('plans no more workers than there were requests at once', () => {
    // One client, that waits for each answer: always one in flight, a worker busy all the time.
    const ticker = new Ticker({}, 2);
    expect(ticker.settle(loaded(1, { inFlight: 1 }), 300)).toBe(1);
    // The same load from many: sometimes three at once.
    const others = new Ticker({}, 2);
    others.tick(loaded(1, {}), 300);
    expect(others.size).toBe(2);
  });

  it('grows by half where workers never rest and nobody can see the queue', () => {
    const busy = loaded(3.9, { inFlight: 0 });
    expect(new Ticker({ headroom: 0 }, 4).tick(busy, 3).target).toBe(6);
    // A pool that has shown a queue counts it.
    const counted = new Ticker({ headroom: 0 }, 4);
    counted.tick({ queued: 1 });
    counted.tick(busy, 20);
    expect(counted.size).toBe(4);
    const told = new Ticker({ headroom: 0 }, 4);
    told.tick({ queued: 1, countsQueue: false });
    expect(told.tick({ ...busy, countsQueue: false }, 3).target).toBe(6);
    expect(new Ticker({ headroom: 0 }, 4).tick({ ...busy, countsQueue: true }, 3).target).toBe(4);
  });

  it('takes service times from when the CPU was free', () => {
    const ticker = new Ticker({}, 4);
    ticker.tick(loaded(2, { cpuShare: 0.5 }), 30);
    // Eight share two cores: four times as slow, for the same requests.
    const decision = ticker.tick({ ...loaded(2), busyMs: 8000, cpuShare: 1, cpuWait: 1 }, 10);
    expect(decision.numbers.offered_load).toBeCloseTo(2, 5);
  });
});

describe('headroom', () => {
  it('goes down to what is needed while nobody waits, and up when somebody does', () => {
    const ticker = new Ticker({}, 8);
    const learned = ticker.tick(loaded(6), 900).numbers.headroom as number;
    expect(learned).toBe(0.5);
    expect(ticker.size).toBe(8);
    ticker.tick(loaded(6, { queued: 60 }), 3);
    expect(ticker.tick(loaded(6)).numbers.headroom).toBeCloseTo(0.8, 1);
  });

  it('never exceeds what is configured', () => {
    const ticker = new Ticker({ headroom: 0.2 }, 8);
    expect(ticker.tick(loaded(6), 100).numbers.headroom).toBe(0.2);
    expect(ticker.tick(loaded(6, { queued: 100 }), 100).numbers.headroom).toBe(0.2);
  });

  it('is not raised by waits that more workers would not have spared', () => {
    const ticker = new Ticker({}, 8);
    ticker.tick(loaded(6), 900);
    ticker.tick(loaded(6, { queued: 60, cpuShare: 1 }), 20);
    expect(ticker.tick(loaded(6)).numbers.headroom).toBe(0.5);
  });
});

describe('growth', () => {
  it('doubles at most, and then waits for the cooldown', () => {
    const ticker = new Ticker({}, 1);
    expect(ticker.tick(loaded(10))).toMatchObject({ action: 'grow', desired: 2, target: 14, heldBy: 'cooldown' });
    expect(ticker.tick(loaded(10), 9)).toMatchObject({ action: 'hold', desired: 2, heldBy: 'cooldown' });
    expect(ticker.tick(loaded(10))).toMatchObject({ action: 'grow', desired: 4 });
    ticker.tick(loaded(10), 20);
    expect(ticker.size).toBe(14);
  });

  it('counts workers that boot as capacity', () => {
    const ticker = new Ticker({}, 7);
    expect(ticker.tick(loaded(4, { ready: 2, booting: 5 })).action).toBe('hold');
  });

  it('leaves out what is within the tolerance', () => {
    expect(new Ticker({ headroom: 0.9 }, 10).tick(loaded(8))).toMatchObject({ action: 'hold', target: 11 });
    expect(new Ticker({ headroom: 1.1 }, 10).tick(loaded(8))).toMatchObject({ action: 'grow', desired: 12 });
  });

  it.each([
    ['max', {}, { max: 4 }],
    ['memory', { memoryRoom: 0 }, {}],
    ['cpu', { cpuShare: 0.9 }, {}],
    ['pressure', { pressure: 'critical' as const }, {}],
    ['pressure', { pressure: 'high' as const }, {}],
  ])('is held by %s: %j', (heldBy, facts, changes) => {
    expect(new Ticker(changes, 4).tick(loaded(8, facts))).toMatchObject({ action: 'hold', desired: 4, heldBy });
  });

  it('takes no more than the memory has room for', () => {
    const decision = new Ticker({}, 4).tick(loaded(8, { memoryRoom: 1, pressure: 'high' }));
    expect(decision).toMatchObject({ action: 'grow', desired: 5, heldBy: 'memory' });
  });

  it('goes up to one worker a core, one by one, on a CPU that others fill', () => {
    const full = { cpuShare: 1, cores: 4, queued: 100, memoryRoom: 8 };
    const ticker = new Ticker({}, 2);
    expect(ticker.tick(loaded(8, full))).toMatchObject({ action: 'grow', desired: 3, heldBy: 'cpu' });
    for (let second = 0; second < 60; second++) ticker.tick(loaded(8, { ...full, completed: ticker.size * 20 }));
    expect(ticker.size).toBe(4);
    expect(ticker.decisions.at(-1)).toMatchObject({ action: 'hold', heldBy: 'cpu' });
    // Nothing waits: then there is no need.
    expect(new Ticker({}, 2).tick(loaded(8, { ...full, queued: 1 }))).toMatchObject({ action: 'hold', heldBy: 'cpu' });
  });

  it('decides nothing where arrivals are not known', () => {
    const decision = new Ticker({}, 4).tick({ arrivals: null });
    expect(decision).toMatchObject({ action: 'hold', desired: 4, heldBy: null, reason: 'arrivals are not known' });
  });
});

describe('shrinking', () => {
  it('waits until nothing within the down window needed the size, and goes to what did', () => {
    const ticker = new Ticker({}, 8);
    ticker.tick(loaded(5), 60);
    expect(ticker.size).toBe(8);
    const held = ticker.tick(loaded(3), 40);
    expect(held).toMatchObject({ action: 'hold', heldBy: 'window' });
    ticker.tick(loaded(3), 10);
    expect(ticker.size).toBe(7);
    ticker.tick(loaded(3), 10);
    expect(ticker.size).toBe(5);
  });

  it.each([
    [1000, 30],
    [4000, 60],
    [60_000, 120],
    [null, 120],
  ])('keeps idle workers for as long as boots are dear: %s ms → %i s', (bootMs, seconds) => {
    const ticker = new Ticker({}, 8);
    ticker.tick(loaded(6, { bootMs }), 60);
    ticker.tick(loaded(1, { bootMs }), 300);
    const shrunk = ticker.decisions.findIndex(({ action }) => action === 'shrink') + 1;
    expect(shrunk - 60).toBeGreaterThan(seconds - 5);
    expect(shrunk - 60).toBeLessThan(seconds + 10);
  });

  it('halves at most, by idle workers only, down to the least', () => {
    const ticker = new Ticker({ min: 2 }, 12);
    expect(ticker.tick(loaded(0, { idle: 0 }), 130)).toMatchObject({ action: 'hold', heldBy: 'busy' });
    expect(ticker.tick(loaded(0, { idle: 1 }))).toMatchObject({ action: 'shrink', desired: 11, heldBy: 'busy' });
    ticker.tick(loaded(0), 10);
    expect(ticker.decisions.at(-1)).toMatchObject({ action: 'shrink', desired: 6, heldBy: 'window' });
    ticker.tick(loaded(0), 60);
    expect(ticker.size).toBe(2);
    expect(ticker.tick(loaded(0))).toMatchObject({ action: 'hold', heldBy: 'min' });
  });

  it('keeps as many as can be doubled to what the load has lately jumped to', () => {
    const quiet = new Ticker({}, 8);
    quiet.tick(loaded(1), 600);
    expect(quiet.size).toBe(2);
    const jumpy = new Ticker({}, 8);
    jumpy.tick(loaded(1), 30);
    jumpy.tick(loaded(8), 60);
    jumpy.tick(loaded(1), 600);
    expect(jumpy.size).toBe(4);
    jumpy.tick(loaded(1), 3600);
    expect(jumpy.size).toBe(2);
  });

  it('waits twice as long after a growth that undid a shrink', () => {
    const ticker = new Ticker({}, 2);
    const shrinkAfter = () => {
      // The jumps would hold the size by themselves: here only the window counts.
      for (let second = 1; ; second++) if (ticker.tick(loaded(1)).action === 'shrink') return second;
    };
    ticker.tick(loaded(1.5), 30);
    ticker.tick(loaded(2), 20);
    ticker.tick(loaded(4), 60);
    const first = shrinkAfter();
    ticker.tick(loaded(2.5), 10);
    ticker.tick(loaded(4), 60);
    expect(ticker.decisions.slice(-70).some(({ action }) => action === 'grow')).toBe(true);
    expect(shrinkAfter()).toBeGreaterThan(1.7 * first);
  });
});

describe('critical memory pressure', () => {
  const critical = { pressure: 'critical' as const, overFairShare: true };

  it('takes a pool over its fair share down to one worker at once, busy or not', () => {
    const decision = new Ticker({}, 9).tick(loaded(8, { ...critical, idle: 0 }));
    expect(decision).toMatchObject({ action: 'shrink', desired: 1, heldBy: 'pressure' });
    expect(new Ticker({ min: 3 }, 9).tick(loaded(8, critical)).desired).toBe(3);
    expect(new Ticker({}, 9).tick(loaded(8, { ...critical, overFairShare: false })).desired).toBe(9);
    expect(new Ticker({}, 9).tick({ ...critical, arrivals: null }).desired).toBe(1);
  });

  it('recovers once it is over, later each time that it comes back', () => {
    const ticker = new Ticker({}, 8);
    const recovery = () => {
      ticker.tick(loaded(6, critical), 3);
      expect(ticker.size).toBe(1);
      for (let second = 1; ; second++)
        if (ticker.tick(loaded(6, { pressure: 'medium' })).action === 'grow') return second;
    };
    const times = [recovery(), recovery(), recovery()];
    expect(times[0]).toBeGreaterThanOrEqual(29);
    expect(times[1]).toBeGreaterThanOrEqual(1.9 * times[0]!);
    expect(times[2]).toBeGreaterThanOrEqual(1.9 * times[1]!);
    ticker.tick(loaded(6, { pressure: 'low' }), 60);
    expect(ticker.size).toBeGreaterThanOrEqual(8);
  });
});

describe('learning', () => {
  /** Two cores are all that there is: more than two workers answer no more. */
  const onTwoCores = (size: number): Partial<ScaleFacts> => {
    const perSecond = Math.min(size, 2) * 100;
    return { arrivals: 400, completed: perSecond, busyMs: size * 1000, queued: 100, inFlight: size, idle: 0 };
  };

  function overloaded(ticker: Ticker, seconds: number, changes: Partial<ScaleFacts> = {}): void {
    for (let i = 0; i < seconds; i++) ticker.tick({ ...onTwoCores(ticker.size), ...changes });
  }

  it('refuses a size that twice has gained nothing over a smaller one, and goes back', () => {
    const ticker = new Ticker({ max: 8 }, 1);
    overloaded(ticker, 120);
    expect(Math.max(...ticker.decisions.map(({ desired }) => desired))).toBe(4);
    expect(ticker.size).toBe(2);
    const held = ticker.decisions.at(-1)!;
    expect(held).toMatchObject({ action: 'hold', heldBy: 'learning' });
    expect(ticker.scaler.learned()).toContainEqual({ size: 2, perSecond: 200 });
  });

  it('believes it at once where tasks wait for the CPU and answers take longer', () => {
    const backAfter = (changes: Partial<ScaleFacts>) => {
      const ticker = new Ticker({ max: 8, upCooldownMs: 1000 }, 2);
      ticker.tick({ ...onTwoCores(2), arrivals: 10, queued: 3 }, 12);
      for (let second = 1; second < 60; second++) {
        ticker.tick({ ...onTwoCores(ticker.size), ...changes, memoryRoom: ticker.size < 3 ? 1 : 0 });
        if (ticker.decisions.at(-1)!.action === 'shrink') return second;
      }
      return null;
    };
    const waiting = backAfter({ cpuWait: 0.9 });
    const patient = backAfter({ cpuWait: 0 });
    expect(waiting).not.toBeNull();
    expect(patient! - waiting!).toBe(5);
  });

  it('tries a refused size again after half an hour, or when what a size yields has changed', () => {
    const forgotten = new Ticker({ max: 8 }, 1);
    overloaded(forgotten, 120);
    expect(forgotten.size).toBe(2);
    const before = forgotten.decisions.length;
    // Without load nothing is measured, so nothing is kept fresh.
    forgotten.tick(loaded(1.5), 30 * 60);
    overloaded(forgotten, 30);
    expect(forgotten.decisions.slice(before).some(({ desired }) => desired > 2)).toBe(true);

    const changed = new Ticker({ max: 8 }, 1);
    overloaded(changed, 120);
    // Other requests, half as long, and ever faster with more workers.
    for (let i = 0; i < 60; i++) {
      const perSecond = changed.size * 200;
      changed.tick({
        arrivals: 2000,
        completed: perSecond,
        busyMs: changed.size * 1000,
        queued: 200,
        inFlight: changed.size,
      });
    }
    expect(changed.size).toBe(8);
  });

  it('does not let one poor measurement stand in the way for longer than a minute', () => {
    const growsAfter = (pause: number) => {
      const ticker = new Ticker({ max: 8, upCooldownMs: 1000 }, 2);
      ticker.tick({ ...onTwoCores(2), memoryRoom: 0 }, 10);
      ticker.tick({ ...onTwoCores(2), memoryRoom: 1 });
      ticker.tick({ ...onTwoCores(3), memoryRoom: 0 }, 8);
      expect(ticker.size).toBe(3);
      ticker.tick(loaded(2.5), pause);
      return ticker.tick({ ...loaded(8), memoryRoom: 1 });
    };
    expect(growsAfter(30)).toMatchObject({ action: 'hold', heldBy: 'learning' });
    expect(growsAfter(60)).toMatchObject({ action: 'grow' });
  });

  it('never refuses a size that scales', () => {
    const ticker = new Ticker({ max: 16 }, 1);
    for (let i = 0; i < 300; i++) {
      const { size } = ticker;
      ticker.tick({ arrivals: 400, completed: size * 10, busyMs: size * 1000, queued: 300, inFlight: size, idle: 0 });
    }
    expect(ticker.size).toBe(16);
  });
});

const anyNumber = fc.oneof(
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 0, 1e300),
);
const maybe = (numbers: fc.Arbitrary<number>) => fc.option(numbers, { nil: null });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const pressure = fc.constantFrom('low', 'medium', 'high', 'critical', null);

const sensible = fc.record({
  arrivals: maybe(fc.nat(2000)),
  completed: fc.nat(2000),
  busyMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
  queued: fc.nat(3000),
  inFlight: fc.nat(64),
  idle: fc.nat(16),
  booting: fc.nat(4),
  ready: fc.nat(16),
  concurrency: fc.integer({ min: 1, max: 8 }),
  deadlineMs: fc.integer({ min: 1, max: 60_000 }),
  bootMs: maybe(fc.nat(60_000)),
  memoryRoom: maybe(fc.nat(8)),
  cpuShare: maybe(share),
  cpuWait: maybe(share),
  cores: fc.oneof(fc.constant(undefined), fc.constant(null), fc.integer({ min: 1, max: 16 })),
  pressure,
  overFairShare: fc.boolean(),
}) as fc.Arbitrary<Omit<ScaleFacts, 'desired'>>;

const wild = fc.record({
  arrivals: maybe(anyNumber),
  completed: anyNumber,
  busyMs: anyNumber,
  queued: anyNumber,
  inFlight: anyNumber,
  idle: anyNumber,
  booting: anyNumber,
  ready: anyNumber,
  concurrency: anyNumber,
  deadlineMs: anyNumber,
  bootMs: maybe(anyNumber),
  memoryRoom: maybe(anyNumber),
  cpuShare: maybe(anyNumber),
  cpuWait: maybe(anyNumber),
  cores: maybe(anyNumber),
  pressure,
  overFairShare: fc.boolean(),
}) as fc.Arbitrary<Omit<ScaleFacts, 'desired'>>;

const anyLimits = fc
  .record({
    min: fc.integer({ min: 1, max: 6 }),
    more: fc.nat(30),
    headroom: fc.double({ min: 0, max: 4, noNaN: true }),
    target: maybe(fc.double({ min: 0.1, max: 20, noNaN: true })),
    upWindowMs: fc.integer({ min: 1000, max: 60_000 }),
    upCooldownMs: fc.integer({ min: 0, max: 60_000 }),
    downWindowMs: fc.integer({ min: 0, max: 600_000 }),
  })
  .map(({ more, ...rest }) => ({ ...rest, max: rest.min + more }));

interface Step {
  facts: Omit<ScaleFacts, 'desired'>;
  /** How often the same tick is seen again. */
  repeated: number;
}

/** What was decided for each tick, with the size before it. */
function play(scaler: Scaler, steps: readonly Step[], first: number, spanMs = 1000) {
  const played: { facts: ScaleFacts; decision: ScaleDecision; from: number }[] = [];
  let desired = first;
  let now = 0;
  for (const { facts, repeated } of steps)
    for (let i = 0; i <= repeated; i++) {
      now += spanMs;
      const seen = { ...facts, desired };
      const decision = scaler.decide(seen, now);
      played.push({ facts: seen, decision, from: desired });
      desired = decision.desired;
    }
  return played;
}

const steps = (facts: typeof sensible) =>
  fc.array(fc.record({ facts, repeated: fc.integer({ min: 0, max: 60 }) }), { minLength: 1, maxLength: 12 });

describe('whatever is seen', () => {
  it('keeps within its limits, doubles or halves at most, and takes idle workers', () => {
    fc.assert(
      fc.property(anyLimits, steps(sensible), share, (given, seen, where) => {
        const first = given.min + Math.floor(where * (given.max - given.min));
        for (const { facts, decision, from } of play(new Scaler(given), seen, first)) {
          const { desired, heldBy, action } = decision;
          expect(Number.isInteger(desired)).toBe(true);
          expect(desired).toBeGreaterThanOrEqual(given.min);
          expect(desired).toBeLessThanOrEqual(given.max);
          expect(action).toBe(desired > from ? 'grow' : desired < from ? 'shrink' : 'hold');
          expect(desired).toBeLessThanOrEqual(2 * from);
          // Memory that is about to end, and a worker that brings nothing, don't wait for an idle one.
          const fallback = heldBy === 'pressure' && facts.pressure === 'critical' && facts.overFairShare;
          const shrinksBack = heldBy === 'learning' && desired === from - 1;
          if (desired >= from || fallback || shrinksBack) continue;
          expect(desired).toBeGreaterThanOrEqual(from / 2);
          expect(from - desired).toBeLessThanOrEqual(facts.idle);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('never grows into a full memory, a full CPU or critical pressure, nor on unknown arrivals', () => {
    fc.assert(
      fc.property(anyLimits, steps(sensible), (given, seen) => {
        for (const { facts, decision, from } of play(new Scaler(given), seen, given.min)) {
          if (decision.action !== 'grow') continue;
          if ((facts.cpuShare ?? 0) >= 0.85) expect(decision.desired).toBeLessThanOrEqual(facts.cores ?? 0);
          expect(facts.pressure).not.toBe('critical');
          expect(facts.arrivals).not.toBeNull();
          if (facts.memoryRoom !== null) expect(decision.desired - from).toBeLessThanOrEqual(facts.memoryRoom);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('answers numbers, also to nonsense, and the same again to the same', () => {
    fc.assert(
      fc.property(anyLimits, steps(wild), anyNumber, (given, seen, span) => {
        const spanMs = Number.isFinite(span) ? Math.abs(span) % 10_000 : 1000;
        const played = play(new Scaler(given), seen, given.min, spanMs);
        for (const { decision } of played) {
          expect(Number.isInteger(decision.desired)).toBe(true);
          expect(Number.isSafeInteger(decision.target)).toBe(true);
          for (const value of Object.values(decision.numbers))
            if (typeof value === 'number') expect(Number.isNaN(value)).toBe(false);
        }
        expect(play(new Scaler(given), seen, given.min, spanMs)).toEqual(played);
      }),
      // Sums that overflow, times nothing: was NaN once.
      { numRuns: 200, examples: [[limits, [{ facts: { ...calm, completed: 1, busyMs: 1e308 }, repeated: 9 }], 1000]] },
    );
  });

  it('holds for reasons without figures, and explains what it does with them', () => {
    fc.assert(
      fc.property(anyLimits, steps(sensible), (given, seen) => {
        for (const { decision, from } of play(new Scaler(given), seen, given.min)) {
          if (decision.action === 'hold') expect(decision.reason).not.toMatch(/\d/);
          else {
            expect(decision.reason).toContain(`from ${from} to ${decision.desired}: `);
            expect(decision.numbers).toMatchObject({ from, desired: decision.desired });
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  /** The most resizes within any hour. */
  function busiestHour({ decisions }: Ticker): number {
    const at = decisions.flatMap(({ action }, second) => (action === 'hold' ? [] : [second]));
    return Math.max(0, ...at.map((from) => at.filter((second) => second >= from && second < from + 3600).length));
  }

  it.each([
    // With nothing but cooldowns and windows these would be 117, 144 and 154 resizes an hour.
    ['a square wave', 500, 125, (phase: number) => (phase < 0.5 ? 0.1 : 14)],
    ['short bursts', 500, 100, (phase: number) => (phase < 0.8 ? 0.1 : 14)],
    ['a triangle', 500, 300, (phase: number) => 1 + 13 * Math.abs(2 * phase - 1)],
    ['a slow triangle', 3000, 1200, (phase: number) => 1 + 13 * Math.abs(2 * phase - 1)],
  ])('resizes no more than 50 times an hour under %s', (_shape, bootMs, period, load) => {
    const ticker = new Ticker({}, 1);
    for (let second = 0; second < 3 * 3600; second++) ticker.tick(loaded(load((second % period) / period), { bootMs }));
    expect(busiestHour(ticker)).toBeLessThanOrEqual(50);
  });

  it('resizes no more than 50 times an hour, however the load swings', () => {
    const swings = fc.array(
      fc.record({ load: fc.double({ min: 0, max: 15, noNaN: true }), seconds: fc.integer({ min: 5, max: 300 }) }),
      { minLength: 2, maxLength: 6 },
    );
    fc.assert(
      fc.property(swings, fc.integer({ min: 500, max: 30_000 }), (swing, bootMs) => {
        const ticker = new Ticker({}, 1);
        while (ticker.now < 2 * 3_600_000)
          for (const { load, seconds } of swing) ticker.tick(loaded(load, { bootMs }), seconds);
        expect(busiestHour(ticker)).toBeLessThanOrEqual(50);
      }),
      { numRuns: 30 },
    );
  });

  it('comes to rest under a constant load, with enough workers and not many more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 120 }).map((tenths) => tenths / 10),
        fc.integer({ min: 1, max: 16 }),
        fc.double({ min: 0.2, max: 2, noNaN: true }),
        (load, first, headroom) => {
          const ticker = new Ticker({ headroom }, first);
          ticker.tick(loaded(load), 30 * 60);
          const { size } = ticker;
          ticker.tick(loaded(load), 30 * 60);
          expect(ticker.decisions.slice(-30 * 60).every(({ action }) => action === 'hold')).toBe(true);
          expect(size * 1.1).toBeGreaterThanOrEqual(load);
          expect(size).toBeLessThanOrEqual(Math.ceil(load + headroom * Math.sqrt(load)));
        },
      ),
      { numRuns: 60 },
    );
  });
});
