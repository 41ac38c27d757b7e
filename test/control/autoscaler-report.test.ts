import { describe, expect, it } from 'vitest';
import { healthReport, metricsReport, statsReport } from '../../src/control/autoscaler-report.js';
import { modelStatus, modelWindow } from '../support/model-reports.js';
import { resourceReport } from '../support/reports.js';

const LOADED = modelStatus('v1', {
  instances: { active: 2, loading: 1, target: 3, min: 0, max: 4 },
  queued: 3,
  in_flight: 2,
  memory_bytes: 100,
  loads: {
    loads: 4,
    unloads: 3,
    failures: 1,
    cold_starts: 5,
    hits: 15,
    mean_seconds: 1.5,
    last_seconds: 2,
    popularity: 7.5,
  },
  inputs: { requests: 20 },
});
const UNLOADED = modelStatus('v2', {
  state: 'unloaded',
  instances: { active: 0, target: 0, min: 0 },
  memory_bytes: null,
});
const FAILED = modelStatus('v3', {
  state: 'failed',
  reason: 'load threw: no such file',
  instances: { active: 0, min: 1 },
  loads: { failures: 2 },
});
const STOPPED = modelStatus('v4', { state: 'stopped', instances: { active: 0, target: 0 } });

describe('stats', () => {
  it('has every model as it is, and their sums', () => {
    const { models, totals } = statsReport([LOADED, UNLOADED, FAILED, STOPPED]);
    expect(models).toEqual([LOADED, UNLOADED, FAILED, STOPPED]);
    expect(totals).toEqual({
      models: 4,
      loaded_models: 1,
      loading_models: 0,
      failed_models: 1,
      active_instances: 2,
      loading_instances: 1,
      total_instances: 3,
      queued: 3,
      in_flight: 2,
      requests: 20,
      loads: 4,
      unloads: 3,
      load_failures: 3,
      cold_starts: 5,
      hits: 15,
      hit_rate: 0.75,
      memory_bytes: 100,
      gpu_memory_bytes: null,
    });
  });

  it('knows nothing where there is nothing', () => {
    expect(statsReport([]).totals).toMatchObject({ models: 0, hit_rate: null, memory_bytes: null });
  });
});

describe('health', () => {
  const of = (...models: Parameters<typeof healthReport>[0][number][]) => healthReport(models, 'low');

  it('is good with what is loaded, unloaded and stopped', () => {
    expect(of(LOADED, UNLOADED, STOPPED)).toMatchObject({ status: 'healthy', reasons: [] });
    expect(of()).toMatchObject({ status: 'healthy', models: [] });
    expect(of(STOPPED).status).toBe('healthy');
  });

  it('says which model is why not', () => {
    const { status, reasons, models } = of(LOADED, FAILED);
    expect([status, reasons]).toEqual(['degraded', ['intents@v3: load threw: no such file']]);
    expect(models.map((model) => [model.version, model.state, model.status])).toEqual([
      ['v1', 'ready', 'healthy'],
      ['v3', 'failed', 'unhealthy'],
    ]);
  });

  it('is unhealthy where nothing is served that should be', () => {
    expect(of(FAILED).status).toBe('unhealthy');
    expect(of(FAILED, STOPPED).status).toBe('unhealthy');
    expect(of(FAILED, UNLOADED).status).toBe('degraded');
  });

  it('is degraded below the least size, and not for loading on demand', () => {
    const short = modelStatus('v1', { instances: { active: 1, min: 2, target: 2 } });
    expect(of(short)).toMatchObject({ status: 'degraded', reasons: ['intents@v1: 1 of at least 2 workers are ready'] });
    const booting = modelStatus('v1', {
      state: 'loading',
      reason: 'waiting for memory',
      instances: { active: 0, loading: 1 },
    });
    expect(of(booting).reasons).toEqual(['intents@v1: 0 of at least 1 worker is ready: waiting for memory']);
    expect(of(modelStatus('v1', { state: 'loading', instances: { active: 0, min: 0 } })).status).toBe('healthy');
  });

  it('is degraded while memory is critical', () => {
    expect(healthReport([LOADED], 'critical')).toMatchObject({
      status: 'degraded',
      reasons: ['memory pressure is critical'],
      pressure: 'critical',
    });
  });
});

describe('metrics', () => {
  it('has the figures of the window and of now', () => {
    const window = modelWindow({
      window_seconds: 10,
      observed_seconds: 10.5,
      requests: 42,
      succeeded: 30,
      model_errors: 2,
      expired: 3,
      refused: 4,
      lost: 1,
      cancelled: 10,
      batches: 8,
      compute_ms: 160,
      queue_ms: 320,
      loads: 4,
      failures: 1,
      unloads: 2,
      total_seconds: 6,
      cold_starts: 3,
      hits: 9,
      scale_ups: 5,
      scale_downs: 6,
    });
    const resources = resourceReport();
    resources.status.cpu.share = 0.25;
    resources.status.gpus = [
      { name: 'a', total_bytes: 10, used_bytes: 1, share: 0.5 },
      { name: 'b', total_bytes: 10, used_bytes: 1, share: null },
    ];
    expect(metricsReport([LOADED, UNLOADED], window, resources)).toEqual({
      time: resources.time,
      window_seconds: 10,
      observed_seconds: 10.5,
      active_instances: 2,
      loading_instances: 1,
      total_instances: 3,
      queued: 3,
      in_flight: 2,
      requests: 42,
      errors: 10,
      requests_per_second: 4,
      average_response_time_ms: 30,
      error_rate_percent: 20,
      cpu_usage_percent: 25,
      memory_usage_percent: (resources.status.memory.used_share as number) * 100,
      gpu_usage_percent: 50,
      scale_up_events: 5,
      scale_down_events: 6,
      loads: 4,
      unloads: 2,
      load_failures: 1,
      average_load_time_ms: 1500,
      cold_starts: 3,
      warm_start_rate: 0.75,
      cache_hit_rate: null,
      model_load_times: {
        'intents@v1': { mean_seconds: 1.5, last_seconds: 2 },
        'intents@v2': { mean_seconds: null, last_seconds: null },
      },
      model_popularity: { 'intents@v1': 7.5, 'intents@v2': 0 },
    });
  });

  it('has null, and no zero, for what nothing is known of', () => {
    const resources = resourceReport();
    resources.status.cpu.share = null;
    resources.status.memory.used_share = null;
    resources.status.gpus = null;
    expect(metricsReport([], modelWindow({ observed_seconds: 0 }), resources)).toMatchObject({
      requests: 0,
      requests_per_second: null,
      average_response_time_ms: null,
      error_rate_percent: null,
      cpu_usage_percent: null,
      memory_usage_percent: null,
      gpu_usage_percent: null,
      average_load_time_ms: null,
      warm_start_rate: null,
    });
    expect(metricsReport([], modelWindow(), resources)).toMatchObject({ requests_per_second: 0, cold_starts: 0 });
  });
});
