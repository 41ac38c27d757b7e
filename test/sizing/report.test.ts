import { describe, expect, it } from 'vitest';
import type { Measurement } from '../../src/sizing/measure.js';
import { missingMemory, reportOf, rowsOf } from '../../src/sizing/report.js';

const MIB = 1024 ** 2;

function at(workers: number, more: Partial<Measurement> = {}) {
  const measured: Measurement = {
    seconds: 2,
    answers: 1000,
    errors: 0,
    firstError: null,
    p50Ms: 1.23456,
    p99Ms: 9.8,
    clients: 4 * workers,
    memoryBytes: 50 * MIB * workers,
    cpuPercent: 90 * workers,
    boxCpuPercent: 61.23,
    ownUtilisation: 0.1,
    ...more,
  };
  return { workers, measured };
}

function report(results: ReturnType<typeof at>[], limits: { app?: number; box?: number } = {}) {
  const subject = {
    app: { name: 'a', limits: { memoryBytes: limits.app ?? null } },
    version: 'v1',
    config: { limits: { memoryBytes: limits.box ?? null } },
  } as Parameters<typeof reportOf>[0]['subject'];
  return reportOf({ subject, cores: 2, durationMs: 2000 }, results, ['before']);
}

describe('rowsOf', () => {
  it('compares with the smallest size', () => {
    const [two, four] = rowsOf([at(2), at(4, { answers: 1500, errors: 3 })]);
    expect(two).toEqual({
      workers: 2,
      throughput: 500,
      p50_ms: 1.235,
      p99_ms: 9.8,
      memory_bytes: 100 * MIB,
      cpu_percent: 180,
      box_cpu_percent: 61.2,
      speed_up: 1,
      efficiency: 1,
      errors: 0,
      requests: 1000,
      clients: 8,
    });
    expect(four).toMatchObject({ throughput: 750, speed_up: 1.5, efficiency: 0.75, errors: 3, requests: 1503 });
  });

  it('has null for what was not measured', () => {
    const missing = { answers: 0, p50Ms: null, p99Ms: null, memoryBytes: null, cpuPercent: null, boxCpuPercent: null };
    const [row] = rowsOf([at(1, missing)]);
    expect(row).toMatchObject({ throughput: 0, p50_ms: null, memory_bytes: null, cpu_percent: null });
    expect(row).toMatchObject({ box_cpu_percent: null, speed_up: null, efficiency: null });
  });
});

describe('reportOf', () => {
  it('recommends within the limit of the app or of the box, whichever is less', () => {
    const results = [at(1), at(2, { answers: 2000 }), at(3, { answers: 3000 })];
    expect(report(results).recommendation.workers).toBe(3);
    expect(report(results, { app: 120 * MIB, box: 900 * MIB }).recommendation.workers).toBe(2);
    expect(report(results, { app: 900 * MIB, box: 60 * MIB }).recommendation.workers).toBe(1);
    expect(report(results)).toMatchObject({ app: 'a', version: 'v1', cores: 2, clients: 12, duration_seconds: 2 });
  });

  it('warns of what cannot be relied on', () => {
    expect(report([at(1), at(2)]).warnings).toEqual(['before']);
    expect(report([at(1, { answers: 29 }), at(2, { answers: 29, errors: 2, firstError: 'no' })]).warnings).toEqual([
      'before',
      'fewer than 30 answers at 1, 2 workers: a longer --duration would be surer',
      '2 errors at 2 workers, the first: no',
    ]);
    const busy = 'this command was busier than the workers: they could have answered more';
    expect(report([at(1, { ownUtilisation: 0.8, cpuPercent: 70 })]).warnings).toContain(`at 1 worker ${busy}`);
    expect(report([at(2, { ownUtilisation: 0.8, cpuPercent: 170 })]).warnings).toEqual(['before']);
    expect(report([at(1, { ownUtilisation: 0.6, cpuPercent: 10 })]).warnings).toEqual(['before']);
    expect(report([at(1), at(2, { boxCpuPercent: 99, cpuPercent: 8.2 })]).warnings).toEqual([
      'before',
      'at 2 workers other programs kept the box busy: measure again when it is quiet, before you follow this',
    ]);
  });
});

describe('missingMemory', () => {
  it('stops before the next size would take what is free', () => {
    expect(missingMemory(at(2), 4, 200 * MIB)).toBeNull();
    expect(missingMemory(at(2), 4, 100 * MIB)).toBe(
      '4 workers and more were left out: they would need 100MiB more, and 90MiB can be had',
    );
  });

  it('knows nothing before the first size, or without its memory', () => {
    expect(missingMemory(undefined, 4, 0)).toBeNull();
    expect(missingMemory(at(2, { memoryBytes: null }), 4, 0)).toBeNull();
  });
});
