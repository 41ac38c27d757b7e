import { type Config, type PressureConfig, STANDARD_BOX, type Threshold } from '../config/schema.js';
import type { PressureChange } from '../monitor/hooks.js';
import { AdaptiveThresholds } from '../policy/adaptive-thresholds.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { Sizes } from '../policy/load.js';
import type { LadderThresholds } from '../policy/memory-ladder.js';
import { decidePressure, type PressureLevel, type PressureThresholds } from '../policy/pressure.js';
import type { BoxFacts } from '../pool/sizing.js';
import { roomOf } from '../sensing/room.js';
import type { Snapshot } from '../sensing/snapshot.js';
import type { MemoryStatus } from './supervisor.js';

export type BoxSettings = Pick<Config, 'limits' | 'pressure' | 'cpu'>;

export interface BoxDependencies {
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  pressureChanged: (change: PressureChange) => void;
}

/** Used, limit and thresholds at one moment. */
interface Usage {
  usedBytes: number | null;
  limitBytes: number | null;
  limitFrom: MemoryStatus['limit_from'];
  availableBytes: number | null;
  totalBytes: number | null;
}

const UNKNOWN: Usage = { usedBytes: null, limitBytes: null, limitFrom: null, availableBytes: null, totalBytes: null };

/** All that we run, against what it may use: memory and its pressure, CPU. Measures nothing itself. */
export class Box {
  #settings: BoxSettings | null = null;
  #adaptive: AdaptiveThresholds | null = null;
  #usage: Usage = UNKNOWN;
  #snapshot: Snapshot | null = null;
  #level: PressureLevel = 'low';

  constructor(private readonly deps: BoxDependencies) {}

