import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Descendants } from '../../src/sensing/descendants.js';
import { FakeMachine } from './fake-machine.js';

/** By pid: whose child it is, in whose group. */
const FAMILY: Readonly<Record<number, [ppid: number, pgrp: number]>> = {
  10: [1, 10],
  11: [10, 10],
  12: [11, 12],
  13: [12, 12],
  20: [1, 20],
  21: [20, 20],
  22: [1, 20],
  30: [1, 30],
};

it('finds the same from one look to the next as a look for the first time', () => {
  const pid = fc.constantFrom(...Object.keys(FAMILY).map(Number));
  const leaders = fc.constantFrom([10, 20], [20, 10], [10], [20, 99], []);
  const step = fc.record({ starts: fc.array(pid, { maxLength: 3 }), ends: fc.array(pid, { maxLength: 2 }), leaders });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const machine = new FakeMachine();
      const running = new Set<number>();
      const descendants = new Descendants(machine.proc);
      for (const { starts, ends, leaders } of steps) {
        for (const pid of starts) {
          const [ppid, pgrp] = FAMILY[pid]!;
          machine.process(pid, { ppid, pgrp, resident: 1 });
          running.add(pid);
        }
        for (const pid of ends) if (running.delete(pid)) machine.end(pid);
        const sorted = (trees: ReadonlyMap<number, readonly number[]>) =>
          [...trees].map(([leader, pids]) => [leader, [...pids].sort((a, b) => a - b)]);
        expect(sorted(descendants.of(leaders))).toEqual(sorted(new Descendants(machine.proc).of(leaders)));
      }
      machine.remove();
    }),
    { numRuns: 40 },
  );
});
