import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  garbageReport,
  impactReport,
  metricsReport,
  packageRow,
  packagesReport,
  statusReport,
} from '../../src/control/package-unloading-report.js';
import type { UnloadCause } from '../../src/master/supervisor.js';
import { packageStatus, unloadingStatus, unloadTotals } from '../http/fake-supervisor.js';

const MB = 1024 ** 2;
const AT = 1_640_995_200_000;
const NO_CAUSES = { pressure: 0, pattern: 0, preference: 0, adaptive: 0, room: 0, emergency: 0, manual: 0 };
const by = (more: Partial<Record<UnloadCause, number>>) => ({ ...NO_CAUSES, ...more });

/** 25 unloadings of 50 models with 2 MB each, most of them of five that come and go. */
const TOTALS = unloadTotals({
  total: 25,
  succeeded: 23,
  failed: 2,
  freedBytes: 50 * MB,
  seconds: 12.5,
  lastAt: AT,
  byLabel: { 'Memory pressure unloading (high)': 10, 'Usage pattern unloading (balanced)': 15 },
  byCause: by({ pressure: 10, pattern: 15 }),
});
const EXAMPLE = unloadingStatus({
  totals: TOTALS,
  observedSeconds: 12.5 / 0.03,
  packages: Array.from({ length: 50 }, (_, i) =>
    packageStatus(`m${i}`, {
      loaded: i < 35,
      memoryBytes: i < 35 ? 2 * MB : null,
      totals:
        i < 5
          ? unloadTotals({ total: 3, succeeded: 3, freedBytes: 6 * MB, byCause: by({ pattern: 3 }) })
          : unloadTotals(),
    }),
  ),
});

