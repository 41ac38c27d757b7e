/** What the box and its workers use, as `GET /api/resources`, `/api/memory` and `POST /api/cleanup` tell it: part of the contract. */

/** How the size of a pool follows its demand. */
export interface Sizing {
  desired: number;
  min: number;
  max: number;
  /** Pinned with `scale`. */
  pinned: number | null;
  /** What demand alone asks for. */
  target: number | null;
  /** What keeps it from the target: memory, cpu, cooldown, learning, window, pressure, busy, min, max, or nothing. */
  held_by: string | null;
  reason: string | null;
  /** Requests a second, as measured at each size. */
  learned: { workers: number; per_second: number }[];
}

/** What one worker uses. Null: not measured (yet), or not to be had. */
export interface WorkerResources {
  id: string;
  pid: number | null;
  thread: number | null;
  /** Its part of the process tree's memory: what recycling looks at. */
  memory_bytes: number | null;
  rss_bytes: number | null;
  vms_bytes: number | null;
  pss_bytes: number | null;
  uss_bytes: number | null;
  cpu_percent: number | null;
  /** Of its process tree. */
  threads: number | null;
  open_files: number | null;
  heap_used_bytes: number | null;
  heap_limit_bytes: number | null;
  external_bytes: number | null;
  array_buffer_bytes: number | null;
  /** 0..1 of its event loop. */
  event_loop_utilisation: number | null;
  event_loop_lag_ms: number | null;
  gc_count: number | null;
  gc_ms: number | null;
  in_flight: number;
  limit_bytes: number | null;
  growth_mb_per_minute: number | null;
}

export interface MemoryStatus {
  pressure: 'low' | 'medium' | 'high' | 'critical';
  /** What we use: the master, its workers and what they started. */
  used_bytes: number | null;
  limit_bytes: number | null;
  /** used / limit, 0..1. */
  used_share: number | null;
  /** Where the limit comes from. */
  limit_from: 'limits.memory' | 'cgroup' | 'machine' | null;
  /** What the machine (or the control group) still has. */
  available_bytes: number | null;
  total_bytes: number | null;
  /** Shares of the limit, as they are in force (adaptive ones move). */
  thresholds: Record<'medium' | 'high' | 'critical' | 'cleanup' | 'recycle' | 'emergency', number> | null;
}

/** GET /api/memory/ */
export interface MemoryReport extends MemoryStatus {
  time: string;
  master_bytes: number | null;
  apps: {
    name: string;
    version: string | null;
    memory_bytes: number | null;
    fair_bytes: number | null;
    workers: number;
  }[];
  workers: { id: string; memory_bytes: number | null; pss_bytes: number | null; limit_bytes: number | null }[];
  /** The latest steps of the memory ladder, newest last. */
  steps: LadderRow[];
  growth_mb_per_minute: number | null;
}

export interface LadderRow {
  time: string;
  rung: string;
  targets: string[];
  before_bytes: number;
  /** Null while it runs. */
  after_bytes: number | null;
  freed_bytes: number | null;
  took_ms: number | null;
}

/** POST /api/cleanup/ */
export interface CleanupReport {
  before_bytes: number | null;
  after_bytes: number | null;
  freed_bytes: number | null;
  took_ms: number;
  workers: {
    id: string;
    /** Why it was not cleaned up: not a Node worker, busy, no answer in time; null: it was. */
    skipped: string | null;
    passes: number;
    before_bytes: number | null;
    after_bytes: number | null;
    freed_bytes: number | null;
    errors: string[];
  }[];
}

export interface Recommendation {
  /** `leak`, `limit`, `size`, `pressure`, `cpu`, `disk`, `event_loop`, `gc` */
  type: string;
  /** App, worker or `box`. */
  subject: string;
  message: string;
  suggestion: string;
  priority: 'low' | 'medium' | 'high';
  numbers: Record<string, number | string | null>;
}

/** Over the last minutes: least, greatest, median, 95th percentile and change a minute. */
export interface Trend {
  window_seconds: number;
  samples: number;
  min: number;
  max: number;
  p50: number;
  p95: number;
  /** Null before a minute has been seen. */
  per_minute: number | null;
}

/** GET /api/resources */
export interface ResourceReport {
  time: string;
  status: {
    memory: MemoryStatus;
    cpu: {
      level: 'low' | 'moderate' | 'high' | 'critical' | null;
      /** 0..1 of all cores. */
      share: number | null;
      per_core: number[] | null;
      load: [number, number, number] | null;
      cores: number | null;
      quota_cores: number | null;
      quota_share: number | null;
    };
    /** PSI, 0..1 of the last 10 s. */
    stall: {
      memory_some: number | null;
      memory_full: number | null;
      cpu_some: number | null;
      io_some: number | null;
    } | null;
    swap: { total_bytes: number; free_bytes: number } | null;
    disk: { path: string; total_bytes: number; free_bytes: number } | null;
    network: {
      received_bytes: number;
      sent_bytes: number;
      received_per_second: number;
      sent_per_second: number;
    } | null;
    gpus: { name: string; total_bytes: number; used_bytes: number; share: number | null }[] | null;
    master: {
      memory_bytes: number | null;
      cpu_percent: number | null;
      threads: number | null;
      open_files: number | null;
    };
  };
  apps: (Sizing & { name: string; version: string | null; memory_bytes: number | null; cpu_percent: number | null })[];
  workers: WorkerResources[];
  trends: { memory_bytes: Trend | null; memory_share: Trend | null; cpu_share: Trend | null };
  /** Workers whose memory grows significantly. */
  growth: {
    worker: string;
    mb_per_minute: number;
    at_least_mb_per_minute: number;
    seconds_to_limit: number | null;
    suspected: boolean;
  }[];
  recommendations: Recommendation[];
}
