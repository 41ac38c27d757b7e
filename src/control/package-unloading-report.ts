/** What `/api/package-unloading/*` answers, `list` and `describe` show: a package is a version of a model. Seconds, also of times of day. */
import type { UnloadPreference } from '../config/schema.js';
import type { GarbageReport, PackageStatus, UnloadingStatus, UnloadTotals } from '../master/supervisor.js';
import { successRate, type UnloadImpact, unloadImpact } from '../policy/unload/impact.js';
import { recommendUnloading } from '../policy/unload/recommendations.js';

const MB = 1024 ** 2;

export type PackageRow = ReturnType<typeof packageRow>;

export function statusReport(status: UnloadingStatus) {
  return {
    enabled: status.enabled,
    check_interval: status.checkIntervalSeconds,
    current_strategy: status.currentStrategy,
    memory_pressure_threshold: status.pressureThreshold,
    max_unloads_per_cycle: status.maxPerCycle,
    min_memory_savings_threshold: status.minSavingsBytes,
    configured_strategy: status.strategy,
    strategies: status.strategies,
    memory_pressure: status.box.pressure,
  };
}

export function metricsReport(status: UnloadingStatus) {
  const { totals } = status;
  const { byCause } = totals;
  return {
    ...countsOf(totals),
    total_unload_time: millis(totals.seconds),
    average_unload_time: millis(mean(totals.seconds, totals.total)),
    unload_reasons: totals.byLabel,
    performance_impact_score: hundredths(impactOf(status).score),
    // Room for a load, and the last rung of the memory ladder, are memory that was short.
    memory_pressure_unloads: byCause.pressure + byCause.room + byCause.emergency,
    usage_pattern_unloads: byCause.pattern,
    user_preference_unloads: byCause.preference,
    adaptive_unloads: byCause.adaptive,
    manual_unloads: byCause.manual,
    reloaded_soon: totals.regretted,
    observed_seconds: millis(status.observedSeconds),
  };
}

export function impactReport(status: UnloadingStatus) {
  const { totals, packages } = status;
  const loaded = packages.filter((each) => each.loaded).length;
  const impact = impactOf(status);
  return {
    total_packages: packages.length,
    loaded_packages: loaded,
    unloaded_packages: packages.length - loaded,
    total_memory_freed_mb: hundredths(totals.freedBytes / MB),
    average_memory_per_package_mb: hundredths((meanFootprint(packages) ?? 0) / MB),
    total_unload_time_seconds: millis(totals.seconds),
    average_unload_time_seconds: millis(mean(totals.seconds, totals.total)),
    memory_efficiency: hundredths(impact.memoryEfficiency),
    time_efficiency: hundredths(impact.timeEfficiency),
    success_efficiency: hundredths(impact.successRate),
    performance_impact_score: hundredths(impact.score),
    recommendations: recommendUnloading({
      observedSeconds: status.observedSeconds,
      minSavingsBytes: status.minSavingsBytes,
      totals,
      models: packages.map(adviceFacts),
      box: status.box,
      refused: status.refused,
    }),
    observed_seconds: millis(status.observedSeconds),
  };
}

export function packagesReport({ packages }: UnloadingStatus) {
  return {
    packages: Object.fromEntries(packages.map((each) => [each.key, packageRow(each)])),
    total_packages: packages.length,
    loaded_packages: packages.filter((each) => each.loaded).length,
  };
}

export function packageRow(status: PackageStatus) {
  const { totals } = status;
  return {
    name: status.key,
    is_loaded: status.loaded,
    unloading_strategy: status.strategy,
    user_preference_unload: allowsUnload(status.preference),
    last_used: epochSeconds(status.lastUsedAt),
    unload_attempt_count: totals.total,
    unload_failure_count: totals.failed,
    unloading_metrics: {
      ...countsOf(totals),
      total_unload_time: millis(totals.seconds),
      unload_reasons: totals.byLabel,
      last_unload_reason: totals.lastLabel,
      reloaded_soon: totals.regretted,
    },
    model: status.model,
    version: status.version,
    own_strategy: status.ownStrategy,
    requires: status.requires,
    needed_by: status.neededBy,
    memory_bytes: status.memoryBytes,
    idle_seconds: status.idleSeconds === null ? null : millis(status.idleSeconds),
    unload_rank: status.rank,
    unload_why_not: status.whyNot,
    unload_in_seconds: status.goesInSeconds === null ? null : millis(status.goesInSeconds),
  };
}

/** Freed is what the workers gave back, less what they took meanwhile. */
export function garbageReport({ beforeBytes, afterBytes, workers, unanswered, at }: GarbageReport) {
  return {
    memory_before: beforeBytes,
    memory_after: afterBytes,
    memory_freed: beforeBytes === null || afterBytes === null ? null : beforeBytes - afterBytes,
    // V8 does not count what it collects.
    objects_collected: null,
    garbage_collection_time: epochSeconds(at),
    workers,
    unanswered,
  };
}

/** In the words of the configuration, and in those of the API: may it be unloaded? */
export function allowsUnload(preference: UnloadPreference): boolean | null {
  return preference === null ? null : preference === 'evict';
}

function countsOf(totals: UnloadTotals) {
  return {
    total_unloads: totals.total,
    successful_unloads: totals.succeeded,
    failed_unloads: totals.failed,
    total_memory_freed: totals.freedBytes,
    average_memory_freed_per_unload: Math.round(mean(totals.freedBytes, totals.total)),
    unload_success_rate: Math.round(successRate(rateFacts(totals)) * 10_000) / 10_000,
    last_unload_time: epochSeconds(totals.lastAt),
  };
}

function impactOf({ totals, packages, observedSeconds }: UnloadingStatus): UnloadImpact {
  return unloadImpact({
    ...rateFacts(totals),
    models: packages.length,
    meanBytes: meanFootprint(packages),
    freedBytes: totals.freedBytes,
    unloadSeconds: totals.seconds,
    observedSeconds,
  });
}

function rateFacts({ total, succeeded }: UnloadTotals) {
  return { unloads: total, succeeded };
}

function adviceFacts(each: PackageStatus) {
  const { byCause, regretted } = each.totals;
  return {
    name: each.key,
    loaded: each.loaded,
    pinned: each.preference === 'keep',
    bytes: footprint(each),
    // Idle time is null while there is a request; of one that was only loaded, it counts from the load.
    unusedSeconds: each.lastUsedAt === null ? null : (each.idleSeconds ?? 0),
    regretted,
    idleUnloads: byCause.pattern + byCause.adaptive,
  };
}

/** What it takes; of one that is not loaded, what its unloadings have freed on average. */
function footprint({ loaded, memoryBytes, totals }: PackageStatus): number | null {
  if (loaded && memoryBytes !== null) return memoryBytes;
  return totals.succeeded > 0 && totals.freedBytes > 0 ? totals.freedBytes / totals.succeeded : null;
}

function meanFootprint(packages: readonly PackageStatus[]): number | null {
  const known = packages.map(footprint).filter((bytes) => bytes !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
}

/** 0 of nothing: whoever reads these figures calculates with them. */
function mean(sum: number, count: number): number {
  return count > 0 ? sum / count : 0;
}

function epochSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms) / 1000;
}

function millis(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
