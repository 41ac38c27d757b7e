import type { Clock } from '../clock.js';
import {
  type CgroupRoots,
  type Cgroups,
  type CpuQuota,
  findCgroups,
  readCgroupMemory,
  readCpuQuota,
  SYSTEM_CGROUP,
} from './cgroup.js';
import { findNvidiaSmi, Gpus } from './gpu.js';
import {
  type CpuTimes,
  cpuBetween,
  readCpuTimes,
  readDisk,
  readLoad,
  readMemory,
  readTraffic,
  type Traffic,
  totalTraffic,
  trafficBetween,
} from './machine.js';
import { ProcessTrees } from './process-trees.js';
import { Sensor } from './sensor.js';
import type { CpuSample, MachineSample, NetworkSample, Snapshot, StallSample } from './snapshot.js';
import { readStall } from './stall.js';

export interface SamplerOptions {
  /** Of the file system that is watched: the state folder. */
  diskPath: string;
  clock: Clock;
  /** Once for each sensor that fails, until it has worked again. */
  warn: (text: string) => void;
  /** Other places than the system's. */
  root?: { proc?: string; cgroup?: string };
  /** nvidia-smi; null: none. Default: the one on the PATH. */
  gpu?: string | null;
}

/** What hardly changes is looked at less often. */
const SLOW_EVERY_MS = 10_000;

interface SlowLook {
  at: number;
  disk: MachineSample['disk'];
  cgroups: Cgroups | null;
}

/** Counters of the tick before, to take differences from. */
interface Before {
  at: number;
  times: CpuTimes | null;
  quota: CpuQuota | null;
  traffic: ReadonlyMap<string, Traffic> | null;
}

const PRESSURES = ['memory', 'cpu', 'io'] as const;

/** Looks at the machine and at the workers. The caller owns the timer: one call a tick. */
export class Sampler {
  readonly #clock: Clock;
  readonly #trees: ProcessTrees;
  readonly #gpus: Gpus;
  readonly #sensors: ReturnType<typeof sensorsOf>;
  #before: Before | null = null;
  #slow: SlowLook | null = null;

  constructor(options: SamplerOptions) {
    const { clock, diskPath, warn, gpu = findNvidiaSmi() } = options;
    const proc = options.root?.proc ?? '/proc';
    const cgroupRoots = { cgroup: options.root?.cgroup ?? SYSTEM_CGROUP.cgroup, self: `${proc}/self/cgroup` };
    this.#clock = clock;
    this.#trees = new ProcessTrees(proc);
    this.#gpus = new Gpus(gpu, clock);
    this.#sensors = sensorsOf({ proc, cgroupRoots, diskPath, trees: this.#trees, gpus: this.#gpus, warn });
  }

  /**
   * Never throws. Rates are since the call before, and null in the first.
   * @param leaders pids of the workers' process groups
   */
  sample(leaders: readonly number[]): Snapshot {
    const at = this.#clock.now();
    const processes = this.#sensors.processes.read(leaders, at);
    return {
      at,
      wall: this.#clock.wall(),
      machine: this.#machine(at),
      trees: processes?.trees ?? new Map(),
      master: processes?.alone ?? null,
    };
  }

  /** Memory of these trees alone, for a look between two ticks. What is gone is left out. */
  memory(leaders: readonly number[]): Map<number, number> {
    return this.#sensors.closeLook.read(leaders) ?? new Map();
  }

  close(): void {
    this.#gpus.close();
    this.#trees.close();
  }

