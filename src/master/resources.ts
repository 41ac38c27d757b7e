import type { App } from '../apps/app.js';
import { sum } from '../apps/app-row.js';
import type { Clock } from '../clock.js';
import { recommend } from '../policy/recommendations.js';
import type { Pool } from '../pool/pool.js';
import { TrendSeries } from '../sensing/trend.js';
import type { Worker } from '../worker/worker.js';
import type { Box } from './box.js';
import { cleanUpAll, whyNotCleanable } from './cleanups.js';
import type { DecisionLog } from './decisions.js';
import type { Leaks } from './leaks.js';
import type { MemoryLadder } from './memory-ladder.js';
import type { CleanupReport, MemoryReport, ResourceReport, WorkerResources } from './resource-reports.js';
import { cpuStatus, MB, machineStatus, round, sizingRow, trendRow, workerResources } from './resource-rows.js';

const TREND_EVERY_MS = 5000;
const TREND_WINDOW_MS = 15 * 60_000;
/** Before that, a share of its life says little. */
const SETTLED_MS = 60_000;

export interface ResourcesDependencies {
  clock: Clock;
  box: Box;
  leaks: Leaks;
  ladder: MemoryLadder;
  decisions: DecisionLog;
  apps: () => readonly App[];
  /** What all of it uses right now. */
  usedNow: () => number | null;
}

/** What the sensors and policies know, as people and tools see it. */
export class Resources {
  readonly #memory = new TrendSeries(TREND_EVERY_MS, TREND_WINDOW_MS);
  readonly #share = new TrendSeries(TREND_EVERY_MS, TREND_WINDOW_MS);
  readonly #cpu = new TrendSeries(TREND_EVERY_MS, TREND_WINDOW_MS);
  #cleaning: Promise<CleanupReport> | null = null;

  constructor(private readonly deps: ResourcesDependencies) {}

  /** After each sample. */
  tick(now: number): void {
    const { box } = this.deps;
    this.#memory.add(now, box.usedBytes);
    this.#share.add(now, box.usedShare);
    this.#cpu.add(now, box.snapshot?.machine.cpu?.share ?? null);
  }

