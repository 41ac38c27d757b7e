import { describe, expect, it } from 'vitest';
import { Box, type BoxSettings } from '../../src/master/box.js';
import type { PressureChange } from '../../src/monitor/hooks.js';
import type { PolicyDecision } from '../../src/policy/decision.js';
import type { MachineSample, Snapshot, TreeSample } from '../../src/sensing/snapshot.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

const SETTINGS: BoxSettings = {
  limits: { memoryBytes: null, cpuCores: null, gpuMemoryBytes: null },
  pressure: {
    medium: { share: 0.5 },
    high: { share: 0.7 },
    critical: { share: 0.85 },
    cleanup: { share: 0.8 },
    recycle: { share: 0.9 },
    emergency: { share: 0.95 },
    adaptive: false,
  },
  cpu: { moderate: 0.7, high: 0.85, critical: 0.95 },
};

const NOTHING: MachineSample = {
  memory: null,
  cgroup: null,
  stall: null,
  cpu: null,
  disk: null,
  network: null,
  gpus: null,
  gpuProcesses: null,
};

function machine(availableBytes: number, more: Partial<MachineSample> = {}): MachineSample {
  const memory = { totalBytes: 8 * GIB, availableBytes, swapTotalBytes: 0, swapFreeBytes: 0 };
  return { ...NOTHING, memory, ...more };
}

function tree(ownBytes: number, cpuPercent: number | null = null): TreeSample {
  return {
    memoryBytes: ownBytes,
    ownBytes,
    vmsBytes: ownBytes,
    pssBytes: null,
    ussBytes: null,
    cpuPercent,
    threads: 1,
    openFiles: null,
    processes: 1,
  };
}

let at = 0;
function snapshot(of: MachineSample, ...trees: TreeSample[]): Snapshot {
  at += 1000;
  return { at, wall: at, machine: of, master: null, trees: new Map(trees.map((t, i) => [i + 1, t])) };
}

function box(settings: Partial<BoxSettings> = {}) {
  const decisions: (PolicyDecision & { subject: string; policy: string })[] = [];
  const changes: PressureChange[] = [];
  const made = new Box({
    decided: (subject, policy, decision) => decisions.push({ subject, policy, ...decision }),
    pressureChanged: (change) => changes.push(change),
  });
  made.configure({ ...SETTINGS, ...settings });
  return { box: made, decisions, changes };
}

const limit = (memoryBytes: number) => ({ limits: { ...SETTINGS.limits, memoryBytes } });

describe('the limit', () => {
  it('is what the configuration says', () => {
    const { box: own } = box(limit(GIB));
    own.see(snapshot(machine(4 * GIB), tree(256 * MIB), tree(256 * MIB)));
    expect(own.status()).toMatchObject({
      used_bytes: 512 * MIB,
      limit_bytes: GIB,
      used_share: 0.5,
      limit_from: 'limits.memory',
    });
  });

  it('is else what we use and what the machine still has', () => {
    const { box: own } = box();
    own.see(snapshot(machine(3 * GIB), tree(GIB)));
    expect(own.status()).toMatchObject({
      limit_bytes: 4 * GIB,
      used_share: 0.25,
      limit_from: 'machine',
      total_bytes: 8 * GIB,
    });
  });

  it('is the control group’s where that has less left', () => {
    const { box: own } = box();
    const cgroup = { version: 2 as const, workingSetBytes: 1.5 * GIB, usageBytes: 2 * GIB, limitBytes: 2 * GIB };
    own.see(snapshot(machine(4 * GIB, { cgroup }), tree(GIB)));
    expect(own.status()).toMatchObject({ limit_bytes: 1.5 * GIB, limit_from: 'cgroup', available_bytes: 0.5 * GIB });
  });

  it('is not known without memory figures, and then nothing is decided or refused', () => {
    const { box: own, decisions } = box();
    own.see(snapshot(NOTHING, tree(7 * GIB)));
    expect(own.status()).toMatchObject({ limit_bytes: null, used_share: null, pressure: 'low' });
    expect([own.hasRoom(100 * GIB), own.facts(2).pressure, own.facts(2).roomBytes, own.ladderThresholds()]).toEqual([
      true,
      null,
      null,
      null,
    ]);
    expect(decisions).toEqual([]);
  });
});

