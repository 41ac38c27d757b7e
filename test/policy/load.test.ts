import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideLoad,
  type LoadCause,
  type LoadDecision,
  type LoadedModel,
  type LoadFacts,
} from '../../src/policy/load.js';

const MIB = 1024 ** 2;
const CAUSES: readonly LoadCause[] = ['request', 'operator', 'start', 'eager', 'forecast', 'popular', 'standby'];
const UNASKED: readonly LoadCause[] = ['eager', 'forecast', 'popular', 'standby'];

function other(name: string, more: Partial<LoadedModel> = {}): LoadedModel {
  return {
    name,
    size: { bytes: 100 * MIB, gpuBytes: null },
    onDemand: true,
    kept: false,
    evict: false,
    idle: true,
    keepValue: 1,
    standby: false,
    youngForMs: 0,
    required: false,
    neededBy: [],
    follows: false,
    ...more,
  };
}

function facts(more: Partial<LoadFacts> = {}): LoadFacts {
  const need = more.need ?? { bytes: 100 * MIB, gpuBytes: null };
  return {
    cause: 'request',
    onDemand: true,
    need,
    least: need,
    room: { bytes: 500 * MIB, gpuBytes: null },
    coming: { bytes: 0, gpuBytes: 0 },
    leaving: 0,
    unknown: 0,
    brings: 0,
    standbyRoom: 300 * MIB,
    loading: 0,
    concurrentLoads: 2,
    maxLoaded: null,
    others: [],
    ...more,
  };
}

const outcome = ({ action, victims, waitsFor }: LoadDecision) => ({ action, victims, waitsFor });
const REFUSED = { action: 'refuse', victims: [], waitsFor: null };
const HOLDS = { action: 'hold', victims: [] };
const LOADS = { action: 'load', victims: [], waitsFor: null };
const ANYHOW = 'asked for, though memory has no room known';
const full = { bytes: 0, gpuBytes: null };

describe('while loads of unknown size are under way, or not measured yet', () => {
  const MIB = 1024 ** 2;
  const left = (mib: number) => ({ bytes: mib * MIB, gpuBytes: null });
  const unknown = (count: number, room: number, need: number | null = null) =>
    decideLoad(
      facts({ unknown: count, room: left(room), need: need === null ? { bytes: null, gpuBytes: null } : left(need) }),
    );

  it('as many load as memory would have room for if they were large; the others wait for the measurement', () => {
    expect(unknown(0, 10).action).toBe('load');
    expect(unknown(1, 512).action).toBe('load');
    expect(unknown(1, 511)).toMatchObject({ action: 'hold', waitsFor: 'turn' });
    expect(unknown(2, 512)).toMatchObject({ action: 'hold', waitsFor: 'turn' });
    expect(decideLoad(facts({ unknown: 9, room: { bytes: null, gpuBytes: null } })).action).toBe('load');
  });

  it('one whose size is known waits only where it might not fit', () => {
    expect(unknown(1, 300, 40).action).toBe('load');
    expect(unknown(1, 300, 50)).toMatchObject({ action: 'hold', waitsFor: 'turn' });
  });
});

