import fc from 'fast-check';
import { expect, it } from 'vitest';
import { afterGoing, type Cycle, roomInCycle } from '../../../src/policy/unload/cycle.js';

const RULES = { checkIntervalMs: 60_000, maxPerCycle: 5 };

it('the first that is due begins a cycle at once; from then on so many go until the interval is over', () => {
  expect(roomInCycle(null, RULES, false, true, 0)).toBe(5);
  const begun = afterGoing(null, 2, RULES, false, true, 1000);
  expect(begun).toEqual({ beganAt: 1000, gone: 2 });
  expect(roomInCycle(begun, RULES, false, true, 30_000)).toBe(3);
  const full = afterGoing(begun, 3, RULES, false, true, 30_000);
  expect(roomInCycle(full, RULES, false, true, 60_999)).toBe(0);
  expect(roomInCycle(full, RULES, false, true, 61_000)).toBe(5);
  expect(afterGoing(full, 1, RULES, false, true, 61_000)).toEqual({ beganAt: 61_000, gone: 1 });
});

it('where memory is urgent, the next cycle begins as soon as what went is measured', () => {
  const full: Cycle = { beganAt: 0, gone: 5 };
  expect(roomInCycle(full, RULES, true, false, 1000)).toBe(0);
  expect(roomInCycle(full, RULES, true, true, 1000)).toBe(5);
});

it('nothing going changes nothing', () => {
  expect(afterGoing(null, 0, RULES, true, true, 5)).toBeNull();
  const cycle: Cycle = { beganAt: 0, gone: 1 };
  expect(afterGoing(cycle, 0, RULES, true, true, 100_000)).toBe(cycle);
});

it('in any order of events no more than so many go in one interval, unless memory is urgent', () => {
  const step = fc.record({ afterMs: fc.nat(40_000), wanted: fc.nat(8) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let cycle: Cycle | null = null;
      let now = 0;
      let begins = Number.NEGATIVE_INFINITY;
      let inCycle = 0;
      for (const { afterMs, wanted } of steps) {
        now += afterMs;
        const gone = Math.min(wanted, roomInCycle(cycle, RULES, false, true, now));
        cycle = afterGoing(cycle, gone, RULES, false, true, now);
        if (gone === 0) continue;
        if (now - begins >= RULES.checkIntervalMs) [begins, inCycle] = [now, 0];
        inCycle += gone;
        expect(inCycle).toBeLessThanOrEqual(RULES.maxPerCycle);
      }
    }),
  );
});
