import { describe, expect, it } from 'vitest';
import { findCgroups } from '../../src/sensing/cgroup.js';
import { readStall } from '../../src/sensing/stall.js';
import { FakeMachine, machineFiles } from './fake-machine.js';

const read = (m: FakeMachine, name: 'memory' | 'cpu' | 'io') => readStall(name, m.proc, findCgroups(m.cgroupRoots));
const text = (some: string, full: string) =>
  `some avg10=${some} avg60=9.00 avg300=9.00 total=1\nfull avg10=${full} avg60=9.00 avg300=9.00 total=1\n`;

describe('pressure stall information', () => {
  it('is the share of the last 10 s, of the machine where our group has none of its own', () => {
    const m = new FakeMachine(machineFiles());
    expect(read(m, 'memory')).toEqual({ some: 0.015, full: 0.0025 });
    expect(read(m, 'cpu')).toEqual({ some: 0.3, full: 0 });
  });

  it('is of our own group where that is told apart', () => {
    const m = new FakeMachine({
      ...machineFiles(),
      'proc/self/cgroup': '0::/app\n',
      'cgroup/app/memory.pressure': text('50.00', '25.00'),
    });
    expect(read(m, 'memory')).toEqual({ some: 0.5, full: 0.25 });
    expect(read(m, 'io')?.some).toBe(0.04);
  });

  it('may lack the time in which all waited, as for the CPU of older kernels', () => {
    const m = new FakeMachine({ 'proc/pressure/cpu': 'some avg10=2.00 avg60=0.00 avg300=0.00 total=1\n' });
    expect(read(m, 'cpu')).toEqual({ some: 0.02, full: null });
  });

  it('is null in a kernel without it, and an error where it is not understood', () => {
    const m = new FakeMachine();
    expect(read(m, 'memory')).toBeNull();
    for (const garbage of ['', 'some avg10=', text('101.00', '0.00'), text('-1', '0'), text('NaN', '0')]) {
      m.write({ 'proc/pressure/memory': garbage });
      expect(() => read(m, 'memory'), garbage).toThrow();
    }
  });
});
