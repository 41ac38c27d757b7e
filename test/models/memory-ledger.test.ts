import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryLedger } from '../../src/models/memory-ledger.js';

const size = (bytes: number | null) => ({ bytes, gpuBytes: null });
const nothing = () => size(null);

describe('the memory ledger', () => {
  it('reserves what a load will take beyond what it has taken, until a sample shows all of it', () => {
    const ledger = new MemoryLedger<string>();
    ledger.reserve('a', size(100));
    expect(ledger.reserved(nothing).bytes).toBe(100);
    expect(ledger.reserved(() => size(60)).bytes).toBe(40);
    expect(ledger.reserved(() => size(130)).bytes).toBe(0);
    ledger.loaded('a', 50);
    ledger.sampled(50);
    expect(ledger.reserved(() => size(60)).bytes).toBe(40);
    ledger.sampled(51);
    expect(ledger.reserved(() => size(60)).bytes).toBe(0);
    expect(ledger.size).toBe(0);
  });

  it('expects what an unloading gives back until a sample after its end shows it', () => {
    const ledger = new MemoryLedger<string>();
    ledger.leaves('a', size(100));
    ledger.sampled(1000);
    expect(ledger.coming().bytes).toBe(100);
    ledger.left('a', 1000);
    expect(ledger.coming().bytes).toBe(100);
    ledger.sampled(1001);
    expect(ledger.coming().bytes).toBe(0);
  });

  it('lets the end of an unloading not end the load that followed it', () => {
    const ledger = new MemoryLedger<string>();
    ledger.leaves('a', size(100));
    ledger.reserve('a', size(100));
    ledger.left('a', 10);
    ledger.sampled(20);
    expect(ledger.reserved(nothing).bytes).toBe(100);
  });

  it('is never negative, and empty at rest, whatever happened', () => {
    const step = fc.record({
      model: fc.constantFrom('a', 'b', 'c'),
      what: fc.constantFrom('reserve', 'loaded', 'leaves', 'left', 'forget', 'sampled'),
      bytes: fc.option(fc.integer({ min: 0, max: 100 }), { nil: null }),
      measured: fc.integer({ min: 0, max: 150 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ledger = new MemoryLedger<string>();
        let now = 0;
        for (const { model, what, bytes, measured } of steps) {
          now++;
          if (what === 'reserve' || what === 'leaves') ledger[what](model, size(bytes));
          else if (what === 'loaded' || what === 'left') ledger[what](model, now);
          else if (what === 'forget') ledger.forget(model);
          else ledger.sampled(now);
          expect(ledger.reserved(() => size(measured)).bytes).toBeGreaterThanOrEqual(0);
          expect(ledger.coming().bytes).toBeGreaterThanOrEqual(0);
          expect(ledger.size).toBeLessThanOrEqual(3);
        }
        for (const model of ['a', 'b', 'c']) {
          ledger.loaded(model, now);
          ledger.left(model, now);
        }
        ledger.sampled(now + 1);
        expect(ledger.size).toBe(0);
        expect([ledger.reserved(nothing).bytes, ledger.coming().bytes]).toEqual([0, 0]);
      }),
    );
  });
});
