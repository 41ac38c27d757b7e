import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../bench/sim/random.js';
import {
  decideKeepalive,
  IdleHistory,
  type KeepaliveFacts,
  type KeepaliveState,
  keepaliveWindow,
  priceOf,
} from '../../src/policy/keepalive.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONDAY = Date.UTC(2024, 0, 1);

function learned(idle: Iterable<number>): { history: IdleHistory; wallMs: number } {
  const history = new IdleHistory();
  let wallMs = MONDAY;
  for (const ms of idle) {
    wallMs += ms;
    history.used(ms, wallMs);
  }
  return { history, wallMs };
}

function* poisson(perDay: number, count: number): Generator<number> {
  const random = new Random(7);
  for (let i = 0; i < count; i++) yield Math.ceil(random.exponential(DAY / perDay));
}

const facts = (changes: Partial<KeepaliveFacts>): KeepaliveFacts => ({
  loadSeconds: 1.1,
  mib: 120,
  price: priceOf('balanced', 'low'),
  fallbackMs: 15 * MINUTE,
  wallMs: MONDAY,
  ...changes,
});

describe('priceOf', () => {
  it('is dear where strategy or pressure want memory back', () => {
    expect(priceOf('aggressive', 'low')).toBeGreaterThan(priceOf('balanced', 'low'));
    expect(priceOf('balanced', 'low')).toBeGreaterThan(priceOf('conservative', 'low'));
    const rising = (['low', 'medium', 'high', 'critical'] as const).map((level) => priceOf('balanced', level));
    expect(rising).toEqual([...new Set(rising)].sort((a, b) => a - b));
    expect(priceOf('balanced', null)).toBe(priceOf('balanced', 'low'));
    expect(priceOf('balanced', 'high', 2)).toBe(2 * priceOf('balanced', 'high'));
  });
});

describe('keepaliveWindow', () => {
  it("takes the strategy's time while it knows little", () => {
    const { history, wallMs } = learned([HOUR, HOUR]);
    expect(keepaliveWindow(history, facts({ wallMs }))).toEqual({
      keepMs: 15 * MINUTE,
      prewarmMs: null,
      basis: 'strategy',
    });
    history.used(HOUR, wallMs + HOUR);
    expect(keepaliveWindow(history, facts({ wallMs })).basis).toBe('learned');
  });

  it('loads an hourly timer again just before it is due', () => {
    const { history, wallMs } = learned(new Array(48).fill(HOUR));
    const { keepMs, prewarmMs, basis } = keepaliveWindow(history, facts({ wallMs }));
    expect(basis).toBe('learned');
    expect(prewarmMs!).toBeGreaterThan(59 * MINUTE);
    expect(prewarmMs!).toBeLessThan(HOUR - 1100);
    expect(keepMs).toBeGreaterThan(HOUR);
    expect(keepMs).toBeLessThan(61 * MINUTE);
  });

  it('leaves time for the load, but begins no earlier than the horizon', () => {
    const { history, wallMs } = learned(new Array(48).fill(HOUR));
    const lead = (loadSeconds: number, horizonMs?: number) =>
      HOUR - keepaliveWindow(history, facts({ wallMs, loadSeconds, horizonMs })).prewarmMs!;
    expect(lead(200)).toBeGreaterThan(200_000);
    expect(lead(200, 100_000)).toBeLessThan(120_000);
  });

  it('keeps a busy model for far longer than it was ever idle, but not for ever', () => {
    const { history, wallMs } = learned(poisson(2000, 20_000));
    const { keepMs, prewarmMs } = keepaliveWindow(history, facts({ wallMs }));
    expect(prewarmMs).toBeNull();
    // Longest of 20,000 is about ten means of 43 s.
    expect(keepMs).toBeGreaterThan(8 * MINUTE);
    expect(keepMs).toBeLessThan(DAY);
  });

  it('unloads at once what is called so rarely that memory is worth more', () => {
    const { history, wallMs } = learned(poisson(1, 60));
    expect(keepaliveWindow(history, facts({ wallMs, mib: 2000, loadSeconds: 2 }))).toMatchObject({
      keepMs: 0,
      prewarmMs: null,
    });
  });

  it('keeps by day and unloads by night what is called by day', () => {
    const random = new Random(5);
    const history = new IdleHistory();
    let previous = MONDAY;
    for (let at = MONDAY; at < MONDAY + 14 * DAY; at += 3000) {
      if (random.next() > (2 / 1200) * (1 - 0.95 * Math.cos((2 * Math.PI * (at % DAY)) / DAY))) continue;
      history.used(at - previous, at);
      previous = at;
    }
    const at = (hour: number) =>
      keepaliveWindow(history, facts({ wallMs: MONDAY + 14 * DAY + hour * HOUR, price: 6e-6 }));
    expect(at(11).basis).toBe('seasonal');
    expect(at(11).prewarmMs).toBeNull();
    expect(at(11).keepMs).toBeGreaterThan(20 * MINUTE);
    const night = at(23);
    expect(night.prewarmMs === null ? night.keepMs : 0).toBeLessThan(20 * MINUTE);
  });

  it('never keeps longer in sum where memory is dearer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 500 }), fc.integer({ min: 5, max: 300 }), (perDay, count) => {
        const { history, wallMs } = learned(poisson(perDay, count));
        const loaded = (price: number) => {
          const { keepMs, prewarmMs } = keepaliveWindow(history, facts({ wallMs, price }));
          return [...poisson(perDay, 200)].reduce(
            (sum, ms) => sum + Math.max(0, Math.min(ms, keepMs) - (prewarmMs ?? 0)),
            0,
          );
        };
        const cheap = loaded(1e-6);
        expect(loaded(1e-5)).toBeLessThanOrEqual(cheap * 1.05 + 200 * 4000);
        expect(loaded(1e-3)).toBeLessThanOrEqual(loaded(1e-5) * 1.05 + 200 * 4000);
      }),
      { numRuns: 50 },
    );
  });

  it('sees a rarely called model as worth more than calls alone say', () => {
    // Twice a day: at a balanced price calls alone would never keep 120 MiB for hours.
    const { history, wallMs } = learned(new Array(40).fill(0).flatMap(() => [2 * MINUTE, 12 * HOUR]));
    expect(keepaliveWindow(history, facts({ wallMs })).keepMs).toBeGreaterThan(2 * MINUTE);
  });
});