describe('what is told of unloading', () => {
  it('has the status', () => {
    expect(statusReport(unloadingStatus())).toEqual({
      enabled: true,
      check_interval: 60,
      current_strategy: 'balanced',
      memory_pressure_threshold: 0.8,
      max_unloads_per_cycle: 5,
      min_memory_savings_threshold: 1_048_576,
      configured_strategy: 'balanced',
      strategies: ['aggressive', 'balanced', 'conservative'],
      memory_pressure: 'low',
    });
  });

  it('has the metrics of the example', () => {
    expect(metricsReport(EXAMPLE)).toMatchObject({
      total_unloads: 25,
      successful_unloads: 23,
      failed_unloads: 2,
      total_memory_freed: 52_428_800,
      average_memory_freed_per_unload: 2_097_152,
      total_unload_time: 12.5,
      average_unload_time: 0.5,
      unload_success_rate: 0.92,
      last_unload_time: 1_640_995_200.0,
      unload_reasons: { 'Memory pressure unloading (high)': 10, 'Usage pattern unloading (balanced)': 15 },
      performance_impact_score: 0.85,
      memory_pressure_unloads: 10,
      usage_pattern_unloads: 15,
      user_preference_unloads: 0,
      adaptive_unloads: 0,
    });
  });

  it('counts as pressure what went for room or in an emergency, and by hand only in all', () => {
    const byCause = { pressure: 1, room: 2, emergency: 4, pattern: 8, preference: 16, adaptive: 32, manual: 64 };
    expect(metricsReport(unloadingStatus({ totals: unloadTotals({ total: 127, byCause }) }))).toMatchObject({
      total_unloads: 127,
      memory_pressure_unloads: 7,
      usage_pattern_unloads: 8,
      user_preference_unloads: 16,
      adaptive_unloads: 32,
      manual_unloads: 64,
    });
  });

  it('has the impact of the example, with its recommendation', () => {
    const { recommendations, ...report } = impactReport(EXAMPLE);
    expect(report).toEqual({
      total_packages: 50,
      loaded_packages: 35,
      unloaded_packages: 15,
      total_memory_freed_mb: 50,
      average_memory_per_package_mb: 2,
      total_unload_time_seconds: 12.5,
      average_unload_time_seconds: 0.5,
      memory_efficiency: 0.5,
      time_efficiency: 0.97,
      success_efficiency: 0.92,
      performance_impact_score: 0.85,
      observed_seconds: 416.667,
    });
    expect(recommendations).toEqual([
      {
        type: 'info',
        message: 'High unload frequency detected',
        suggestion: 'Consider using more conservative unloading strategy',
        priority: 'medium',
        numbers: expect.objectContaining({ unloads: 15, models: 5 }),
      },
    ]);
  });

  it('knows the size of an unloaded model by what it gave back', () => {
    const totals = unloadTotals({ total: 3, succeeded: 2, failed: 1, freedBytes: 8 * MB });
    const packages = [packageStatus('a', { memoryBytes: 2 * MB }), packageStatus('b', { loaded: false, totals })];
    expect(impactReport(unloadingStatus({ packages })).average_memory_per_package_mb).toBe(3);
  });

  it('has zeros before anything was unloaded, and no time of a last one', () => {
    const status = unloadingStatus({ packages: [], observedSeconds: 0 });
    expect(metricsReport(status)).toMatchObject({
      total_unloads: 0,
      average_memory_freed_per_unload: 0,
      average_unload_time: 0,
      unload_success_rate: 1,
      last_unload_time: null,
      unload_reasons: {},
      performance_impact_score: 0.8,
    });
    expect(impactReport(status)).toMatchObject({
      total_packages: 0,
      average_memory_per_package_mb: 0,
      memory_efficiency: 0,
      time_efficiency: 1,
      success_efficiency: 1,
      recommendations: [],
    });
  });

  it('has each package under its name', () => {
    const totals = unloadTotals({ total: 2, succeeded: 2, freedBytes: 10 * MB, lastAt: AT, lastLabel: 'by hand' });
    const torch = packageStatus('torch', { lastUsedAt: AT, totals, idleSeconds: 61.23456, goesInSeconds: 250 });
    const { packages, ...counts } = packagesReport(
      unloadingStatus({ packages: [torch, packageStatus('intents@v1', { loaded: false })] }),
    );
    expect(counts).toEqual({ total_packages: 2, loaded_packages: 1 });
    expect(Object.keys(packages)).toEqual(['torch', 'intents@v1']);
    expect(packages.torch).toMatchObject({
      name: 'torch',
      is_loaded: true,
      unloading_strategy: 'balanced',
      user_preference_unload: null,
      last_used: 1_640_995_200.0,
      unload_attempt_count: 2,
      unload_failure_count: 0,
      unloading_metrics: {
        total_unloads: 2,
        successful_unloads: 2,
        failed_unloads: 0,
        total_memory_freed: 10_485_760,
        average_memory_freed_per_unload: 5_242_880,
        unload_success_rate: 1.0,
        last_unload_time: 1_640_995_200.0,
        last_unload_reason: 'by hand',
      },
      idle_seconds: 61.235,
      unload_in_seconds: 250,
    });
    expect(packages['intents@v1']).toMatchObject({ model: 'intents', version: 'v1', last_used: null });
  });

  it.each([
    ['keep', false],
    ['evict', true],
    [null, null],
  ] as const)('says whether preference %s allows unloading: %s', (preference, allowed) => {
    expect(packageRow(packageStatus('a', { preference })).user_preference_unload).toBe(allowed);
  });

  it('tells what collecting garbage brought', () => {
    const report = { beforeBytes: 1_073_741_824, afterBytes: 1_048_576_000, workers: 3, unanswered: 1, at: AT };
    expect(garbageReport(report)).toEqual({
      memory_before: 1_073_741_824,
      memory_after: 1_048_576_000,
      memory_freed: 25_165_824,
      objects_collected: null,
      garbage_collection_time: 1_640_995_200.0,
      workers: 3,
      unanswered: 1,
    });
    expect(garbageReport({ ...report, afterBytes: null }).memory_freed).toBeNull();
  });

  it('is JSON without a hole, whatever was counted', () => {
    const count = fc.nat(1e6);
    const amount = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e15, noNaN: true }));
    const some = fc.option(amount, { nil: null });
    const causes = fc.record({
      pressure: count,
      pattern: count,
      preference: count,
      adaptive: count,
      room: count,
      emergency: count,
      manual: count,
    });
    const totals = fc
      .record({
        total: count,
        succeeded: count,
        failed: count,
        freedBytes: amount,
        seconds: amount,
        lastAt: some,
        byCause: causes,
        regretted: count,
      })
      .map(unloadTotals);
    const packages = fc.array(
      fc
        .record({
          loaded: fc.boolean(),
          memoryBytes: some,
          idleSeconds: some,
          lastUsedAt: some,
          goesInSeconds: some,
          totals,
        })
        .map((parts) => packageStatus('m', parts)),
    );
    fc.assert(
      fc.property(fc.record({ totals, packages, observedSeconds: amount }), (parts) => {
        const status = unloadingStatus(parts);
        for (const report of [metricsReport(status), impactReport(status), packagesReport(status)])
          expect(JSON.parse(JSON.stringify(report))).toEqual(report);
      }),
    );
  });
});
