import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeepaliveClock } from '../../src/policy/keepalive.js';
import type { PressureLevel } from '../../src/policy/pressure.js';
import { decideUnloads, nextToGo, type UnloadCandidate, type UnloadRules } from '../../src/policy/unload.js';

const MIB = 1024 ** 2;
const MINUTE = 60_000;
const RULES: UnloadRules = {
  enabled: true,
  minResidencyMs: MINUTE,
  minSavingsBytes: MIB,
  pressureTimeoutMs: MINUTE,
  byPressure: true,
  byPattern: true,
  byPreference: true,
};
const NOT_DUE = {
  clock: 'strategy',
  due: false,
  adaptive: false,
  reason: 'kept warm',
  stays: 'its time is not over',
  label: 'balanced',
  numbers: {},
} as const;
const DUE = { ...NOT_DUE, due: true, reason: "idle for its strategy's time" };

/** Loaded long ago, idle for half an hour, and not due. */
function model(name: string, parts: Partial<UnloadCandidate> = {}): UnloadCandidate {
  return {
    name,
    onDemand: true,
    loading: false,
    idleMs: 30 * MINUTE,
    residentMs: 60 * MINUTE,
    bytes: 100 * MIB,
    preference: null,
    neededBy: [],
    keepalive: NOT_DUE,
    score: null,
    expected: false,
    keepValue: () => 1,
    ...parts,
  };
}

function decided(models: UnloadCandidate[], pressure: PressureLevel | null = 'low', rules: Partial<UnloadRules> = {}) {
  return decideUnloads(models, pressure, { ...RULES, ...rules });
}
const names = ({ due }: ReturnType<typeof decided>) => due.map(({ name }) => name);

describe('why a model goes', () => {
  it('its time is over: by the clock that rules it', () => {
    const [victim] = decided([model('a', { keepalive: DUE })]).due;
    expect(victim).toMatchObject({
      cause: 'pattern',
      label: 'Usage pattern unloading (balanced)',
      score: 0.8,
      exact: false,
    });
    expect(victim?.decision).toMatchObject({ action: 'unload', reason: DUE.reason });
    const learned = { ...DUE, clock: 'learned', adaptive: true, label: 'learned' } as const;
    expect(decided([model('a', { keepalive: learned })]).due[0]).toMatchObject({
      cause: 'adaptive',
      label: 'Adaptive unloading (learned)',
    });
    expect(decided([model('a')]).due).toEqual([]);
  });

  it('high pressure, once it has been idle for pressure_timeout, unless it is about to be used', () => {
    const [victim] = decided([model('a')], 'high').due;
    expect(victim).toMatchObject({ cause: 'pressure', label: 'Memory pressure unloading (high)', score: 1 });
    expect(names(decided([model('a', { idleMs: MINUTE - 1 })], 'high'))).toEqual([]);
    const expected = decided([model('a', { expected: true })], 'high');
    expect(names(expected)).toEqual([]);
    expect(expected.kept.get('a')).toBe('a request is likely soon');
    expect(names(decided([model('a')], 'medium'))).toEqual([]);
  });

  it('critical pressure, however short it was idle', () => {
    expect(names(decided([model('a', { idleMs: 0, expected: true })], 'critical'))).toEqual(['a']);
  });

  it('its user prefers that: as soon as it has been idle for pressure_timeout', () => {
    const [victim] = decided([model('a', { preference: 'evict', idleMs: MINUTE })]).due;
    expect(names(decided([model('a', { preference: 'evict', idleMs: MINUTE - 1 })]))).toEqual([]);
    expect(victim).toMatchObject({ cause: 'preference', label: 'User preference unloading' });
    expect(names(decided([model('a', { preference: 'evict' })], 'low', { byPreference: false }))).toEqual([]);
  });

  it('each cause can be switched off, and all of them together', () => {
    expect(names(decided([model('a')], 'critical', { byPressure: false }))).toEqual([]);
    expect(names(decided([model('a', { keepalive: DUE })], 'low', { byPattern: false }))).toEqual([]);
    const models = [model('a', { keepalive: DUE, preference: 'evict' })];
    const { due, kept } = decided(models, 'critical', { enabled: false });
    expect(due).toEqual([]);
    expect(kept.get('a')).toContain('switched off');
  });

  it('an exact clock overrules youth, savings and patterns that are off; nothing overrules a pin', () => {
    const exact = { ...DUE, clock: 'to_zero_after', label: 'to_zero_after' } as const;
    const young = model('a', { keepalive: exact, residentMs: 0, bytes: 1 });
    expect(decided([young], 'low', { byPattern: false }).due[0]).toMatchObject({ cause: 'pattern', exact: true });
    expect(names(decided([{ ...young, preference: 'keep' }]))).toEqual([]);
  });
});