describe('a load', () => {
  it('begins where there is room, and where nothing is known of it', () => {
    expect(outcome(decideLoad(facts()))).toEqual(LOADS);
    expect(outcome(decideLoad(facts({ room: { bytes: null, gpuBytes: null } })))).toEqual(LOADS);
    expect(outcome(decideLoad(facts({ need: { bytes: null, gpuBytes: null }, room: full })))).toEqual(LOADS);
  });

  it('waits for its turn, whoever wants it', () => {
    for (const cause of CAUSES)
      expect(outcome(decideLoad(facts({ cause, loading: 2 })))).toEqual({
        action: 'hold',
        victims: [],
        waitsFor: 'turn',
      });
  });

  it('lets the least valuable go, those on standby first', () => {
    const others = [
      other('dear', { keepValue: 9 }),
      other('cheap', { keepValue: 1 }),
      other('spare', { keepValue: 5, standby: true }),
    ];
    expect(decideLoad(facts({ room: full, others })).victims).toEqual(['spare']);
    expect(decideLoad(facts({ room: full, others: others.slice(0, 2) })).victims).toEqual(['cheap']);
  });

  it('lets those go first that users would rather have unloaded, after those on standby', () => {
    const others = [
      other('cheap', { keepValue: 1 }),
      other('unwanted', { keepValue: 9, evict: true }),
      other('spare', { keepValue: 5, standby: true }),
    ];
    const two = { need: { bytes: 200 * MIB, gpuBytes: null }, room: full };
    expect(decideLoad(facts({ ...two, others })).victims).toEqual(['spare', 'unwanted']);
  });

  it('never lets a pinned one go, though it is loaded on demand and counts for max_loaded', () => {
    const kept = other('kept', { kept: true });
    expect(outcome(decideLoad(facts({ room: full, others: [kept] })))).toEqual(REFUSED);
    expect(outcome(decideLoad(facts({ maxLoaded: 1, others: [kept] })))).toEqual(REFUSED);
    expect(decideLoad(facts({ room: full, others: [kept, other('other', { keepValue: 9 })] })).victims).toEqual([
      'other',
    ]);
    // Not even for a start: places are not to be had at anybody's word.
    expect(decideLoad(facts({ cause: 'start', maxLoaded: 1, others: [kept] })).action).toBe('refuse');
  });

  it('that would only have room without one that was loaded just now is refused for a while', () => {
    const young = other('young', { youngForMs: 20_000, keepValue: 1 });
    const younger = other('younger', { youngForMs: 50_000, keepValue: 0 });
    const both = facts({ room: full, others: [young, younger] });
    expect(decideLoad(both)).toMatchObject({ ...REFUSED, tooYoung: { victim: 'young', waitMs: 20_000 } });
    expect(decideLoad({ ...both, cause: 'operator' }).tooYoung).not.toBeNull();
    const two = { ...both, need: { bytes: 200 * MIB, gpuBytes: null } };
    expect(decideLoad({ ...two, least: two.need }).tooYoung).toEqual({ victim: 'younger', waitMs: 50_000 });
    expect(decideLoad(facts({ maxLoaded: 2, others: both.others })).tooYoung?.victim).toBe('young');
    // Those that are old enough go first, whatever they are worth; and where one of them is busy, it is waited for.
    const old = other('old', { keepValue: 9 });
    expect(decideLoad({ ...both, others: [young, old] }).victims).toEqual(['old']);
    expect(decideLoad({ ...both, others: [young, { ...old, idle: false }] })).toMatchObject({
      action: 'hold',
      waitsFor: 'busy',
      tooYoung: null,
    });
    // A busy one that is young is not waited for.
    expect(decideLoad({ ...both, others: [{ ...young, idle: false }] }).tooYoung?.victim).toBe('young');
  });

  it('is refused at once, also while others load', () => {
    const pinned = facts({ room: full, loading: 2, others: [other('pinned', { onDemand: false })] });
    expect(outcome(decideLoad(pinned))).toEqual(REFUSED);
    expect(decideLoad(facts({ room: full, loading: 2, others: [other('young', { youngForMs: 1 })] })).action).toBe(
      'refuse',
    );
    expect(decideLoad(facts({ room: full, loading: 2, others: [other('old')] })).waitsFor).toBe('turn');
  });

  it('that is foreseen, or starts, lets nobody go who was loaded just now, and is not refused for that', () => {
    const young = facts({ room: full, others: [other('young', { youngForMs: 1, standby: true })] });
    for (const cause of UNASKED) expect(outcome(decideLoad({ ...young, cause }))).toEqual({ ...HOLDS, waitsFor: null });
    expect(outcome(decideLoad({ ...young, cause: 'start' }))).toEqual(LOADS);
    const places = facts({ cause: 'start', maxLoaded: 1, others: young.others });
    expect(outcome(decideLoad(places))).toEqual({ ...HOLDS, waitsFor: 'residency' });
  });

  it('waits for those that were loaded just now rather than take less than it needs', () => {
    const grows = { need: { bytes: 100 * MIB, gpuBytes: null }, least: { bytes: 10 * MIB, gpuBytes: null } };
    const tight = facts({
      ...grows,
      room: { bytes: 50 * MIB, gpuBytes: null },
      others: [other('young', { youngForMs: 1 })],
    });
    expect(decideLoad(tight).tooYoung?.victim).toBe('young');
    expect(outcome(decideLoad({ ...tight, others: [] }))).toEqual(LOADS);
  });

  it('lets nobody go before those that cannot do without it, and nobody that it requires itself', () => {
    const shared = other('shared', { keepValue: 0, neededBy: ['a', 'b'] });
    const [a, b] = [other('a', { keepValue: 5 }), other('b', { keepValue: 6 })];
    expect(decideLoad(facts({ room: full, others: [shared, a, b] })).victims).toEqual(['a']);
    const all = { need: { bytes: 300 * MIB, gpuBytes: null }, room: full };
    expect(decideLoad(facts({ ...all, others: [shared, a, b] })).victims).toEqual(['a', 'b']);
    // They are on their way out, and it goes when they are gone.
    const coming = { bytes: 200 * MIB, gpuBytes: 0 };
    const left = other('shared', { follows: true });
    expect(outcome(decideLoad(facts({ ...all, coming, others: [left] })))).toEqual({ ...HOLDS, waitsFor: 'memory' });
    expect(decideLoad(facts({ ...all, coming, others: [{ ...left, follows: false }] })).victims).toEqual(['shared']);
    expect(decideLoad(facts({ room: full, others: [shared, a, { ...b, kept: true }] })).victims).toEqual(['a']);
    expect(decideLoad(facts({ ...all, others: [shared, a, { ...b, kept: true }] })).action).toBe('refuse');
    expect(outcome(decideLoad(facts({ room: full, others: [other('required', { required: true })] })))).toEqual(
      REFUSED,
    );
  });

  it('lets nobody go in vain', () => {
    const small = other('small', { keepValue: 1, size: { bytes: 10 * MIB, gpuBytes: null } });
    const large = other('large', { keepValue: 2 });
    expect(decideLoad(facts({ room: full, others: [small, large] })).victims).toEqual(['large']);
    const [a, b, c] = [
      other('a', { keepValue: 1 }),
      other('b', { keepValue: 2 }),
      other('c', { keepValue: 3, size: { bytes: 200 * MIB, gpuBytes: null } }),
    ];
    // a and c do, and so do b and c: a is worth less than b.
    expect(
      decideLoad(facts({ need: { bytes: 250 * MIB, gpuBytes: null }, room: full, others: [a, b, c] })).victims,
    ).toEqual(['a', 'c']);
  });

  it('waits for a busy model to make room, and for memory that is coming', () => {
    const busy = facts({ room: full, others: [other('busy', { idle: false })] });
    expect(outcome(decideLoad(busy))).toEqual({ action: 'hold', victims: [], waitsFor: 'busy' });
    const coming = facts({ room: full, others: [other('idle')], coming: { bytes: 100 * MIB, gpuBytes: 0 } });
    expect(outcome(decideLoad(coming))).toEqual({ action: 'hold', victims: [], waitsFor: 'memory' });
  });

  it('is refused to requests and operators, but not to a start, where only pinned models are in the way', () => {
    const pinned = facts({ room: full, others: [other('pinned', { onDemand: false })] });
    expect(outcome(decideLoad(pinned))).toEqual({ action: 'refuse', victims: [], waitsFor: null });
    expect(decideLoad({ ...pinned, cause: 'operator' }).action).toBe('refuse');
    expect(outcome(decideLoad({ ...pinned, cause: 'start' }))).toEqual(LOADS);
    expect(decideLoad({ ...pinned, cause: 'forecast' }).action).toBe('hold');
  });

  it('keeps to max_loaded, which knows only models on demand', () => {
    const others = [other('a', { keepValue: 2 }), other('b', { keepValue: 1 }), other('pinned', { onDemand: false })];
    expect(decideLoad(facts({ maxLoaded: 2, others })).victims).toEqual(['b']);
    expect(decideLoad(facts({ maxLoaded: 3, others })).action).toBe('load');
    expect(decideLoad(facts({ maxLoaded: 2, others, onDemand: false })).action).toBe('load');
    // One that unloads is still there, and makes a place by itself.
    expect(outcome(decideLoad(facts({ maxLoaded: 2, leaving: 1, others: others.slice(1) })))).toEqual({
      action: 'hold',
      victims: [],
      waitsFor: 'memory',
    });
    // A start is not refused for memory, and still keeps to its place.
    const tight = facts({
      maxLoaded: 2,
      others,
      room: full,
      need: { bytes: 900 * MIB, gpuBytes: null },
      cause: 'start',
    });
    expect(outcome(decideLoad(tight))).toEqual({ action: 'unload', victims: ['b'], waitsFor: null });
  });

  it('of one that takes more in use than right after its load, only the least is a reason to refuse it', () => {
    const grows = { need: { bytes: 900 * MIB, gpuBytes: null }, least: { bytes: 50 * MIB, gpuBytes: null } };
    const pinned = other('pinned', { onDemand: false });
    expect(outcome(decideLoad(facts({ ...grows, others: [pinned] })))).toEqual(LOADS);
    expect(decideLoad(facts({ ...grows, others: [pinned], room: full })).action).toBe('refuse');
    // As long as others can make room for all of it, they do.
    const large = other('large', { size: { bytes: 800 * MIB, gpuBytes: null } });
    expect(decideLoad(facts({ ...grows, others: [large] })).victims).toEqual(['large']);
  });

  it('of unknown size stands in nobody’s way, unless there is no room for anything', () => {
    const unknown = { need: { bytes: null, gpuBytes: null }, others: [other('idle')] };
    expect(outcome(decideLoad(facts({ ...unknown, room: { bytes: 1, gpuBytes: null } })))).toEqual(LOADS);
    expect(decideLoad(facts({ ...unknown, room: { bytes: -1, gpuBytes: null } })).victims).toEqual(['idle']);
    const none = facts({ ...unknown, others: [], room: { bytes: -1, gpuBytes: null } });
    expect(decideLoad(none).action).toBe('refuse');
  });

  it('counts the memory of GPUs by itself', () => {
    const gpu = { need: { bytes: 1, gpuBytes: 8 * MIB }, room: { bytes: 500 * MIB, gpuBytes: 0 } };
    const onGpu = other('on gpu', { keepValue: 9, size: { bytes: 1, gpuBytes: 8 * MIB } });
    expect(decideLoad(facts({ ...gpu, others: [onGpu, other('not', { keepValue: 1 })] })).victims).toEqual(['on gpu']);
  });

  it('on standby only takes what pressure leaves, and only its like make room for what is foreseen', () => {
    expect(decideLoad(facts({ cause: 'standby', standbyRoom: 50 * MIB })).action).toBe('hold');
    const others = [other('used'), other('spare', { standby: true, keepValue: 9 })];
    for (const cause of ['popular', 'forecast', 'eager'] as const)
      expect(decideLoad(facts({ cause, room: full, others })).victims).toEqual(['spare']);
    expect(decideLoad(facts({ cause: 'standby', room: full, others })).action).toBe('hold');
  });
});

