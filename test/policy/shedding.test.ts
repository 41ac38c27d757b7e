import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Shedding, waitTargetMs } from '../../src/policy/shedding.js';

const TARGET_MS = 100;

describe('waitTargetMs', () => {
  it('is half of what the answer itself leaves of the deadline, and never nothing', () => {
    expect(waitTargetMs(1000, 0)).toBe(500);
    expect(waitTargetMs(1000, 800)).toBe(100);
    expect(waitTargetMs(1000, 5000)).toBe(5);
  });
});

describe('Shedding', () => {
  it('starts when the queue was late for as long as it may wait, and not before', () => {
    const shedding = new Shedding();
    expect(shedding.left(101, TARGET_MS, 0)).toBe(false);
    expect(shedding.left(150, TARGET_MS, 99)).toBe(false);
    expect(shedding.left(150, TARGET_MS, 100)).toBe(true);
    expect(shedding.active).toBe(true);
  });

  it.each([null, 100])('begins anew with a queue that is in time for a moment (%s)', (waitedMs) => {
    const shedding = new Shedding();
    shedding.left(101, TARGET_MS, 0);
    shedding.left(waitedMs, TARGET_MS, 60);
    expect(shedding.left(150, TARGET_MS, 110)).toBe(false);
    expect(shedding.left(150, TARGET_MS, 209)).toBe(false);
    expect(shedding.left(150, TARGET_MS, 210)).toBe(true);
  });

  it('ends when nothing had to be refused for an interval, and tells how long it lasted', () => {
    const shedding = new Shedding();
    shedding.left(101, TARGET_MS, 0);
    shedding.left(101, TARGET_MS, 100);
    shedding.refused(300);
    expect(shedding.dueAt).toBe(400);
    shedding.left(50, TARGET_MS, 350);
    expect(shedding.ended(399)).toBeNull();
    expect(shedding.ended(400)).toBe(300);
    expect([shedding.active, shedding.dueAt]).toEqual([false, null]);
  });

  it('does not end while the queue is late', () => {
    const shedding = new Shedding();
    shedding.left(101, TARGET_MS, 0);
    shedding.left(101, TARGET_MS, 100);
    expect(shedding.ended(1000)).toBeNull();
    shedding.left(null, TARGET_MS, 1001);
    expect(shedding.ended(1001)).toBe(901);
  });

  it('never starts on a burst that can be answered in time: late for less than one target', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 10_000 }), fc.integer({ min: 1, max: 500 }), (timeoutMs, served) => {
        const shedding = new Shedding();
        const target = waitTargetMs(timeoutMs, 0);
        // The whole burst comes at 0 and is worked off evenly within the deadline.
        for (let i = 1; i <= served; i++) {
          const now = (i * timeoutMs) / served;
          expect(shedding.left(i < served ? now : null, target, now)).toBe(false);
        }
      }),
    );
  });
});
