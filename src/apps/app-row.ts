import type { AppConfig } from '../config/schema.js';
import type { AppRow, WorkerRow } from '../master/supervisor.js';
import type { Pool } from '../pool/pool.js';
import type { Worker } from '../worker/worker.js';
import { poolState } from './app-state.js';

/** One app version as the list shows it. `waitingFor`: what has to be there before it starts. */
export function appRow(
  config: AppConfig,
  version: string | null,
  pool: Pool,
  waitingFor: string | null,
  now: number,
): AppRow {
  const workers = pool.workers.filter((w) => w.state !== 'stopped').map((w) => workerRow(w, now, pool.inFlight(w)));
  const { state, reason } = poolState(pool);
  const blocked = state === 'stopped' && waitingFor !== null ? `waiting for ${waitingFor}` : null;
  return {
    name: config.name,
    version,
    kind: config.kind,
    mode: pool.work.mode,
    namespace: config.namespace,
    state: blocked ? 'starting' : state,
    reason: blocked ?? reason,
    generation: pool.generation,
    ready: workers.filter((w) => w.state === 'ready').length,
    desired: pool.desired,
    min: config.workers.min,
    max: config.workers.max,
    restarts: pool.restarts,
    recycles: pool.recycling.count,
    cpu_percent: sum(workers.map((w) => w.cpu_percent)),
    memory_bytes: sum(workers.map((w) => w.memory_bytes)),
    uptime_seconds: Math.round(pool.uptimeMs / 1000),
    port: config.kind === 'http' ? config.port : null,
    queued: pool.work.queued?.() ?? 0,
    workers,
  };
}

function workerRow(worker: Worker, now: number, inFlight: number): WorkerRow {
  return {
    id: worker.id,
    pid: worker.pid,
    thread: worker.thread,
    state: worker.state,
    generation: worker.generation,
    age_seconds: Math.round(worker.ageMs(now) / 100) / 10,
    requests: worker.requests,
    users: worker.users,
    in_flight: inFlight,
    memory_bytes: worker.readings.latestBytes,
    cpu_percent: worker.readings.cpuPercent,
  };
}

/** Null when nothing was measured. */
export function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((v) => v !== null);
  return known.length === 0 ? null : Math.round(known.reduce((a, b) => a + b, 0) * 10) / 10;
}