  #machine(at: number): MachineSample {
    const { disk, cgroups } = this.#slowLook(at);
    const memory = this.#sensors.memory.read();
    const times = this.#sensors.times.read();
    const load = this.#sensors.load.read();
    const quota = this.#sensors.quota.read(cgroups, times?.cores.size);
    const traffic = this.#sensors.traffic.read();
    const before = this.#before;
    this.#before = { at, times, quota, traffic };
    const elapsedMs = before === null ? 0 : at - before.at;
    return {
      memory,
      cgroup: this.#sensors.cgroupMemory.read(cgroups, memory?.totalBytes),
      stall: this.#stall(cgroups),
      cpu: load && cpuSample(before, { times, quota }, load, elapsedMs),
      disk,
      network: networkSample(before?.traffic ?? null, traffic, elapsedMs),
      gpus: this.#sensors.gpus.read(),
      gpuProcesses: this.#sensors.gpuProcesses.read(),
    };
  }

  #slowLook(at: number): SlowLook {
    if (this.#slow === null || at - this.#slow.at >= SLOW_EVERY_MS)
      this.#slow = { at, disk: this.#sensors.disk.read(), cgroups: this.#sensors.cgroups.read() };
    return this.#slow;
  }

  #stall(cgroups: Cgroups | null): StallSample | null {
    const [memory, cpu, io] = this.#sensors.stalls.map((sensor) => sensor.read(cgroups));
    if (!memory && !cpu && !io) return null;
    return {
      memorySome: memory?.some ?? null,
      memoryFull: memory?.full ?? null,
      cpuSome: cpu?.some ?? null,
      ioSome: io?.some ?? null,
    };
  }
}

interface Sources {
  proc: string;
  cgroupRoots: CgroupRoots;
  diskPath: string;
  trees: ProcessTrees;
  gpus: Gpus;
  warn: (text: string) => void;
}

function sensorsOf({ proc, cgroupRoots, diskPath, trees, gpus, warn }: Sources) {
  return {
    cgroups: new Sensor('the control group', () => findCgroups(cgroupRoots), warn),
    memory: new Sensor('memory of the machine', () => readMemory(proc), warn),
    cgroupMemory: new Sensor(
      'memory of the control group',
      (cgroups: Cgroups | null, machineBytes?: number) => cgroups && readCgroupMemory(cgroups, machineBytes),
      warn,
    ),
    times: new Sensor('CPU time', () => readCpuTimes(proc), warn),
    load: new Sensor('load average', () => readLoad(proc), warn),
    quota: new Sensor(
      'CPU quota of the control group',
      (cgroups: Cgroups | null, machineCores?: number) => cgroups && readCpuQuota(cgroups, machineCores),
      warn,
    ),
    stalls: PRESSURES.map(
      (name) => new Sensor(`${name} pressure`, (cgroups: Cgroups | null) => readStall(name, proc, cgroups), warn),
    ),
    traffic: new Sensor('network traffic', () => readTraffic(proc), warn),
    disk: new Sensor('disk space', () => readDisk(diskPath), warn),
    gpus: new Sensor('GPU', () => gpus.read(), warn),
    gpuProcesses: new Sensor('GPU processes', () => gpus.processes(), warn),
    processes: new Sensor(
      'processes',
      (leaders: readonly number[], at: number) => trees.sampleWith(process.pid, leaders, at),
      warn,
    ),
    closeLook: new Sensor('processes between two ticks', (leaders: readonly number[]) => trees.memory(leaders), warn),
  };
}

function cpuSample(
  before: Before | null,
  now: Pick<Before, 'times' | 'quota'>,
  load: CpuSample['load'],
  elapsedMs: number,
): CpuSample | null {
  const shares = before?.times && now.times && cpuBetween(before.times, now.times);
  if (!shares || !now.times) return null;
  return {
    ...shares,
    load,
    cores: now.times.cores.size,
    quotaCores: now.quota?.cores ?? null,
    quotaShare: quotaShare(before?.quota ?? null, now.quota, elapsedMs),
  };
}

function quotaShare(before: CpuQuota | null, now: CpuQuota | null, elapsedMs: number): number | null {
  if (before === null || now === null || before.group !== now.group || elapsedMs <= 0) return null;
  if (before.usedMs === null || now.usedMs === null || now.usedMs < before.usedMs) return null;
  // The clock and the counter are not read in the same moment.
  return Math.min(1, (now.usedMs - before.usedMs) / (elapsedMs * now.cores));
}

function networkSample(
  before: ReadonlyMap<string, Traffic> | null,
  now: ReadonlyMap<string, Traffic> | null,
  elapsedMs: number,
): NetworkSample | null {
  const since = before && now && trafficBetween(before, now);
  if (!since || elapsedMs <= 0) return null;
  return {
    ...totalTraffic(now),
    receivedPerSecond: (since.receivedBytes / elapsedMs) * 1000,
    sentPerSecond: (since.sentBytes / elapsedMs) * 1000,
  };
}
