import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashKey, LOAD_BOUND, preferred, spreadByKey } from '../../../src/pool/balancers/consistent-hash.js';

const KEYS = Array.from({ length: 4000 }, (_, i) => hashKey(`user-${i}`));
const places = (count: number) => Array.from({ length: count }, (_, place) => ({ place, inputs: 0 }));
const all = () => true;
const winners = (workers: { place: number }[]) => KEYS.map((key) => workers[preferred(key, workers, all)]?.place);

const items = fc
  .array(fc.option(fc.string({ maxLength: 2 })), { maxLength: 60 })
  .map((keys) => keys.map((key) => ({ key, keyHash: key === null ? null : hashKey(key) })));
const workersOf = fc
  .array(fc.record({ inputs: fc.nat(6), free: fc.boolean() }), { minLength: 1, maxLength: 6 })
  .map((list) => list.map((worker, place) => ({ ...worker, place })));

describe('the worker that a key prefers', () => {
  it.each([1, 2, 3, 4, 7])('stays for all but 1.25/N of the keys when one is added to %i', (count) => {
    const [before, after] = [winners(places(count)), winners(places(count + 1))];
    const moved = before.flatMap((place, i) => (place === after[i] ? [] : [after[i]]));
    expect(moved.length / KEYS.length).toBeLessThanOrEqual(LOAD_BOUND / (count + 1));
    expect(new Set(moved)).toEqual(new Set([count]));
  });

  it('spreads keys evenly, short ones and numbers too', () => {
    for (const name of [(i: number) => `user-${i}`, String, (i: number) => String.fromCharCode(97 + (i % 26), i)]) {
      const counts = [0, 0, 0, 0];
      for (let i = 0; i < 4000; i++) counts[preferred(hashKey(name(i)), places(4), all)]!++;
      for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    }
  });

  it('goes by the place, so that a replacement has the keys of its predecessor, also while both are there', () => {
    const workers = places(3);
    const before = winners(workers);
    expect(winners(workers.toReversed())).toEqual(before);
    const both = [...workers, { place: 1, inputs: 0 }];
    for (const key of KEYS) {
      const index = preferred(key, both, all);
      expect(both[index]?.place).toBe(workers[preferred(key, workers, all)]?.place);
      expect(index).not.toBe(1);
    }
  });
});

describe('spreading by key', () => {
  it('sends each key to one worker, and only its own inputs in a batch, while nobody is over the bound', () => {
    const workers = places(3);
    const six = [0, 1, 2].flatMap((place) => {
      const key = KEYS.find((k) => preferred(k, workers, all) === place) as number;
      return [{ keyHash: key }, { keyHash: key }];
    });
    const batches = spreadByKey(six, workers, all, 32);
    expect(batches.map((batch) => batch.length)).toEqual([2, 2, 2]);
    batches.forEach((batch, place) => {
      for (const { keyHash } of batch) expect(preferred(keyHash, workers, all)).toBe(place);
    });
  });

  it('gives nothing to a worker without room, nothing twice, no batch over its size, and keeps the order', () => {
    fc.assert(
      fc.property(items, workersOf, fc.integer({ min: 1, max: 8 }), (list, workers, maxSize) => {
        const batches = spreadByKey(list, workers, (i) => workers[i]!.free, maxSize);
        const sent = batches.flat();
        expect(new Set(sent).size).toBe(sent.length);
        batches.forEach((batch, index) => {
          if (!workers[index]!.free) expect(batch).toEqual([]);
          expect(batch.length).toBeLessThanOrEqual(maxSize);
          const order = batch.map((item) => list.indexOf(item));
          expect(order).toEqual([...order].sort((a, b) => a - b));
        });
      }),
    );
  });

  it('lets nobody get over 1.25 times the mean, even if all have one key', () => {
    fc.assert(
      fc.property(workersOf, fc.integer({ min: 1, max: 60 }), fc.string(), (workers, count, key) => {
        const list = Array.from({ length: count }, () => ({ keyHash: hashKey(key) }));
        const batches = spreadByKey(list, workers, () => true, 1000);
        const total = workers.reduce((sum, w) => sum + w.inputs, count);
        const bound = Math.ceil((LOAD_BOUND * total) / workers.length);
        expect(batches.flat().length).toBe(count);
        batches.forEach((batch, index) => {
          if (batch.length > 0) expect(workers[index]!.inputs + batch.length).toBeLessThanOrEqual(bound);
        });
      }),
    );
  });

  it('holds work back for a busy worker only up to its bound: others with room do not stand idle for long', () => {
    const busy = { place: 0, inputs: 1, free: false };
    const workers = [busy, ...[1, 2, 3].map((place) => ({ place, inputs: 0, free: true }))];
    const key = KEYS.find((k) => preferred(k, workers, all) === 0) as number;
    const list = Array.from({ length: 20 }, () => ({ keyHash: key }));
    const batches = spreadByKey(list, workers, (i) => workers[i]!.free, 32);
    // ceil(1.25 × 21 / 4) = 7, one of which it has already.
    expect(20 - batches.flat().length).toBe(6);
    // One alone does not wait where all others are idle.
    expect(spreadByKey(list.slice(0, 1), workers, (i) => workers[i]!.free, 32).flat().length).toBe(1);
  });
});
