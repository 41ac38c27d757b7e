import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoadedModel } from '../../../src/policy/load/victims.js';
import { decideExchanges, type ExchangeFacts, type Newcomer } from '../../../src/policy/unload/exchange.js';

const MIB = 1024 ** 2;

const loaded = (name: string, mib: number, keepValue: number, given: Partial<LoadedModel> = {}): LoadedModel => ({
  name,
  size: { bytes: mib * MIB, gpuBytes: null },
  onDemand: true,
  kept: false,
  evict: false,
  idle: true,
  keepValue,
  standby: false,
  youngForMs: 0,
  required: false,
  neededBy: [],
  follows: false,
  ...given,
});

const newcomer = (name: string, mib: number, loadValue: number, isTime = (_: number) => true): Newcomer => ({
  name,
  size: { bytes: mib * MIB, gpuBytes: null },
  loadValue,
  isTime,
});

const facts = (given: Partial<ExchangeFacts>): ExchangeFacts => ({
  newcomers: [],
  candidates: [],
  room: { bytes: 0, gpuBytes: null },
  places: Number.POSITIVE_INFINITY,
  leastPrice: 1e-6,
  ...given,
});

const names = (given: Partial<ExchangeFacts>) =>
  decideExchanges(facts(given)).map(({ load, unload }) => `${load} for ${unload.join(' ') || 'nobody'}`);

describe('decideExchanges', () => {
  const cheap = loaded('cheap', 100, 1);
  const dear = loaded('dear', 100, 10);

  it('lets the least valuable go for who is worth much more', () => {
    expect(names({ newcomers: [newcomer('new', 100, 5)], candidates: [dear, cheap] })).toEqual(['new for cheap']);
  });

  it('lets nobody go for who is worth a little more', () => {
    expect(names({ newcomers: [newcomer('new', 100, 2)], candidates: [dear, cheap] })).toEqual([]);
  });

  it('weighs all that would go together', () => {
    // Four times as valuable by the MiB, but it takes all of them, and the others are larger.
    const many = [1, 2, 3].map((i) => loaded(`m${i}`, 90, 1));
    expect(names({ newcomers: [newcomer('new', 91, 3)], candidates: many })).toEqual(['new for m1 m2'].slice(1));
    expect(names({ newcomers: [newcomer('new', 90, 3)], candidates: many })).toEqual(['new for m1']);
  });

  it('takes free room, but not for who would be the next to go', () => {
    const room = { bytes: 100 * MIB, gpuBytes: null };
    expect(names({ newcomers: [newcomer('new', 100, 5)], candidates: [cheap], room })).toEqual(['new for nobody']);
    expect(names({ newcomers: [newcomer('new', 100, 0.5)], candidates: [cheap], room })).toEqual([]);
    expect(names({ newcomers: [newcomer('new', 100, 0.5)], candidates: [], room })).toEqual(['new for nobody']);
  });

  it('asks whether it is time at the price of what it displaces, and never at less than memory costs anyway', () => {
    const asked: number[] = [];
    const ask = (price: number) => asked.push(price) > 0;
    names({ newcomers: [newcomer('new', 100, 50, ask)], candidates: [loaded('old', 200, 4)] });
    names({
      newcomers: [newcomer('new', 100, 50, ask)],
      room: { bytes: 100 * MIB, gpuBytes: null },
      leastPrice: 3,
    });
    // 200 MiB of 4 for 100 MiB, times what a newcomer has to be worth.
    expect(asked).toEqual([2.5 * 8, 3]);
  });

  it('loads nobody before their time', () => {
    expect(names({ newcomers: [newcomer('new', 100, 5, () => false)], candidates: [cheap] })).toEqual([]);
  });

  it('makes a place where places are what lacks', () => {
    const room = { bytes: 1000 * MIB, gpuBytes: null };
    expect(names({ newcomers: [newcomer('new', 10, 50)], candidates: [cheap, dear], room, places: 0 })).toEqual([
      'new for cheap',
    ]);
  });

  it('never gives away more than there is, nobody twice, and nothing for what is worth less', () => {
    const model = fc.record({
      mib: fc.integer({ min: 1, max: 500 }),
      value: fc.double({ min: 0, max: 100, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(model, { maxLength: 12 }),
        fc.array(model, { maxLength: 12 }),
        fc.integer({ min: 0, max: 800 }),
        fc.integer({ min: 0, max: 3 }),
        (coming, there, roomMib, places) => {
          const newcomers = coming.map(({ mib, value }, i) => newcomer(`n${i}`, mib, value));
          const candidates = there.map(({ mib, value }, i) => loaded(`c${i}`, mib, value));
          const exchanges = decideExchanges(
            facts({ newcomers, candidates, room: { bytes: roomMib * MIB, gpuBytes: null }, places }),
          );
          const size = (name: string) =>
            [...newcomers, ...candidates].find((each) => each.name === name)!.size.bytes! / MIB;
          let left = roomMib;
          let placesLeft = places;
          const gone = exchanges.flatMap(({ unload }) => unload);
          expect(new Set(gone).size).toBe(gone.length);
          for (const { load, unload } of exchanges) {
            left += unload.reduce((sum, name) => sum + size(name), 0) - size(load);
            placesLeft += unload.length - 1;
            expect(left).toBeGreaterThanOrEqual(0);
            expect(placesLeft).toBeGreaterThanOrEqual(0);
            const lost = unload.reduce(
              (sum, name) => sum + size(name) * candidates.find((each) => each.name === name)!.keepValue,
              0,
            );
            expect(lost).toBeLessThan(newcomers.find(({ name }) => name === load)!.loadValue * size(load) + 1e-9);
          }
        },
      ),
    );
  });
});
