import type {
  CleanupReport,
  LadderRow,
  MemoryReport,
  MemoryStatus,
  ResourceReport,
  Sizing,
  WorkerResources,
} from '../../src/master/supervisor.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

export function memoryStatus(more: Partial<MemoryStatus> = {}): MemoryStatus {
  return {
    pressure: 'medium',
    used_bytes: 3 * GIB,
    limit_bytes: 4 * GIB,
    used_share: 0.75,
    limit_from: 'limits.memory',
    available_bytes: 2 * GIB,
    total_bytes: 8 * GIB,
    thresholds: { medium: 0.5, high: 0.7, critical: 0.85, cleanup: 0.8, recycle: 0.9, emergency: 0.95 },
    ...more,
  };
}

export function workerResources(id: string, more: Partial<WorkerResources> = {}): WorkerResources {
  return {
    id,
    pid: 1000,
    thread: null,
    memory_bytes: 90 * MIB,
    rss_bytes: 100 * MIB,
    vms_bytes: 1 * GIB,
    pss_bytes: 80 * MIB,
    uss_bytes: 70 * MIB,
    cpu_percent: 12.34,
    threads: 11,
    open_files: 25,
    heap_used_bytes: 20 * MIB,
    heap_limit_bytes: 2 * GIB,
    external_bytes: 5 * MIB,
    array_buffer_bytes: 4 * MIB,
    event_loop_utilisation: 0.42,
    event_loop_lag_ms: 3.2,
    gc_count: 17,
    gc_ms: 40,
    in_flight: 1,
    limit_bytes: 512 * MIB,
    growth_mb_per_minute: 0.1,
    ...more,
  };
}

/** A worker of which nothing is known but its name, as in the first second of its life. */
export function unknownWorker(id: string): WorkerResources {
  const known = { id, in_flight: 0 };
  const names = Object.keys(workerResources(id)).filter((name) => !(name in known));
  return { ...Object.fromEntries(names.map((name) => [name, null])), ...known } as WorkerResources;
}

export function sizing(more: Partial<Sizing> = {}): Sizing {
  return {
    desired: 2,
    min: 1,
    max: 4,
    pinned: null,
    target: 3,
    held_by: 'memory',
    reason: 'the memory has no room for another worker',
    learned: [
      { workers: 1, per_second: 120.4 },
      { workers: 2, per_second: 233.1 },
    ],
    ...more,
  };
}

export function memoryReport(more: Partial<MemoryReport> = {}): MemoryReport {
  const step: LadderRow = {
    time: '2026-01-01T00:00:00.000Z',
    rung: 'trim',
    targets: [],
    before_bytes: 3 * GIB,
    after_bytes: 2 * GIB,
    freed_bytes: GIB,
    took_ms: 120,
  };
  return {
    ...memoryStatus(),
    time: '2026-01-01T00:00:00.000Z',
    master_bytes: 60 * MIB,
    apps: [{ name: 'web', version: null, memory_bytes: 180 * MIB, fair_bytes: 2 * GIB, workers: 2 }],
    workers: [{ id: 'web/1', memory_bytes: 90 * MIB, pss_bytes: 80 * MIB, limit_bytes: 512 * MIB }],
    steps: [step],
    growth_mb_per_minute: null,
    ...more,
  };
}

export function cleanupReport(more: Partial<CleanupReport> = {}): CleanupReport {
  return {
    before_bytes: 200 * MIB,
    after_bytes: 150 * MIB,
    freed_bytes: 50 * MIB,
    took_ms: 42,
    workers: [
      {
        id: 'web/1',
        skipped: null,
        passes: 2,
        before_bytes: 90 * MIB,
        after_bytes: 40 * MIB,
        freed_bytes: 50 * MIB,
        errors: [],
      },
    ],
    ...more,
  };
}

export function resourceReport(more: Partial<ResourceReport> = {}): ResourceReport {
  return {
    time: '2026-01-01T00:00:00.000Z',
    status: {
      memory: memoryStatus(),
      cpu: {
        level: 'moderate',
        share: 0.71,
        per_core: [0.9, 0.52],
        load: [1.5, 1.25, 1],
        cores: 2,
        quota_cores: null,
        quota_share: null,
      },
      stall: { memory_some: 0, memory_full: 0, cpu_some: 0.12, io_some: 0.01 },
      swap: { total_bytes: 2 * GIB, free_bytes: GIB },
      disk: { path: '/srv', total_bytes: 40 * GIB, free_bytes: 10 * GIB },
      network: { received_bytes: 1e6, sent_bytes: 1e6, received_per_second: 2048, sent_per_second: 1024 },
      gpus: null,
      master: { memory_bytes: 60 * MIB, cpu_percent: 0.8, threads: 11, open_files: 40 },
    },
    apps: [{ ...sizing(), name: 'web', version: null, memory_bytes: 180 * MIB, cpu_percent: 24 }],
    workers: [
      workerResources('web/1'),
      workerResources('web/2', { pid: 1002, memory_bytes: 95 * MIB, cpu_percent: 3 }),
    ],
    trends: {
      memory_bytes: {
        window_seconds: 900,
        samples: 900,
        min: 2 * GIB,
        max: 3 * GIB,
        p50: 2.5 * GIB,
        p95: 3 * GIB,
        per_minute: MIB,
      },
      memory_share: null,
      cpu_share: null,
    },
    growth: [],
    recommendations: [],
    ...more,
  };
}