describe('decideKeepalive', () => {
  const model = (changes: Partial<KeepaliveState>): KeepaliveState => ({
    state: 'loaded',
    idleMs: 10 * MINUTE,
    pinned: false,
    toZeroAfterMs: null,
    window: { keepMs: 30 * MINUTE, prewarmMs: null, basis: 'learned' },
    fallbackMs: 15 * MINUTE,
    ttlMs: null,
    ...changes,
  });
  const prewarmed = { keepMs: 61 * MINUTE, prewarmMs: 59 * MINUTE, basis: 'seasonal' as const };

  it.each<[string, Partial<KeepaliveState>, string, string | undefined]>([
    ['keeps within the learned window', {}, 'hold', 'learned'],
    ['unloads after it', { idleMs: 30 * MINUTE }, 'unload', 'learned'],
    ['takes to_zero_after exactly, whatever was learned', { toZeroAfterMs: 10 * MINUTE }, 'unload', 'to_zero_after'],
    ['and not a ms earlier', { toZeroAfterMs: 10 * MINUTE + 1 }, 'hold', 'to_zero_after'],
    [
      'does not prewarm against to_zero_after',
      { state: 'unloaded', idleMs: HOUR, toZeroAfterMs: 5 * MINUTE, window: prewarmed },
      'hold',
      'to_zero_after',
    ],
    ["takes the strategy's time without prediction", { window: null, idleMs: 15 * MINUTE }, 'unload', 'strategy'],
    ['keeps within it', { window: null, idleMs: 15 * MINUTE - 1 }, 'hold', 'strategy'],
    ['is capped by ttl', { ttlMs: 10 * MINUTE }, 'unload', 'ttl'],
    ['ttl caps to_zero_after too', { ttlMs: 10 * MINUTE, toZeroAfterMs: HOUR }, 'unload', 'ttl'],
    ['ttl that is longer changes nothing', { ttlMs: HOUR }, 'hold', 'learned'],
    [
      'unloads at once where the next request is a long way off',
      { idleMs: 0, window: prewarmed },
      'unload',
      'seasonal',
    ],
    [
      'does not load before it is time',
      { state: 'unloaded', idleMs: 59 * MINUTE - 1, window: prewarmed },
      'hold',
      'seasonal',
    ],
    ['loads in time', { state: 'unloaded', idleMs: 59 * MINUTE, window: prewarmed }, 'load', 'seasonal'],
    ['keeps what was loaded in time', { idleMs: HOUR, window: prewarmed }, 'hold', 'seasonal'],
    ['unloads it when nobody came', { idleMs: 61 * MINUTE, window: prewarmed }, 'unload', 'seasonal'],
    ['loads no more after that', { state: 'unloaded', idleMs: 61 * MINUTE, window: prewarmed }, 'hold', 'seasonal'],
    [
      'loads nothing beyond ttl',
      { state: 'unloaded', idleMs: HOUR, window: prewarmed, ttlMs: 20 * MINUTE },
      'hold',
      'ttl',
    ],
    ['leaves an unloaded model alone', { state: 'unloaded' }, 'hold', 'learned'],
    [
      'never unloads what is pinned',
      { pinned: true, idleMs: DAY, ttlMs: MINUTE, toZeroAfterMs: MINUTE },
      'hold',
      undefined,
    ],
    ['never unloads what is at work', { idleMs: null, ttlMs: 0, toZeroAfterMs: 0 }, 'hold', undefined],
    [
      'keeps for ever where the window says so',
      { idleMs: 1e12, window: { keepMs: Number.POSITIVE_INFINITY, prewarmMs: null, basis: 'learned' } },
      'hold',
      'learned',
    ],
  ])('%s', (_, changes, action, clock) => {
    const decision = decideKeepalive(model(changes));
    expect(decision.action).toBe(action);
    expect(decision.numbers.clock).toBe(clock);
    expect(decision.reason).not.toBe('');
  });

  it('never both loads and unloads at the same idle time', () => {
    const time = fc.integer({ min: 0, max: 1000 });
    fc.assert(
      fc.property(
        time,
        time,
        fc.option(time),
        fc.option(time),
        fc.option(time),
        (idleMs, keepMs, prewarmMs, ttlMs, toZeroAfterMs) => {
          const same = { idleMs, ttlMs, toZeroAfterMs, window: { keepMs, prewarmMs, basis: 'learned' as const } };
          const loaded = decideKeepalive(model({ ...same, state: 'loaded' })).action;
          const unloaded = decideKeepalive(model({ ...same, state: 'unloaded' })).action;
          expect(loaded === 'unload' && unloaded === 'load').toBe(false);
          expect(loaded).not.toBe('load');
          expect(unloaded).not.toBe('unload');
        },
      ),
    );
  });
});
