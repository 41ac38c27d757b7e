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
    idle: true,
    keepValue: 1,
    standby: false,
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
    standbyRoom: 300 * MIB,
    loading: 0,
    concurrentLoads: 2,
    maxLoaded: null,
    others: [],
    ...more,
  };
}

const outcome = ({ action, victims, waitsFor }: LoadDecision) => ({ action, victims, waitsFor });
const LOADS = { action: 'load', victims: [], waitsFor: null };
const ANYHOW = 'asked for, though memory has no room known';
const full = { bytes: 0, gpuBytes: null };

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
  const bytes = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null });
  const size = fc.record({ bytes, gpuBytes: bytes });
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
      others: fc.uniqueArray(
        fc.record({
          name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
          size,
          onDemand: fc.boolean(),
          idle: fc.boolean(),
          keepValue: fc.integer({ min: 0, max: 5 }),
          standby: fc.boolean(),
        }),
        { selector: ({ name }) => name },
      ),
    })
    .map((known) => ({ ...known, least: known.need }));
  const onDemand = (f: LoadFacts) => f.others.filter((each) => each.onDemand).length;
  const check = (property: (f: LoadFacts, decision: LoadDecision) => void) =>
    fc.assert(
      fc.property(anyFacts, (f) => property(f, decideLoad(f))),
      { numRuns: 3000 },
    );

  it('nobody busy or pinned has to go, and for what is foreseen only those on standby', () => {
    check((f, { action, victims }) => {
      expect(action === 'unload').toBe(victims.length > 0);
      for (const name of victims) {
        const victim = f.others.find((each) => each.name === name);
        expect(victim).toMatchObject({ idle: true, onDemand: true });
        if (UNASKED.includes(f.cause)) expect(victim?.standby).toBe(true);
      }
    });
  });

  it('without any one of the victims it would not have been enough', () => {
    check((f, { victims }) => {
      for (const kept of victims) {
        const rest = f.others.map((each) => (victims.includes(each.name) && each.name !== kept ? null : each));
        const gone = f.others.filter((each) => victims.includes(each.name) && each.name !== kept);
        const after = decideLoad({
          ...f,
          others: rest.filter((each) => each !== null),
          room: plus(f.room, gone),
        });
        expect(after.action === 'load' && after.reason !== ANYHOW).toBe(false);
      }
    });
  });

  it('once the victims are gone, and what is coming has come, it loads', () => {
    check((f, { action, victims }) => {
      if (action !== 'unload') return;
      const gone = f.others.filter((each) => victims.includes(each.name));
      const room = plus(plus(f.room, gone), [{ size: f.coming }]);
      const others = f.others.filter((each) => !victims.includes(each.name));
      const after = decideLoad({ ...f, others, room, leaving: 0, coming: { bytes: 0, gpuBytes: 0 } });
      expect(after.action).toBe('load');
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
        case 'memory':
          expect(f.leaving + (f.coming.bytes ?? 0) + (f.coming.gpuBytes ?? 0)).toBeGreaterThan(0);
          break;
        case 'busy':
          expect(f.others.some((each) => each.onDemand && !each.idle)).toBe(true);
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

  it('a start is never refused', () => {
    check((f, { action }) => {
      if (action === 'refuse') expect(f.cause).toMatch(/^(request|operator)$/);
    });
  });

  function plus(room: LoadFacts['room'], gone: readonly Pick<LoadedModel, 'size'>[]): LoadFacts['room'] {
    const sum = (of: 'bytes' | 'gpuBytes') => gone.reduce((total, each) => total + (each.size[of] ?? 0), 0);
    return {
      bytes: room.bytes === null ? null : room.bytes + sum('bytes'),
      gpuBytes: room.gpuBytes === null ? null : room.gpuBytes + sum('gpuBytes'),
    };
  }
});
