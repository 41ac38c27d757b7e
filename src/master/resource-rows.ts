/** From what was measured to the rows that people and tools see. */
import type { App } from '../apps/app.js';
import type { Growth } from '../policy/leak.js';
import type { Pool } from '../pool/pool.js';
import type { Snapshot } from '../sensing/snapshot.js';
import type { TrendSummary } from '../sensing/trend.js';
import type { Worker } from '../worker/worker.js';
import type { ResourceReport, Sizing, Trend, WorkerResources } from './resource-reports.js';

export const MB = 1e6;

type Status = ResourceReport['status'];

export function cpuStatus(snapshot: Snapshot | null, level: Status['cpu']['level']): Status['cpu'] {
  const cpu = snapshot?.machine.cpu ?? null;
  return {
    level,
    share: round(cpu?.share),
    per_core: cpu?.perCore.map((share) => round(share) as number) ?? null,
    load: cpu ? [...cpu.load] : null,
    cores: cpu?.cores ?? null,
    quota_cores: cpu?.quotaCores ?? null,
    quota_share: round(cpu?.quotaShare),
  };
}

export function machineStatus(snapshot: Snapshot | null): Omit<Status, 'memory' | 'cpu'> {
  const { stall = null, memory = null, disk = null, network = null, gpus = null } = snapshot?.machine ?? {};
  const master = snapshot?.master ?? null;
  return {
    stall: stall && {
      memory_some: stall.memorySome,
      memory_full: stall.memoryFull,
      cpu_some: stall.cpuSome,
      io_some: stall.ioSome,
    },
    swap: memory && { total_bytes: memory.swapTotalBytes, free_bytes: memory.swapFreeBytes },
    disk: disk && { path: disk.path, total_bytes: disk.totalBytes, free_bytes: disk.freeBytes },
    network: network && {
      received_bytes: network.receivedBytes,
      sent_bytes: network.sentBytes,
      received_per_second: Math.round(network.receivedPerSecond),
      sent_per_second: Math.round(network.sentPerSecond),
    },
    gpus:
      gpus?.map(({ name, totalBytes, usedBytes, share }) => ({
        name,
        total_bytes: totalBytes,
        used_bytes: usedBytes,
        share,
      })) ?? null,
    master: {
      memory_bytes: master?.memoryBytes ?? null,
      cpu_percent: master?.cpuPercent ?? null,
      threads: master?.threads ?? null,
      open_files: master?.openFiles ?? null,
    },
  };
}

export function workerResources(pool: Pool, worker: Worker, growth: Growth | null): WorkerResources {
  const { tree, vitals, latestBytes, cpuPercent } = worker.readings;
  return {
    id: worker.id,
    pid: worker.pid,
    thread: worker.thread,
    memory_bytes: latestBytes,
    rss_bytes: tree?.memoryBytes ?? null,
    vms_bytes: tree?.vmsBytes ?? null,
    pss_bytes: tree?.pssBytes ?? null,
    uss_bytes: tree?.ussBytes ?? null,
    cpu_percent: cpuPercent,
    threads: tree?.threads ?? null,
    open_files: tree?.openFiles ?? null,
    heap_used_bytes: vitals?.heapUsedBytes ?? null,
    heap_limit_bytes: vitals?.heapLimitBytes ?? null,
    external_bytes: vitals?.externalBytes ?? null,
    array_buffer_bytes: vitals?.arrayBufferBytes ?? null,
    event_loop_utilisation: round(vitals?.utilisation),
    event_loop_lag_ms: round(vitals?.lagMs),
    gc_count: vitals?.gcCount ?? null,
    gc_ms: round(vitals?.gcMs),
    in_flight: pool.inFlight(worker),
    limit_bytes: worker.limits.maxMemoryBytes,
    growth_mb_per_minute: growth?.significant ? round(growth.bytesPerMinute / MB) : null,
  };
}

/** The size of a pool as `describe` shows it, fixed ones too. */
export function sizingRow(app: App, pool: Pool): Sizing {
  const sizing = app.sizing(pool);
  const { min, max } = app.config.workers;
  const latest = sizing?.latest ?? null;
  return {
    desired: pool.desired,
    min,
    max,
    pinned: app.pinnedSize(pool.version),
    target: latest?.target ?? null,
    held_by: latest?.heldBy ?? null,
    reason: latest?.reason ?? null,
    learned:
      sizing?.learned().map(({ size, perSecond }) => ({ workers: size, per_second: round(perSecond) as number })) ?? [],
  };
}

export function trendRow(summary: TrendSummary | null): Trend | null {
  if (!summary) return null;
  const { windowMs, samples, min, max, p50, p95, perMinute } = summary;
  return {
    window_seconds: Math.round(windowMs / 1000),
    samples,
    min: round(min) as number,
    max: round(max) as number,
    p50: round(p50) as number,
    p95: round(p95) as number,
    per_minute: round(perMinute),
  };
}

export function round(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Math.round(value * 1000) / 1000;
}