  memory(): MemoryReport {
    const { box, ladder, clock } = this.deps;
    const pools = this.#pools();
    const fair = box.facts(pools.filter(({ pool }) => pool.phase === 'running').length).fairBytes;
    const growth = this.#memory.summary()?.perMinute ?? null;
    return {
      time: new Date(clock.wall()).toISOString(),
      ...box.status(),
      master_bytes: box.snapshot?.master?.ownBytes ?? null,
      apps: pools.map(({ app, version, pool }) => ({
        name: app.name,
        version,
        memory_bytes: sum(pool.workers.map((w) => w.readings.latestBytes)),
        fair_bytes: app.config.limits.memoryBytes ?? (fair === null ? null : Math.round(fair)),
        workers: pool.workers.length,
      })),
      workers: this.#workers().map(({ worker }) => ({
        id: worker.id,
        memory_bytes: worker.readings.latestBytes,
        pss_bytes: worker.readings.tree?.pssBytes ?? null,
        limit_bytes: worker.limits.maxMemoryBytes,
      })),
      steps: [...ladder.rows],
      growth_mb_per_minute: growth === null ? null : round(growth / MB),
    };
  }

  report(): ResourceReport {
    const { box, clock } = this.deps;
    const { snapshot } = box;
    const apps = this.#pools().map(({ app, version, pool }) => ({
      name: app.name,
      version,
      memory_bytes: sum(pool.workers.map((w) => w.readings.latestBytes)),
      cpu_percent: sum(pool.workers.map((w) => w.readings.cpuPercent)),
      ...sizingRow(app, pool),
    }));
    const workers = this.#workers().map(({ pool, worker }) => this.worker(pool, worker));
    return {
      time: new Date(clock.wall()).toISOString(),
      status: {
        memory: box.status(),
        ...machineStatus(snapshot),
        cpu: cpuStatus(snapshot, this.#cpuLevel()),
      },
      apps,
      workers,
      trends: {
        memory_bytes: trendRow(this.#memory.summary()),
        memory_share: trendRow(this.#share.summary()),
        cpu_share: trendRow(this.#cpu.summary()),
      },
      growth: this.#growth(),
      recommendations: this.#recommendations(workers, apps),
    };
  }

  worker(pool: Pool, worker: Worker): WorkerResources {
    return workerResources(pool, worker, this.deps.leaks.growth(worker));
  }

  /** A second call joins the first. */
  cleanUp(): Promise<CleanupReport> {
    this.#cleaning ??= this.#cleanUp().finally(() => {
      this.#cleaning = null;
    });
    return this.#cleaning;
  }

  async #cleanUp(): Promise<CleanupReport> {
    const { clock, apps, usedNow, decisions } = this.deps;
    const startedAt = clock.now();
    const beforeBytes = usedNow();
    const sizes = new Map(this.#workers().map(({ worker }) => [worker, worker.readings.latestBytes]));
    const skipped = this.#workers().flatMap(({ pool, worker }) => {
      const why = whyNotCleanable(pool, worker);
      return why === null ? [] : [{ id: worker.id, why }];
    });
    const cleanups = await cleanUpAll(apps(), 'trim');
    const tookMs = Math.round(clock.now() - startedAt);
    const afterBytes = usedNow();
    decisions.add('box', 'operator', {
      action: 'cleanup',
      reason: 'asked for by an operator',
      numbers: { workers: cleanups.length, before_bytes: beforeBytes, after_bytes: afterBytes, took_ms: tookMs },
    });
    return {
      before_bytes: beforeBytes,
      after_bytes: afterBytes,
      freed_bytes: beforeBytes === null || afterBytes === null ? null : beforeBytes - afterBytes,
      took_ms: tookMs,
      workers: [
        ...cleanups.map(({ worker, answer }) => {
          const before = sizes.get(worker) ?? null;
          const after = answer ? worker.readings.latestBytes : null;
          return {
            id: worker.id,
            skipped: answer ? null : 'no answer in time',
            passes: answer?.passes ?? 0,
            before_bytes: before,
            after_bytes: after,
            freed_bytes: before === null || after === null ? null : before - after,
            errors: answer?.errors ?? [],
          };
        }),
        ...skipped.map(({ id, why }) => ({
          id,
          skipped: why,
          passes: 0,
          before_bytes: null,
          after_bytes: null,
          freed_bytes: null,
          errors: [],
        })),
      ],
    };
  }

  #growth(): ResourceReport['growth'] {
    const { leaks } = this.deps;
    return this.#workers().flatMap(({ worker }) => {
      const growth = leaks.growth(worker);
      if (!growth?.significant) return [];
      return [
        {
          worker: worker.id,
          mb_per_minute: round(growth.bytesPerMinute / MB) as number,
          at_least_mb_per_minute: round(growth.atLeastBytesPerMinute / MB) as number,
          seconds_to_limit: growth.secondsToLimit === null ? null : Math.round(growth.secondsToLimit),
          suspected: leaks.suspected(worker),
        },
      ];
    });
  }

  #recommendations(workers: readonly WorkerResources[], apps: ResourceReport['apps']) {
    const { box, leaks, clock } = this.deps;
    const byId = new Map(this.#workers().map(({ worker }) => [worker.id, worker]));
    return recommend({
      pressure: box.usedShare === null ? null : box.level,
      usedBytes: box.usedBytes,
      limitBytes: box.limitBytes,
      cpuLevel: this.#cpuLevel(),
      cpuShare: round(box.snapshot?.machine.cpu?.share),
      disk: box.snapshot?.machine.disk ?? null,
      apps: apps.map((app) => ({
        name: app.version === null ? app.name : `${app.name}@${app.version}`,
        desired: app.desired,
        max: app.max,
        target: app.target,
        heldBy: app.held_by,
      })),
      workers: workers.map((row) => {
        const worker = byId.get(row.id) as Worker;
        const ageMs = worker.ageMs(clock.now());
        return {
          id: row.id,
          memoryBytes: row.memory_bytes,
          limitBytes: row.limit_bytes,
          growthMbPerMinute: row.growth_mb_per_minute,
          suspected: leaks.suspected(worker),
          secondsToLimit: leaks.growth(worker)?.secondsToLimit ?? null,
          lagMs: row.event_loop_lag_ms,
          gcShare: row.gc_ms === null || ageMs < SETTLED_MS ? null : round(row.gc_ms / ageMs),
        };
      }),
    });
  }

  #cpuLevel(): 'low' | 'moderate' | 'high' | 'critical' | null {
    const share = this.deps.box.facts(0).cpuShare;
    const thresholds = this.deps.box.cpuThresholds;
    if (share === null || thresholds === null) return null;
    if (share >= thresholds.critical) return 'critical';
    if (share >= thresholds.high) return 'high';
    return share >= thresholds.moderate ? 'moderate' : 'low';
  }

  #pools(): { app: App; version: string | null; pool: Pool }[] {
    return this.deps.apps().flatMap((app) => [...app.pools].map(([version, pool]) => ({ app, version, pool })));
  }

  #workers(): { pool: Pool; worker: Worker }[] {
    return this.#pools().flatMap(({ pool }) =>
      pool.workers.filter((w) => w.state !== 'stopped').map((worker) => ({ pool, worker })),
    );
  }
}
