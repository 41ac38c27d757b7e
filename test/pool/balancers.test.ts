import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balancers } from '../../src/pool/balancers.js';

const load = fc.record({ inputs: fc.nat(5), free: fc.boolean() });
const takes = (worker: { free: boolean }) => worker.free;

describe('least_connections', () => {
  it('picks one with room and the least in flight, if there is one', () => {
    fc.assert(
      fc.property(fc.array(load, { maxLength: 8 }), fc.integer({ min: -1, max: 7 }), (workers, last) => {
        const index = balancers.least_connections(workers, last, takes);
        const free = workers.filter(takes);
        if (free.length === 0) expect(index).toBe(-1);
        else {
          expect(workers[index]?.free).toBe(true);
          expect(workers[index]?.inputs).toBe(Math.min(...free.map((w) => w.inputs)));
        }
      }),
    );
  });

  it('takes turns among equals', () => {
    const workers = [1, 1, 1].map((inputs) => ({ inputs, free: true }));
    const picks: number[] = [];
    for (let last = -1; picks.length < 6; picks.push(last)) last = balancers.least_connections(workers, last, takes);
    expect(picks).toEqual([0, 1, 2, 0, 1, 2]);
  });
});

describe('round_robin', () => {
  it('goes around those with room', () => {
    const workers = [true, false, true].map((free, i) => ({ inputs: i * 10, free }));
    const picks: number[] = [];
    for (let last = -1; picks.length < 4; picks.push(last)) last = balancers.round_robin(workers, last, takes);
    expect(picks).toEqual([0, 2, 0, 2]);
    expect(balancers.round_robin([{ inputs: 0, free: false }], 0, takes)).toBe(-1);
  });
});
