import os from 'node:os';
import { describe, expect, it } from 'vitest';
import {
  type CpuTimes,
  cpuBetween,
  readCpuTimes,
  readDisk,
  readLoad,
  readMemory,
  readTraffic,
  totalTraffic,
  trafficBetween,
} from '../../src/sensing/machine.js';
import { FakeMachine, machineFiles } from './fake-machine.js';

const KIB = 1024;

describe('memory', () => {
  it('is in bytes, and takes no other line that ends alike', () => {
    expect(readMemory(new FakeMachine(machineFiles()).proc)).toEqual({
      totalBytes: 4096000 * KIB,
      availableBytes: 2048000 * KIB,
      swapTotalBytes: 100 * KIB,
      swapFreeBytes: 40 * KIB,
    });
  });

  it.each([
    ['a line that is missing', 'MemTotal: 1 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n'],
    ['no memory at all', 'MemTotal: 0 kB\nMemAvailable: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n'],
    ['a text that was cut', 'MemTotal: 1 kB\nMemAvailable:'],
    ['nothing', ''],
  ])('throws at %s', (_what, meminfo) => {
    expect(() => readMemory(new FakeMachine({ 'proc/meminfo': meminfo }).proc)).toThrow();
  });

  it('agrees with the system', () => {
    expect(readMemory('/proc').totalBytes).toBe(os.totalmem());
  });
});

describe('CPU', () => {
  const times = (...cpu: [busy: number, idle: number][]): CpuTimes =>
    readCpuTimes(new FakeMachine(machineFiles({ cpu })).proc);

  it('is busy by user, nice, system, interrupts and stolen time; idle by idle and waiting for disks', () => {
    const { proc } = new FakeMachine({ 'proc/stat': 'cpu  1 2 3 40 5 6 7 8 1 1\ncpu0 1 2 3 40 5 6 7 8 1 1\nintr 9\n' });
    expect(readCpuTimes(proc)).toEqual({
      total: { busy: 27, idle: 45 },
      cores: new Map([['cpu0', { busy: 27, idle: 45 }]]),
    });
  });

  it('is shared out between two looks, in all and by core', () => {
    expect(cpuBetween(times([100, 900], [0, 1000]), times([175, 925], [25, 1075]))).toEqual({
      share: 0.5,
      perCore: [0.75, 0.25],
    });
  });

  it('is unknown where no time has passed, a counter went backwards, or a core came or went', () => {
    const now = times([100, 900], [100, 900]);
    expect(cpuBetween(now, now)).toBeNull();
    expect(cpuBetween(now, times([200, 950], [100, 900]))).toBeNull();
    expect(cpuBetween(now, times([50, 990], [200, 950]))).toBeNull();
    expect(cpuBetween(now, times([300, 2000]))).toBeNull();
    expect(cpuBetween(times([100, 900]), now)).toBeNull();
  });

  it('bears an idle time that falls a little, as waiting for disks may', () => {
    expect(cpuBetween(times([100, 900]), times([200, 899]))?.share).toBe(1);
  });

  it.each(['', 'cpu  1 2 3 4 5 6 7 8\n', 'cpu  1 2 3\ncpu0 1 2 3\n', 'cpu  1 2 -3 4 5 6 7 8 0 0\n', 'cpu9'])(
    'throws at %j',
    (stat) => {
      expect(() => readCpuTimes(new FakeMachine({ 'proc/stat': stat }).proc)).toThrow();
    },
  );

  it('names as many cores as the machine has', () => {
    expect(readCpuTimes('/proc').cores.size).toBe(os.cpus().length);
  });
});

describe('load', () => {
  it('is three numbers, or an error', () => {
    expect(readLoad(new FakeMachine(machineFiles()).proc)).toEqual([0.5, 1.25, 2]);
    for (const loadavg of ['', '1.0 2.0', 'a b c d', '1e400 1 1 1', '-1 1 1 1'])
      expect(() => readLoad(new FakeMachine({ 'proc/loadavg': loadavg }).proc), loadavg).toThrow();
  });
});

describe('network', () => {
  const traffic = (lines: string) => readTraffic(new FakeMachine({ 'proc/net/dev': `a\n face |b\n${lines}` }).proc);
  const line = (name: string, received: number, sent: number) => `${name}: ${received} 0 0 0 0 0 0 0 ${sent} 0\n`;

  it('is of every interface but the loopback', () => {
    const { proc } = new FakeMachine(machineFiles({ receivedBytes: 1000, sentBytes: 500 }));
    expect([...readTraffic(proc)]).toEqual([['eth0', { receivedBytes: 1000, sentBytes: 500 }]]);
    expect(totalTraffic(traffic(line('  lo', 1, 1) + line('eth0', 2, 3) + line('eth0:1', 4, 5)))).toEqual({
      receivedBytes: 6,
      sentBytes: 8,
    });
  });

  it('counts an interface that is new from its second look on, and forgets one that went', () => {
    const before = traffic(line('eth0', 100, 10) + line('veth1', 9999, 9999));
    expect(trafficBetween(before, traffic(line('eth0', 150, 30) + line('veth2', 5000, 5000)))).toEqual({
      receivedBytes: 50,
      sentBytes: 20,
    });
  });

  it('is unknown where a counter went backwards', () => {
    expect(trafficBetween(traffic(line('eth0', 100, 10)), traffic(line('eth0', 99, 20)))).toBeNull();
    expect(trafficBetween(traffic(line('eth0', 100, 10)), traffic(line('eth0', 100, 9)))).toBeNull();
  });

  it('throws at what is not understood', () => {
    for (const lines of ['eth0: 1 2 3\n', 'eth0: x 0 0 0 0 0 0 0 1\n', 'garbage\n'])
      expect(() => traffic(lines), lines).toThrow();
    expect(() => readTraffic(new FakeMachine({ 'proc/net/dev': '' }).proc)).toThrow();
  });
});

describe('disk', () => {
  it('is of the file system that holds the folder', () => {
    const disk = readDisk(os.tmpdir());
    expect(disk.totalBytes).toBeGreaterThan(0);
    expect(disk.freeBytes).toBeLessThanOrEqual(disk.totalBytes);
    expect(() => readDisk('/no/such/folder')).toThrow();
  });
});
