/** What the measurements of several sizes come to. */
import type { HttpAppConfig, ModelAppConfig } from '../config/schema.js';
import { recommendFromMeasurements, type SizeAdvice } from '../policy/recommend-size.js';
import { formatSize } from '../units.js';
import type { Subject } from './derive.js';
import type { Measurement } from './measure.js';

export interface MeasuredAt {
  workers: number;
  measured: Measurement;
}

/** Throughput is in answers a second. Null: not measured. */
export interface SizeRow {
  workers: number;
  throughput: number;
  p50_ms: number | null;
  p99_ms: number | null;
  memory_bytes: number | null;
  cpu_percent: number | null;
  box_cpu_percent: number | null;
  /** Throughput over that of the smallest size. */
  speed_up: number | null;
  /** Speed-up over what so many more workers would bring if each were worth as much as the first. */
  efficiency: number | null;
  errors: number;
  requests: number;
  clients: number;
}

export interface BenchReport {
  app: string;
  version: string | null;
  cores: number;
  /** At the size that had most. */
  clients: number;
  duration_seconds: number;
  sizes: SizeRow[];
  recommendation: SizeAdvice;
  /** What keeps the numbers from meaning what they seem to. */
  warnings: string[];
}

/** Fewer answers than these say little. */
const FEW_ANSWERS = 30;
/** An event loop above this may have had no time to ask more. */
const BUSY = 0.7;
/** Share of all cores that others may use before they count as a disturbance: the kernel's part in a load of requests is among it. */
const MUCH = 0.35;
/** Share of the free memory that is left alone. */
const SPARE_MEMORY = 0.1;

export function rowsOf(results: readonly MeasuredAt[]): SizeRow[] {
  const rate = ({ answers, seconds }: Measurement) => answers / seconds;
  const [base] = results;
  return results.map(({ workers, measured }) => {
    const speedUp = base && rate(base.measured) > 0 ? rate(measured) / rate(base.measured) : null;
    return {
      workers,
      throughput: rounded(rate(measured), 2),
      p50_ms: rounded(measured.p50Ms, 3),
      p99_ms: rounded(measured.p99Ms, 3),
      memory_bytes: rounded(measured.memoryBytes, 0),
      cpu_percent: rounded(measured.cpuPercent, 1),
      box_cpu_percent: rounded(measured.boxCpuPercent, 1),
      speed_up: rounded(speedUp, 3),
      efficiency: base && speedUp !== null ? rounded((speedUp * base.workers) / workers, 3) : null,
      errors: measured.errors,
      requests: measured.answers + measured.errors,
      clients: measured.clients,
    };
  });
}

export function reportOf(
  { subject, cores, durationMs }: { subject: Subject; cores: number; durationMs: number },
  results: readonly MeasuredAt[],
  warnings: readonly string[],
): BenchReport {
  const { app, version, config } = subject;
  const sizes = rowsOf(results);
  const points = sizes.map(({ workers, throughput, memory_bytes, errors }) => ({
    workers,
    throughput,
    memoryBytes: memory_bytes,
    errors,
  }));
  return {
    app: app.name,
    version,
    cores,
    clients: Math.max(...sizes.map((size) => size.clients)),
    duration_seconds: durationMs / 1000,
    sizes,
    recommendation: recommendFromMeasurements(points, { memoryLimitBytes: limitOf(app, config.limits.memoryBytes) }),
    warnings: [...warnings, ...doubts(results, cores)],
  };
}

/** Why no larger size is tried, or null: for want of memory other programs would be ended, or its own workers. */
export function missingMemory(last: MeasuredAt | undefined, next: number, availableBytes: number): string | null {
  if (last?.measured.memoryBytes == null) return null;
  const needed = (last.measured.memoryBytes / last.workers) * (next - last.workers);
  const room = availableBytes * (1 - SPARE_MEMORY);
  if (needed <= room) return null;
  return `${sizesText([next])} and more were left out: they would need ${formatSize(needed)} more, and ${formatSize(room)} can be had`;
}

function doubts(results: readonly MeasuredAt[], cores: number): string[] {
  const found: string[] = [];
  const few = results.filter(({ measured }) => measured.answers < FEW_ANSWERS).map(({ workers }) => workers);
  if (few.length > 0)
    found.push(`fewer than ${FEW_ANSWERS} answers at ${sizesText(few)}: a longer --duration would be surer`);
  const busy = results.filter(isOwnLimit).map(({ workers }) => workers);
  if (busy.length > 0)
    found.push(`at ${sizesText(busy)} this command was busier than the workers: they could have answered more`);
  const disturbed = results.filter(({ measured }) => othersShare(measured, cores) > MUCH).map(({ workers }) => workers);
  if (disturbed.length > 0)
    found.push(
      `at ${sizesText(disturbed)} other programs kept the box busy: measure again when it is quiet, before you follow this`,
    );
  for (const { workers, measured } of results)
    if (measured.errors > 0)
      found.push(`${measured.errors} errors at ${sizesText([workers])}, the first: ${measured.firstError}`);
  return found;
}

/** What is asked costs less than asking: the throughput is then that of the clients. */
function isOwnLimit({ workers, measured }: MeasuredAt): boolean {
  const { ownUtilisation, cpuPercent } = measured;
  return ownUtilisation > BUSY && (cpuPercent === null || ownUtilisation > cpuPercent / 100 / workers);
}

/** Share of all cores that neither the workers nor this process used: 0 where it is not known. */
function othersShare({ boxCpuPercent, cpuPercent, ownUtilisation }: Measurement, cores: number): number {
  if (boxCpuPercent === null || cpuPercent === null) return 0;
  return boxCpuPercent / 100 - (cpuPercent / 100 + ownUtilisation) / cores;
}

function sizesText(sizes: readonly number[]): string {
  return `${sizes.join(', ')} ${sizes.length === 1 && sizes[0] === 1 ? 'worker' : 'workers'}`;
}

/** Of the app, or of everything: what all its workers together may have. */
function limitOf(app: ModelAppConfig | HttpAppConfig, boxBytes: number | null): number | null {
  const limits = [app.limits.memoryBytes, boxBytes].filter((bytes) => bytes !== null);
  return limits.length === 0 ? null : Math.min(...limits);
}

function rounded(value: number, digits: number): number;
function rounded(value: number | null, digits: number): number | null;
function rounded(value: number | null, digits: number): number | null {
  return value === null ? null : Number(value.toFixed(digits));
}
