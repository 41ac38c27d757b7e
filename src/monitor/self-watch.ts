import v8 from 'node:v8';
import type { PolicyDecision } from '../policy/decision.js';
import { decideLeak, type Growth, type HeapPoint, MemoryHistory } from '../policy/leak.js';
import { decidePressure, type PressureLevel, type PressureThresholds } from '../policy/pressure.js';
import type { BoxState } from '../policy/recommend-size.js';
import type { Sampler } from '../sensing/sampler.js';
import type { Snapshot } from '../sensing/snapshot.js';
import { TrendSeries } from '../sensing/trend.js';
import { adviseSelf } from './advice.js';
import type { PressureChange } from './hooks.js';
import { cpuShare, type MemoryUse, type MonitorStatus, memoryUse, type ProcessUse, UNKNOWN_MEMORY } from './status.js';

export interface WatchSettings {
  /** Null: what we use, and what is still to be had. */
  limitBytes: number | null;
  thresholds: PressureThresholds;
}

export interface WatchEvents {
  pressure(change: PressureChange): void;
  decided(policy: string, decision: PolicyDecision): void;
}

const TREND_EVERY_MS = 5000;
const WINDOW_MS = 15 * 60_000;
const LEAK = { windowMs: WINDOW_MS, minGrowthBytes: 1024 ** 2 };
const JUDGE_LEAK_EVERY_MS = 10_000;

/** What is known of this process and its machine, look by look. Whoever owns it says when to look. */
export class SelfWatch {
  readonly #memoryBytes = new TrendSeries(TREND_EVERY_MS, WINDOW_MS);
  readonly #memoryShare = new TrendSeries(TREND_EVERY_MS, WINDOW_MS);
  readonly #cpuShare = new TrendSeries(TREND_EVERY_MS, WINDOW_MS);
  readonly #history = new MemoryHistory(LEAK);
  #memory: MemoryUse = UNKNOWN_MEMORY;
  #pressure: PressureLevel = 'low';
  #growth: { judgedAt: number; growth: Growth | null; suspected: boolean } | null = null;
  #suspectedAt: number | null = null;
  #loop = performance.eventLoopUtilization();
  #loopShare: number | null = null;

  constructor(
    private readonly settings: WatchSettings,
    private readonly events: WatchEvents,
  ) {}

  /** @param heap null: nothing is known of it, and all that grows may be kept */
  look(sampler: Pick<Sampler, 'sample'>, heap: HeapPoint | null): Snapshot {
    const snapshot = sampler.sample([process.pid]);
    const loop = performance.eventLoopUtilization();
    const since = performance.eventLoopUtilization(loop, this.#loop);
    this.#loopShare = since.idle + since.active > 0 ? since.utilization : null;
    this.#loop = loop;
    this.#memory = memoryUse(snapshot.trees.get(process.pid) ?? null, snapshot.machine, this.settings.limitBytes);
    this.#memoryBytes.add(snapshot.at, this.#memory.usedBytes);
    this.#memoryShare.add(snapshot.at, this.#memory.share);
    this.#cpuShare.add(snapshot.at, cpuShare(snapshot));
    this.#judgePressure();
    this.#judgeGrowth(snapshot.at, heap);
    return snapshot;
  }

  status(snapshot: Snapshot): MonitorStatus {
    const { wall, machine, trees } = snapshot;
    const tree = trees.get(process.pid);
    const growth = this.#growth?.growth ?? null;
    const self: ProcessUse = {
      rssBytes: tree?.memoryBytes ?? null,
      pssBytes: tree?.pssBytes ?? null,
      cpuPercent: tree?.cpuPercent ?? null,
      threads: tree?.threads ?? null,
      openFiles: tree?.openFiles ?? null,
      ...heap(),
      eventLoopUtilisation: this.#loopShare,
    };
    const { cpu, stall, disk, network, gpus } = machine;
    return {
      time: new Date(wall).toISOString(),
      memory: { ...this.#memory, pressure: this.#pressure, thresholds: { ...this.settings.thresholds } },
      cpu,
      stall,
      disk,
      network,
      gpus,
      process: self,
      trends: {
        memoryBytes: this.#memoryBytes.summary(),
        memoryShare: this.#memoryShare.summary(),
        cpuShare: this.#cpuShare.summary(),
      },
      growth: growth?.significant
        ? {
            bytesPerMinute: growth.bytesPerMinute,
            atLeastBytesPerMinute: growth.atLeastBytesPerMinute,
            secondsToLimit: growth.secondsToLimit,
          }
        : null,
      recommendations: adviseSelf({
        memory: this.#memory,
        pressure: this.#pressure,
        cpuShare: cpuShare(snapshot),
        eventLoopUtilisation: this.#loopShare,
        disk,
        leak: this.#growth?.suspected ? growth : null,
      }),
    };
  }

  /** For who wants to know how much more may be started. */
  boxState(snapshot: Snapshot): BoxState {
    const { usedBytes, limitBytes, share } = this.#memory;
    const known = usedBytes !== null && limitBytes !== null;
    const { cpu } = snapshot.machine;
    return {
      pressure: share === null ? null : this.#pressure,
      roomBytes: known ? Math.max(0, this.settings.thresholds.high * limitBytes - usedBytes) : null,
      cpuShare: cpuShare(snapshot),
      cores: cpu?.quotaCores ?? cpu?.cores ?? null,
    };
  }

  #judgePressure(): void {
    const from = this.#pressure;
    const { share, usedBytes, limitBytes } = this.#memory;
    const decision = decidePressure(share, from, this.settings.thresholds);
    if (decision.level === from) return;
    this.#pressure = decision.level;
    this.events.decided('pressure', decision);
    this.events.pressure({ level: decision.level, from, share, usedBytes, limitBytes });
  }

  #judgeGrowth(now: number, heap: HeapPoint | null): void {
    const { usedBytes, limitBytes } = this.#memory;
    if (usedBytes !== null) this.#history.add({ at: now, bytes: usedBytes }, heap);
    const last = this.#growth;
    if (last && now - last.judgedAt < JUDGE_LEAK_EVERY_MS) return;
    // What is still to be had moves with what others do; only a limit of our own can be projected to.
    const growth = this.#history.growth(this.settings.limitBytes === null ? null : limitBytes);
    const decision = decideLeak(growth, LEAK);
    // It may ask for a full collection; when that is due is left to the engine, in a program that is not ours.
    const suspected = decision.action === 'suspect';
    // Said once a window: it goes on growing, and everybody knows.
    const known = this.#suspectedAt !== null && now - this.#suspectedAt < WINDOW_MS;
    if (suspected && !known) {
      this.#suspectedAt = now;
      this.events.decided('leak', decision);
    }
    this.#growth = { judgedAt: now, growth, suspected };
  }
}

function heap(): Pick<ProcessUse, 'heapUsedBytes' | 'heapLimitBytes' | 'externalBytes' | 'arrayBufferBytes'> {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return {
    heapUsedBytes: heapUsed,
    heapLimitBytes: v8.getHeapStatistics().heap_size_limit,
    externalBytes: external,
    arrayBufferBytes: arrayBuffers,
  };
}