describe('why a model stays', () => {
  it.each([
    [{ onDemand: false }, 'always loaded: workers.min, or scaled by hand'],
    [{ preference: 'keep' as const }, 'pinned'],
    [{ loading: true }, 'loading'],
    [{ idleMs: null }, 'busy'],
    [{ neededBy: ['b@v1', 'c@v1'] }, 'needed by b@v1, c@v1'],
    [{ residentMs: 20_000 }, 'loaded 20 s ago, stays for 60 s'],
    [{ bytes: MIB - 1 }, 'it saves too little'],
  ])('%j', (parts, why) => {
    const { due, kept } = decided([model('a', { keepalive: DUE, ...parts })], 'critical');
    expect(due).toEqual([]);
    expect(kept.get('a')).toBe(why);
  });

  it('what is not known of it does not keep it', () => {
    expect(names(decided([model('a', { keepalive: DUE, residentMs: null, bytes: null })]))).toEqual(['a']);
  });
});

describe('who goes first', () => {
  it('preference, then pressure, then patterns; of equal scores the least keep value', () => {
    const models = [
      model('pattern', { keepalive: DUE, idleMs: 10, keepValue: () => 0 }),
      model('dear', { keepValue: () => 5 }),
      model('cheap', { keepValue: () => 1 }),
      model('evict', { preference: 'evict', keepValue: () => 9 }),
    ];
    expect(names(decided(models, 'high'))).toEqual(['evict', 'cheap', 'dear', 'pattern']);
  });

  it('a strategy of one’s own says how soon by its score', () => {
    const models = [
      model('late', { keepalive: DUE, score: 0.1 }),
      model('usual', { keepalive: DUE }),
      model('soon', { keepalive: DUE, score: 0.9 }),
    ];
    expect(names(decided(models))).toEqual(['soon', 'usual', 'late']);
  });

  it('is foreseen for those that are not due', () => {
    const models = [
      model('b', { keepValue: () => 2 }),
      model('a', { keepValue: () => 1 }),
      model('busy', { idleMs: null }),
      model('pin', { preference: 'keep' }),
      model('e', { preference: 'evict', keepValue: () => 7 }),
    ];
    expect(nextToGo(models)).toEqual(['e', 'a', 'b']);
  });
});

describe('any snapshot', () => {
  const clock = fc.constantFrom<KeepaliveClock>('to_zero_after', 'ttl', 'learned', 'seasonal', 'strategy');
  const candidate = fc.record({
    onDemand: fc.boolean(),
    loading: fc.boolean(),
    idleMs: fc.option(fc.nat(2 * MINUTE)),
    residentMs: fc.option(fc.nat(2 * MINUTE)),
    bytes: fc.option(fc.nat(2 * MIB)),
    preference: fc.constantFrom('keep' as const, 'evict' as const, null),
    neededBy: fc.constantFrom<string[]>([], ['x@v1']),
    keepalive: fc
      .record({ clock, due: fc.boolean(), adaptive: fc.boolean() })
      .map((parts) => ({ ...NOT_DUE, ...parts })),
    score: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    expected: fc.boolean(),
    keepValue: fc.double({ min: 0, max: 10, noNaN: true }).map((value) => () => value),
  });
  const snapshot = fc
    .array(candidate, { maxLength: 12 })
    .map((all) => all.map((each, i) => ({ name: `m${i}`, ...each })));
  const pressure = fc.constantFrom<PressureLevel | null>('low', 'medium', 'high', 'critical', null);
  const rules = fc.record({
    enabled: fc.boolean(),
    minResidencyMs: fc.nat(2 * MINUTE),
    minSavingsBytes: fc.nat(2 * MIB),
    pressureTimeoutMs: fc.nat(2 * MINUTE),
    byPressure: fc.boolean(),
    byPattern: fc.boolean(),
    byPreference: fc.boolean(),
  });

  it('never names a busy, pinned, loading, needed or too young model', () => {
    fc.assert(
      fc.property(snapshot, pressure, rules, (models, level, given) => {
        for (const { name, exact, cause } of decideUnloads(models, level, given).due) {
          const named = models.find((each) => each.name === name)!;
          expect(named).toMatchObject({ onDemand: true, loading: false, neededBy: [] });
          expect(named.idleMs).not.toBeNull();
          expect(named.preference).not.toBe('keep');
          expect(given.enabled).toBe(true);
          if (exact) expect(['to_zero_after', 'ttl']).toContain(named.keepalive.clock);
          else {
            expect(named.residentMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(given.minResidencyMs);
            expect(named.bytes ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(given.minSavingsBytes);
          }
          if (cause === 'pressure') expect(given.byPressure && (level === 'high' || level === 'critical')).toBe(true);
          if (cause === 'preference') expect(given.byPreference).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('says of each model once that it goes, or why it stays; the order follows the scores, and not the order they came in', () => {
    fc.assert(
      fc.property(snapshot, pressure, rules, (models, level, given) => {
        const { due, kept } = decideUnloads(models, level, given);
        expect([...due.map(({ name }) => name), ...kept.keys()].sort()).toEqual(models.map(({ name }) => name).sort());
        const scores = due.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
        const reversed = decideUnloads([...models].reverse(), level, given);
        expect(reversed.due).toEqual(due);
      }),
    );
  });
});