describe('pressure', () => {
  it('rises with what is used, is told once, and falls with hysteresis', () => {
    const { box: own, decisions, changes } = box(limit(1000 * MIB));
    const use = (mib: number) => {
      own.see(snapshot(machine(4 * GIB), tree(mib * MIB)));
      return own.level;
    };
    expect([100, 500, 705, 695, 860, 860, 679].map(use)).toEqual([
      'low',
      'medium',
      'high',
      'high',
      'critical',
      'critical',
      'medium',
    ]);
    expect(decisions.map((d) => [d.subject, d.policy, d.action])).toEqual([
      ['box', 'pressure', 'raise'],
      ['box', 'pressure', 'raise'],
      ['box', 'pressure', 'raise'],
      ['box', 'pressure', 'lower'],
    ]);
    expect(changes.map((c) => `${c.from}>${c.level}`)).toEqual([
      'low>medium',
      'medium>high',
      'high>critical',
      'critical>medium',
    ]);
    expect(changes[0]).toMatchObject({ share: 0.5, usedBytes: 500 * MIB, limitBytes: 1000 * MIB });
  });

  it('takes absolute thresholds', () => {
    const { box: own } = box({ ...limit(4000 * MIB), pressure: { ...SETTINGS.pressure, high: { bytes: 3000 * MIB } } });
    own.see(snapshot(machine(8 * GIB), tree(2990 * MIB)));
    expect(own.level).toBe('medium');
    own.see(snapshot(machine(8 * GIB), tree(3000 * MIB)));
    expect(own.level).toBe('high');
    expect(own.status().thresholds?.high).toBe(0.75);
  });

  it('is judged between two samples too', () => {
    const { box: own } = box(limit(1000 * MIB));
    own.see(snapshot(machine(4 * GIB), tree(600 * MIB)));
    own.seeUsed(900 * MIB, at + 500);
    expect([own.level, own.usedBytes]).toEqual(['critical', 900 * MIB]);
  });
});

describe('room', () => {
  it('ends where it would be an emergency', () => {
    const { box: own } = box(limit(1000 * MIB));
    own.see(snapshot(machine(4 * GIB), tree(900 * MIB)));
    expect([own.hasRoom(50 * MIB), own.hasRoom(51 * MIB)]).toEqual([true, false]);
  });

  it('for growth ends where memory is critical, and pools share the limit', () => {
    const { box: own } = box(limit(1000 * MIB));
    own.see(snapshot(machine(4 * GIB), tree(600 * MIB)));
    expect(own.facts(4)).toMatchObject({ roomBytes: 250 * MIB, fairBytes: 250 * MIB });
    own.see(snapshot(machine(4 * GIB), tree(990 * MIB)));
    expect(own.facts(4).roomBytes).toBe(0);
  });
});

describe('CPU', () => {
  const cpu = {
    share: 0.4,
    perCore: [0.4, 0.4],
    load: [0, 0, 0] as const,
    cores: 2,
    quotaCores: null,
    quotaShare: null,
  };

  it('is the machine’s, or the quota’s where there is one', () => {
    const { box: own } = box();
    own.see(snapshot(machine(4 * GIB, { cpu })));
    expect(own.facts(1).cpuShare).toBe(0.4);
    own.see(snapshot(machine(4 * GIB, { cpu: { ...cpu, quotaCores: 1, quotaShare: 0.9 } })));
    expect(own.facts(1).cpuShare).toBe(0.9);
  });

  it('is measured against our own limit where one is set', () => {
    const { box: own } = box({ limits: { ...SETTINGS.limits, cpuCores: 0.5 } });
    own.see(snapshot(machine(4 * GIB, { cpu }), tree(MIB, 30), tree(MIB, 15), tree(MIB)));
    expect(own.facts(1).cpuShare).toBeCloseTo(0.9);
  });
});