  get level(): PressureLevel {
    return this.#level;
  }
  get usedBytes(): number | null {
    return this.#usage.usedBytes;
  }
  get limitBytes(): number | null {
    return this.#usage.limitBytes;
  }
  get usedShare(): number | null {
    const { usedBytes, limitBytes } = this.#usage;
    return usedBytes === null || limitBytes === null || limitBytes <= 0 ? null : usedBytes / limitBytes;
  }
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }
  get cpuThresholds(): BoxSettings['cpu'] | null {
    return this.#settings?.cpu ?? null;
  }

  configure(settings: BoxSettings): void {
    if (settings === this.#settings) return;
    this.#settings = settings;
    this.#adaptive = null;
  }

  /** After each sample: the level follows at once. */
  see(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    if (!this.#settings) return;
    this.#usage = usageOf(snapshot, this.#settings.limits.memoryBytes);
    this.#judge(snapshot.at);
  }

  /** Between two samples: what all of it uses now. */
  seeUsed(usedBytes: number, now: number): void {
    if (!this.#settings || this.#usage.usedBytes === null) return;
    const { limitBytes, limitFrom, availableBytes } = this.#usage;
    const taken = usedBytes - this.#usage.usedBytes;
    this.#usage = {
      ...this.#usage,
      usedBytes,
      limitBytes,
      availableBytes:
        availableBytes === null || limitFrom === 'limits.memory' ? availableBytes : availableBytes - taken,
    };
    this.#judge(now);
  }

  /** Whether so much more fits in before it would be an emergency. Unknown memory never stands in the way. */
  hasRoom(bytes: number): boolean {
    const { usedBytes, limitBytes } = this.#usage;
    if (usedBytes === null || limitBytes === null || !this.#settings) return true;
    return usedBytes + bytes <= limitBytes * shareOf(this.#settings.pressure.emergency, limitBytes);
  }

  /** For a model that loads: what is left before memory is critical, and before pressure is medium. */
  room(): { room: Sizes; standbyRoom: number | null } {
    const { usedBytes, limitBytes } = this.#usage;
    const gpuBytes = this.#gpuRoom();
    if (usedBytes === null || limitBytes === null || !this.#settings)
      return { room: { bytes: null, gpuBytes }, standbyRoom: null };
    const { medium, critical } = this.#pressureThresholds(limitBytes);
    return {
      room: { bytes: limitBytes * critical - usedBytes, gpuBytes },
      standbyRoom: limitBytes * medium - usedBytes,
    };
  }

  /** Of all GPUs together. */
  #gpuRoom(): number | null {
    const gpus = this.#snapshot?.machine.gpus;
    if (!gpus) return null;
    const usedBytes = gpus.reduce((sum, gpu) => sum + gpu.usedBytes, 0);
    const totalBytes = gpus.reduce((sum, gpu) => sum + gpu.totalBytes, 0);
    return Math.min(this.#settings?.limits.gpuMemoryBytes ?? totalBytes, totalBytes) - usedBytes;
  }

  facts(pools: number): BoxFacts {
    const { usedBytes, limitBytes } = this.#usage;
    const known = usedBytes !== null && limitBytes !== null && this.#settings !== null;
    return {
      cpuShare: this.#cpuShare(),
      cores: this.#cores(),
      cpuHigh: this.#settings?.cpu.high ?? STANDARD_BOX.cpu.high,
      cpuWait: this.#snapshot?.machine.stall?.cpuSome ?? null,
      pressure: known ? this.#level : null,
      roomBytes: known ? Math.max(0, limitBytes * this.#pressureThresholds(limitBytes).critical - usedBytes) : null,
      fairBytes: limitBytes === null || pools === 0 ? null : limitBytes / pools,
    };
  }

  ladderThresholds(): LadderThresholds | null {
    const { limitBytes } = this.#usage;
    if (!this.#settings || limitBytes === null) return null;
    const { cleanup, recycle, emergency } = this.#settings.pressure;
    return {
      cleanup: shareOf(cleanup, limitBytes),
      recycle: shareOf(recycle, limitBytes),
      emergency: shareOf(emergency, limitBytes),
    };
  }

  status(): MemoryStatus {
    const { usedBytes, limitBytes, limitFrom, availableBytes, totalBytes } = this.#usage;
    const levels = limitBytes === null ? null : this.#pressureThresholds(limitBytes);
    const rungs = this.ladderThresholds();
    return {
      pressure: this.#level,
      used_bytes: rounded(usedBytes),
      limit_bytes: rounded(limitBytes),
      used_share: this.usedShare === null ? null : Math.round(this.usedShare * 10_000) / 10_000,
      limit_from: limitFrom,
      available_bytes: rounded(availableBytes),
      total_bytes: totalBytes,
      thresholds: levels === null || rungs === null ? null : { ...levels, ...rungs },
    };
  }

  #judge(now: number): void {
    const share = this.usedShare;
    const { limitBytes } = this.#usage;
    if (limitBytes === null) return;
    this.#adaptive?.add(share, now);
    const decision = decidePressure(share, this.#level, this.#pressureThresholds(limitBytes));
    const from = this.#level;
    this.#level = decision.level;
    if (decision.action === 'hold') return;
    this.deps.decided('box', 'pressure', decision);
    const { usedBytes } = this.#usage;
    this.deps.pressureChanged({ level: decision.level, from, share, usedBytes, limitBytes });
  }

  #pressureThresholds(limitBytes: number): PressureThresholds {
    const { pressure } = this.#settings as BoxSettings;
    const configured = levelsOf(pressure, limitBytes);
    if (!pressure.adaptive) return configured;
    this.#adaptive ??= new AdaptiveThresholds(configured);
    return this.#adaptive.thresholds;
  }

  #cores(): number | null {
    const cpu = this.#snapshot?.machine.cpu;
    return this.#settings?.limits.cpuCores ?? cpu?.quotaCores ?? cpu?.cores ?? null;
  }

  /**
   * Of what we may use. With a limit of our own that is what we use of it, however busy others keep the machine; without one, the
   * control group's quota or the whole machine.
   */
  #cpuShare(): number | null {
    const cpu = this.#snapshot?.machine.cpu;
    if (!cpu) return null;
    const cores = this.#settings?.limits.cpuCores ?? null;
    if (cores === null) return cpu.quotaShare ?? cpu.share;
    let percent = this.#snapshot?.master?.cpuPercent ?? 0;
    for (const tree of this.#snapshot?.trees.values() ?? []) percent += tree.cpuPercent ?? 0;
    return percent / 100 / cores;
  }
}

function usageOf({ machine, trees, master }: Snapshot, explicitLimit: number | null): Usage {
  let usedBytes = master?.ownBytes ?? 0;
  for (const tree of trees.values()) usedBytes += tree.ownBytes;
  const { availableBytes, totalBytes, from } = roomOf(machine);
  const shared = { usedBytes, availableBytes, totalBytes };
  if (explicitLimit !== null) return { ...shared, limitBytes: explicitLimit, limitFrom: 'limits.memory' };
  return { ...shared, limitBytes: availableBytes === null ? null : usedBytes + availableBytes, limitFrom: from };
}

function levelsOf(pressure: PressureConfig, limitBytes: number): PressureThresholds {
  return {
    medium: shareOf(pressure.medium, limitBytes),
    high: shareOf(pressure.high, limitBytes),
    critical: shareOf(pressure.critical, limitBytes),
  };
}

function shareOf(threshold: Threshold, limitBytes: number): number {
  return 'share' in threshold ? threshold.share : threshold.bytes / limitBytes;
}

function rounded(bytes: number | null): number | null {
  return bytes === null ? null : Math.round(bytes);
}