describe('whatever is loaded', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
  const bytes = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null });
  const size = fc.record({ bytes, gpuBytes: bytes });
  const rarely = fc.integer({ min: 0, max: 4 }).map((n) => n === 0);
  const loaded = fc.record({
    name: fc.constantFrom(...NAMES),
    size,
    onDemand: rarely.map((not) => !not),
    kept: rarely,
    evict: fc.boolean(),
    idle: rarely.map((not) => !not),
    keepValue: fc.integer({ min: 0, max: 5 }),
    standby: fc.boolean(),
    youngForMs: fc.constantFrom(0, 0, 0, 10, 20, 30),
    required: rarely,
    neededBy: fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 2 }),
    follows: rarely,
  });
  const anyFacts: fc.Arbitrary<LoadFacts> = fc
    .record({
      cause: fc.constantFrom(...CAUSES),
      onDemand: fc.boolean(),
      need: size,
      room: fc.record({ bytes: fc.option(fc.integer({ min: -50, max: 100 }), { nil: null }), gpuBytes: bytes }),
      coming: fc.record({ bytes: fc.integer({ min: 0, max: 30 }), gpuBytes: fc.integer({ min: 0, max: 30 }) }),
      leaving: fc.integer({ min: 0, max: 3 }),
      standbyRoom: bytes,
      loading: fc.integer({ min: 0, max: 3 }),
      concurrentLoads: fc.integer({ min: 1, max: 3 }),
      maxLoaded: fc.option(fc.integer({ min: 1, max: 6 }), { nil: null }),
      others: fc.uniqueArray(loaded, { selector: ({ name }) => name }).map(withNeeds),
    })
    .map((known) => ({ ...known, unknown: 0, brings: 0, least: known.need }));
  const onDemand = (f: LoadFacts) => f.others.filter((each) => each.onDemand).length;
  const check = (property: (f: LoadFacts, decision: LoadDecision) => void) =>
    fc.assert(
      fc.property(anyFacts, (f) => property(f, decideLoad(f))),
      { numRuns: 3000 },
    );

  it('nobody busy, loading, pinned, needed or too young has to go, and for what is foreseen only those on standby', () => {
    check((f, { action, victims }) => {
      expect(action === 'unload').toBe(victims.length > 0);
      for (const name of victims) {
        const victim = f.others.find((each) => each.name === name);
        expect(victim).toMatchObject({
          idle: true,
          onDemand: true,
          kept: false,
          required: false,
          youngForMs: 0,
          neededBy: [],
          follows: false,
        });
        if (UNASKED.includes(f.cause)) expect(victim?.standby).toBe(true);
      }
    });
  });

  it('it loads, waits, unloads or is refused as a search through all sets of victims says', () => {
    check((f, decision) => {
      expect(kindOf(decision)).toEqual(reference(f));
    });
  });

  it('without any one of the victims it would not have been enough', () => {
    check((f, { victims }) => {
      for (const kept of victims) {
        const gone = f.others.filter((each) => victims.includes(each.name) && each.name !== kept);
        const after = decideLoad(without(f, gone));
        expect(after.action === 'load' && after.reason !== ANYHOW).toBe(false);
      }
    });
  });

  it('once the victims are gone, and what is coming has come, it loads, or lets those go that had to wait for them', () => {
    check((f, first) => {
      let now = f;
      let decision = first;
      if (decision.action !== 'unload') return;
      for (let round = 0; decision.action === 'unload'; round++) {
        expect(round).toBeLessThanOrEqual(NAMES.length);
        const gone = now.others.filter(({ name }) => decision.victims.includes(name));
        now = { ...without(now, gone), leaving: 0, coming: { bytes: 0, gpuBytes: 0 } };
        now = {
          ...now,
          room: plus(now.room, round === 0 ? [{ size: f.coming }] : []),
          others: now.others.map((each) => ({ ...each, follows: false })),
        };
        decision = decideLoad(now);
      }
      expect(decision.action).toBe('load');
    });
  });

  it('never loads beyond concurrent_loads, and on demand not beyond max_loaded', () => {
    check((f, { action }) => {
      if (action !== 'load') return;
      expect(f.loading).toBeLessThan(f.concurrentLoads);
      if (f.onDemand && f.maxLoaded !== null) expect(onDemand(f) + f.leaving + 1).toBeLessThanOrEqual(f.maxLoaded);
    });
  });

  it('whoever asked for it and has to wait, waits for something that ends', () => {
    check((f, { action, waitsFor }) => {
      if (action !== 'hold') return;
      switch (waitsFor) {
        case 'turn':
          expect(f.loading).toBeGreaterThan(0);
          break;
        case 'memory': {
          const coming = f.leaving + (f.coming.bytes ?? 0) + (f.coming.gpuBytes ?? 0);
          expect(coming > 0 || f.others.some(({ follows }) => follows)).toBe(true);
          break;
        }
        case 'busy':
          expect(f.others.some((each) => each.onDemand && !each.idle)).toBe(true);
          break;
        case 'residency':
          expect(f.others.some(({ youngForMs }) => youngForMs > 0)).toBe(true);
          break;
        case null:
          expect(UNASKED).toContain(f.cause);
      }
    });
  });

  it('more room never keeps it from loading', () => {
    check((f, { action, reason }) => {
      if (action !== 'load' || f.room.bytes === null || reason === ANYHOW) return;
      const more = { ...f, room: { ...f.room, bytes: f.room.bytes + 10 } };
      expect(decideLoad(more).action).toBe('load');
    });
  });

  it('a start is never refused, unless pinned models have taken all places', () => {
    check((f, { action }) => {
      if (action === 'refuse' && f.cause === 'start')
        expect(
          f.others.filter((each) => each.onDemand && (each.kept || each.required || needed(each))).length,
        ).toBeGreaterThan(0);
      else if (action === 'refuse') expect(f.cause).toMatch(/^(request|operator)$/);
    });
    function needed({ neededBy }: LoadedModel): boolean {
      return neededBy.length > 0;
    }
  });

  it('whoever is told to come back later finds those old enough by then', () => {
    check((f, { tooYoung }) => {
      if (tooYoung === null) return;
      const older = (ms: number) => ({
        ...f,
        others: f.others.map((each) => ({ ...each, idle: true, youngForMs: Math.max(0, each.youngForMs - ms) })),
      });
      expect(decideLoad(older(tooYoung.waitMs))).toMatchObject({ tooYoung: null });
      expect(decideLoad(older(tooYoung.waitMs)).action).not.toBe('refuse');
      expect(decideLoad(older(tooYoung.waitMs - 1)).tooYoung).not.toBeNull();
    });
  });

  /** All that may be said of it by trying each set of models. */
  function reference(f: LoadFacts): ReturnType<typeof kindOf> {
    const short = (of: 'bytes' | 'gpuBytes') => {
      const left = f.room[of];
      return left === null ? 0 : Math.max(0, (f.need[of] ?? 0) - left);
    };
    const places = !f.onDemand || f.maxLoaded === null ? 0 : Math.max(0, onDemand(f) + f.leaving + 1 - f.maxLoaded);
    const lack = { places, bytes: short('bytes'), gpuBytes: short('gpuBytes') };
    const missing = {
      places: lack.places - f.leaving,
      bytes: lack.bytes - (f.coming.bytes ?? 0),
      gpuBytes: lack.gpuBytes - (f.coming.gpuBytes ?? 0),
    };
    const is = (action: string, waitsFor: string | null = null, waitMs: number | null = null) => ({
      action,
      waitsFor,
      waitMs,
    });
    const turn = f.loading >= f.concurrentLoads ? is('hold', 'turn') : null;
    const asked = !UNASKED.includes(f.cause);
    if (lack.places + lack.bytes + lack.gpuBytes === 0) {
      const fits = f.cause !== 'standby' || f.standbyRoom === null || (f.need.bytes ?? 0) <= f.standbyRoom;
      return turn ?? is(fits ? 'load' : 'hold');
    }
    const able = (sets: LoadedModel[][], need = missing) =>
      sets.filter((set) => {
        const sum = (of: 'bytes' | 'gpuBytes') => set.reduce((total, each) => total + (each.size[of] ?? 0), 0);
        const isClosed = set.every(({ neededBy }) => neededBy.every((name) => set.some((each) => each.name === name)));
        return isClosed && set.length >= need.places && sum('bytes') >= need.bytes && sum('gpuBytes') >= need.gpuBytes;
      });
    const may = f.others.filter((each) => each.onDemand && !each.kept && !each.required);
    const old = may.filter(({ youngForMs }) => youngForMs === 0);
    const idle = old.filter((each) => each.idle);
    const free = ({ neededBy, follows }: LoadedModel) => neededBy.length === 0 && !follows;
    const now = asked ? idle : f.cause === 'standby' ? [] : idle.filter(({ standby }) => standby);
    const enough = able(subsets(now));
    if (enough.length > 0) {
      // Which of them go is a question of worth; whoever does is part of a set that is enough.
      const { victims } = decideLoad({ ...f, loading: 0 });
      const fitting = enough.filter((set) =>
        victims.length === 0 ? !set.some(free) : victims.every((name) => set.some((each) => each.name === name)),
      );
      expect(fitting.length).toBeGreaterThan(0);
      return turn ?? (victims.length > 0 ? is('unload') : is('hold', 'memory'));
    }
    if (!asked) return turn ?? is('hold');
    if (able(subsets(old)).length > 0) return turn ?? is('hold', 'busy');
    const later = able(subsets(may)).map((set) => Math.max(...set.map(({ youngForMs }) => youngForMs)));
    if (later.length > 0 && f.cause !== 'start') return is('refuse', null, Math.min(...later));
    if (f.cause !== 'start') return is('refuse');
    if (lack.places === 0) return turn ?? is('load');
    const only = { places: missing.places, bytes: 0, gpuBytes: 0 };
    if (able(subsets(idle), only).length > 0) {
      const { action, waitsFor } = decideLoad({ ...f, loading: 0 });
      expect(action === 'unload' || waitsFor === 'memory').toBe(true);
      return turn ?? is(action, waitsFor);
    }
    if (able(subsets(old), only).length > 0) return turn ?? is('hold', 'busy');
    return able(subsets(may), only).length > 0 ? (turn ?? is('hold', 'residency')) : is('refuse');
  }

  function kindOf({ action, waitsFor, tooYoung }: LoadDecision) {
    return { action: action as string, waitsFor: waitsFor as string | null, waitMs: tooYoung?.waitMs ?? null };
  }

  function subsets(models: readonly LoadedModel[]): LoadedModel[][] {
    let sets: LoadedModel[][] = [[]];
    for (const each of models) sets = sets.concat(sets.map((set) => [...set, each]));
    return sets;
  }

  /** Needs without circles, and with whatever follows from them: only what stands further on in the alphabet needs a model. */
  function withNeeds(others: LoadedModel[]): LoadedModel[] {
    const there = new Map(others.map((each) => [each.name, each]));
    const needing = (name: string): string[] =>
      (there.get(name)?.neededBy ?? [])
        .filter((each) => each > name && there.has(each))
        .flatMap((each) => [each, ...needing(each)]);
    return others.map((each) => ({ ...each, neededBy: [...new Set(needing(each.name))] }));
  }

  function without(f: LoadFacts, gone: readonly LoadedModel[]): LoadFacts {
    const names = gone.map(({ name }) => name);
    const others = f.others
      .filter(({ name }) => !names.includes(name))
      .map((each) => ({ ...each, neededBy: each.neededBy.filter((name) => !names.includes(name)) }));
    return { ...f, others, room: plus(f.room, gone) };
  }

  function plus(room: LoadFacts['room'], gone: readonly Pick<LoadedModel, 'size'>[]): LoadFacts['room'] {
    const sum = (of: 'bytes' | 'gpuBytes') => gone.reduce((total, each) => total + (each.size[of] ?? 0), 0);
    return {
      bytes: room.bytes === null ? null : room.bytes + sum('bytes'),
      gpuBytes: room.gpuBytes === null ? null : room.gpuBytes + sum('gpuBytes'),
    };
  }
});
