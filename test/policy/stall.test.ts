import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideStall, type StallFacts } from '../../src/policy/stall.js';

const LIMITS = { wedgeMs: 10_000, maxDelayMs: 0 };
const busy = (worker: string, inFlightMs: number) => ({ worker, hasRoom: false, inFlightMs });
const idle = (worker: string) => ({ worker, hasRoom: true, inFlightMs: null });
const facts = (more: Partial<StallFacts> = {}): StallFacts => ({
  queued: 3,
  oldestMs: 20_000,
  stillMs: 20_000,
  p95Ms: 100,
  workers: [busy('w/1', 20_000), busy('w/2', 25_000)],
  ...more,
});

describe('a queue stands still', () => {
  it('when nothing was given back for long: the worker that holds its batch longest goes', () => {
    expect(decideStall(facts(), LIMITS)).toEqual({
      action: 'replace',
      worker: 'w/2',
      stalled: true,
      reason: 'work waits, and it does not give back what it has',
      numbers: { queued: 3, waited_ms: 20_000, still_ms: 20_000, limit_ms: 10_000, p95_ms: 100, in_flight_ms: 25_000 },
    });
  });

  it('when a worker has room and takes nothing: that one goes, whatever batches take', () => {
    const workers = [busy('w/1', 20_000), idle('w/2')];
    expect(decideStall(facts({ workers }), LIMITS)).toMatchObject({ action: 'replace', worker: 'w/2' });
    expect(decideStall(facts({ workers, p95Ms: null }), LIMITS)).toMatchObject({ action: 'replace', worker: 'w/2' });
  });

  it('not while it may be slow work: twice the usual time, and a full pool of which nothing is known', () => {
    expect(decideStall(facts({ p95Ms: 10_000 }), LIMITS).stalled).toBe(false);
    expect(decideStall(facts({ p95Ms: 9999 }), LIMITS).stalled).toBe(true);
    expect(decideStall(facts({ p95Ms: null }), LIMITS).stalled).toBe(false);
  });

  it('not while it waits for a fuller batch, while nothing waits, or nobody is there', () => {
    expect(decideStall(facts({ workers: [idle('w/1')] }), { ...LIMITS, maxDelayMs: 10_000 }).stalled).toBe(false);
    expect(decideStall(facts({ queued: 0 }), LIMITS).stalled).toBe(false);
    expect(decideStall(facts({ workers: [] }), LIMITS).stalled).toBe(false);
  });

  it('names a worker of the pool whenever it says so, and never does while something moves', () => {
    const worker = fc.record({
      worker: fc.constantFrom('a', 'b', 'c'),
      hasRoom: fc.boolean(),
      inFlightMs: fc.option(fc.nat(1e5)),
    });
    const any = fc.record({
      queued: fc.nat(5),
      oldestMs: fc.nat(1e5),
      stillMs: fc.nat(1e5),
      p95Ms: fc.option(fc.nat(1e4)),
      workers: fc.array(worker, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(any, (given) => {
        const { stalled, worker: name, action } = decideStall(given, LIMITS);
        expect(action === 'replace').toBe(stalled);
        if (stalled) expect(given.workers.map((w) => w.worker)).toContain(name);
        if (given.stillMs <= LIMITS.wedgeMs) expect(stalled).toBe(false);
      }),
    );
  });
});
