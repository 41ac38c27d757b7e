import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Footprints } from '../../src/sensing/footprints.js';
import type { ProcessStat } from '../../src/sensing/procfs.js';
import { FakeMachine } from './fake-machine.js';

const RSS = 100_000_000;

const stat = (pid: number, o: Partial<ProcessStat> = {}): ProcessStat => ({
  pid,
  ppid: 1,
  pgrp: pid,
  startTicks: 1000 + pid,
  cpuTicks: 0,
  threads: 1,
  vmsBytes: RSS * 10,
  rssBytes: RSS,
  ...o,
});

function machineWith(count: number): FakeMachine {
  const machine = new FakeMachine();
  for (let pid = 1; pid <= count; pid++) machine.process(pid, { resident: 1, pss: pid, uss: 1, files: 2 });
  return machine;
}

/** Processes whose memory says which tick it is: that of a footprint tells when it was read. */
const moving = (count: number, tick: number) =>
  Array.from({ length: count }, (_, i) => stat(i + 1, { rssBytes: RSS * (1 + tick) }));
const readIn = (footprints: Footprints, process: ProcessStat) => {
  const footprint = footprints.of(process);
  return footprint === null ? null : footprint.rssBytes / RSS - 1;
};

describe('Footprints', () => {
  it('reads proportional memory and open files', () => {
    const footprints = new Footprints(machineWith(1).proc);
    expect(footprints.of(stat(1))).toBeNull();
    footprints.tick([stat(1)], 0);
    expect(footprints.of(stat(1))).toEqual({ pssBytes: 1024, ussBytes: 1024, openFiles: 2, rssBytes: RSS });
  });

  it('reads each process once in 10 s, a part of them at each tick, never all in one', () => {
    const footprints = new Footprints(machineWith(50).proc);
    const perTick: number[] = [];
    for (let tick = 0; tick < 40; tick++) {
      const processes = moving(50, tick);
      footprints.tick(processes, tick * 1000);
      perTick.push(processes.filter((process) => readIn(footprints, process) === tick).length);
    }
    expect(Math.max(...perTick)).toBeLessThanOrEqual(6);
    for (const start of [0, 10, 20, 30])
      expect(perTick.slice(start, start + 10).reduce((sum, reads) => sum + reads)).toBe(50);
  });

  it('leaves one whose memory has not moved for 60 s, and reads it within 10 s once it has', () => {
    const footprints = new Footprints(machineWith(1).proc);
    const readAtEachTick = (rssBytes: number, from: number, to: number) => {
      const reads: number[] = [];
      for (let tick = from; tick < to; tick++) {
        const before = footprints.of(stat(1));
        footprints.tick([stat(1, { rssBytes })], tick * 1000);
        if (footprints.of(stat(1)) !== before) reads.push(tick);
      }
      return reads;
    };
    expect(readAtEachTick(RSS, 0, 61)).toEqual([0, 60]);
    expect(readAtEachTick(RSS * 1.009, 61, 120)).toEqual([]);
    expect(readAtEachTick(RSS * 1.011, 70, 76)).toEqual([70]);
  });

  it('has no figure older than 10 s of a process that moves, whatever comes and goes beside it', () => {
    const machine = machineWith(25);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 15, maxLength: 40 }),
        fc.integer({ min: 1, max: 25 }),
        (newcomers, residents) => {
          const footprints = new Footprints(machine.proc);
          let nextPid = 1000;
          for (const [tick, arriving] of newcomers.entries()) {
            // They live for one tick each, as the children of a shell loop do.
            const passing = Array.from({ length: arriving }, () => stat(nextPid++));
            const staying = moving(residents, tick);
            footprints.tick([...passing, ...staying], tick * 1000);
            if (tick < 10) continue;
            for (const process of staying) {
              const read = readIn(footprints, process);
              expect(read).not.toBeNull();
              expect(tick - (read ?? 0)).toBeLessThanOrEqual(10);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('starts anew with a process that got the pid of another', () => {
    const footprints = new Footprints(machineWith(1).proc);
    footprints.tick([stat(1)], 0);
    expect(footprints.of(stat(1))).not.toBeNull();
    const next = stat(1, { startTicks: 9999 });
    expect(footprints.of(next)).toBeNull();
  });

  it('does not make up for a stall all at once', () => {
    const footprints = new Footprints(machineWith(50).proc);
    footprints.tick(moving(50, 0), 0);
    const after = moving(50, 1);
    footprints.tick(after, 600_000);
    expect(after.filter((process) => readIn(footprints, process) === 1).length).toBeLessThan(30);
  });

  it('is null where it may not be read, and nothing for what has no memory', () => {
    const machine = new FakeMachine();
    machine.process(1, { resident: 10 });
    const footprints = new Footprints(machine.proc);
    const ended = stat(2, { vmsBytes: 0, rssBytes: 0 });
    footprints.tick([stat(1), ended], 0);
    expect(footprints.of(stat(1))).toMatchObject({ pssBytes: null, ussBytes: null, openFiles: null });
    expect(footprints.of(ended)).toMatchObject({ pssBytes: 0, ussBytes: 0, openFiles: 0 });
  });
});
