import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConcurrencyLimit } from '../../src/policy/concurrency-limit.js';

/** A system that is always as full as the limit allows: its latency follows from Little's law. */
function saturate(
  limit: ConcurrencyLimit,
  system: { perMs: number; computeMs: number; timeoutMs: number },
  ms: number,
) {
  const { perMs, computeMs, timeoutMs } = system;
  for (let now = 0; now < ms; now += 1 / perMs) {
    const latencyMs = Math.max(computeMs, limit.value / perMs);
    limit.sample({ latencyMs, computeMs, timeoutMs }, Math.floor(limit.value), now);
  }
}

describe('ConcurrencyLimit', () => {
  it('bounds nothing before it is started and after it is stopped', () => {
    const limit = new ConcurrencyLimit();
    limit.sample({ latencyMs: 1e6, computeMs: 1, timeoutMs: 100 }, 5, 0);
    expect(limit.value).toBe(Number.POSITIVE_INFINITY);
    limit.start(10, 0, 0);
    expect(limit.value).toBe(10);
    limit.stop();
    expect(limit.value).toBe(Number.POSITIVE_INFINITY);
  });

  it('starts with what is inside, less what it waits too long for', () => {
    const limit = new ConcurrencyLimit();
    limit.sample({ latencyMs: 10, computeMs: 10, timeoutMs: 1010 }, 0, 0);
    expect(limit.wantedMs).toBe(510);
    limit.start(300, 765 - 10, 0);
    expect(limit.value).toBeCloseTo(200);
    limit.start(300, 60_000, 0);
    expect(limit.value).toBe(150);
  });

  it('settles at throughput × wanted latency, from below and from above', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 2, noNaN: true }),
        fc.double({ min: 1, max: 100, noNaN: true }),
        fc.integer({ min: 1, max: 2000 }),
        (perMs, computeMs, admitted) => {
          const limit = new ConcurrencyLimit();
          const system = { perMs, computeMs, timeoutMs: 1000 };
          limit.sample({ latencyMs: computeMs, computeMs, timeoutMs: 1000 }, 0, 0);
          limit.start(admitted, 0, 0);
          saturate(limit, system, 200_000);
          const wanted = perMs * (limit.wantedMs as number);
          expect(limit.value).toBeGreaterThan(0.75 * wanted);
          expect(limit.value).toBeLessThan(1.15 * wanted + 2);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('does not grow while nobody comes near it', () => {
    const limit = new ConcurrencyLimit();
    limit.start(100, 0, 0);
    for (let now = 0; now < 10_000; now += 5) limit.sample({ latencyMs: 10, computeMs: 10, timeoutMs: 1000 }, 3, now);
    expect(limit.value).toBe(100);
  });

  it('is at least 1 and a number, whatever it is told', () => {
    const ms = fc.double({ min: 0, max: 1e9, noNaN: true });
    const seen = fc.record({ latencyMs: ms, computeMs: ms, timeoutMs: ms });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(seen, fc.nat(1000), fc.nat(1000))),
        fc.nat(100),
        ms,
        (samples, admitted, waited) => {
          const limit = new ConcurrencyLimit();
          let now = 0;
          limit.start(admitted, waited, now);
          for (const [sample, inside, after] of samples) {
            now += after;
            limit.sample(sample, inside, now);
            expect(limit.value).toBeGreaterThanOrEqual(1);
            expect(Number.isFinite(limit.value)).toBe(true);
          }
        },
      ),
    );
  });
});
