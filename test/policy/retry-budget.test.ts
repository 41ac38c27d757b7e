import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryBudget } from '../../src/policy/retry-budget.js';

const WINDOW_MS = 10_000;

function takeAll(budget: RetryBudget, perWorker: number, now: number): number {
  let taken = 0;
  while (taken < 100_000 && budget.take(perWorker, now)) taken++;
  return taken;
}

describe('RetryBudget', () => {
  it('allows a fifth of the requests of the last ten seconds', () => {
    const budget = new RetryBudget();
    for (let now = 0; now < 5000; now += 10) budget.request(1, now);
    expect(takeAll(budget, 1, 5000)).toBe(100);
    expect(budget.numbers(1, 5000)).toEqual({ retries: 100, requests: 500, limit: 100 });
  });

  it('allows ten where there is little to do, and whatever a single worker holds', () => {
    expect(takeAll(new RetryBudget(), 1, 0)).toBe(10);
    expect(takeAll(new RetryBudget(), 64, 0)).toBe(64);
  });

  it('forgets requests and retries alike', () => {
    const budget = new RetryBudget();
    budget.request(1000, 0);
    expect(takeAll(budget, 1, 0)).toBe(200);
    expect(budget.take(1, 8000)).toBe(false);
    expect(takeAll(budget, 1, WINDOW_MS + 1)).toBe(10);
  });

  it('never allows more within any window than the share or the floor of what that window and the one before it saw', () => {
    const event = fc.record({ after: fc.nat(3000), requests: fc.nat(50), retries: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (events, perWorker) => {
        const budget = new RetryBudget();
        const seen: { at: number; requests: number; retries: number }[] = [];
        let now = 0;
        for (const { after, requests, retries } of events) {
          now += after;
          budget.request(requests, now);
          let taken = 0;
          while (taken < retries && budget.take(perWorker, now)) taken++;
          seen.push({ at: now, requests, retries: taken });
          const within = (ms: number) => seen.filter(({ at }) => at > now - ms);
          const retried = within(WINDOW_MS * 0.9).reduce((sum, e) => sum + e.retries, 0);
          const requested = within(WINDOW_MS * 2).reduce((sum, e) => sum + e.requests, 0);
          expect(retried).toBeLessThanOrEqual(Math.max(10, perWorker, requested * 0.2));
        }
      }),
    );
  });
});
