import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { hashInput, Quarantine } from '../../src/pool/quarantine.js';

describe('hashInput', () => {
  it('names equal content equally and different content differently, typed arrays and big integers too', () => {
    expect(hashInput({ a: [1, 'x'] })).toBe(hashInput({ a: [1, 'x'] }));
    const different = [
      1,
      '1',
      null,
      1n,
      [1],
      { a: 1 },
      new Float32Array([1]),
      new Float32Array([2]),
      new Uint8Array([1]),
    ];
    expect(new Set(different.map(hashInput)).size).toBe(different.length);
  });
});

describe('Quarantine', () => {
  it('counts strikes, forgives, and forgets after ten minutes', () => {
    const clock = new ManualClock();
    const quarantine = new Quarantine(clock);
    expect([quarantine.size, quarantine.strikes('a')]).toEqual([0, null]);
    expect(quarantine.strike('a')).toBe(1);
    quarantine.suspect('a');
    quarantine.suspect('b');
    expect([quarantine.strikes('a'), quarantine.strikes('b')]).toEqual([1, 0]);
    clock.advance(599_999);
    expect(quarantine.strike('a')).toBe(2);
    expect(quarantine.list()).toMatchObject([
      { hash: 'b', quarantined: false, remainingMs: 1 },
      { hash: 'a', quarantined: true, remainingMs: 600_000 },
    ]);
    clock.advance(1);
    expect(quarantine.size).toBe(1);
    quarantine.forgive('a');
    expect(quarantine.size).toBe(0);
  });

  it('holds no more than its bound, and lets the oldest go', () => {
    const quarantine = new Quarantine(new ManualClock(), { max: 2 });
    for (const hash of ['a', 'b', 'a', 'c']) quarantine.strike(hash);
    expect([quarantine.strikes('a'), quarantine.strikes('b'), quarantine.strikes('c')]).toEqual([2, null, 1]);
  });
});
