/** How many workers an app should have: from measurements of several sizes, or from how the box is doing now. */
import { formatSize } from '../units.js';
import type { PressureLevel } from './pressure.js';

/** What one size came to. */
export interface MeasuredSize {
  workers: number;
  /** Answers a second. */
  throughput: number;
  /** Of all its workers together; null or left out: not measured. */
  memoryBytes?: number | null;
  errors?: number;
}

export interface SizeAdvice {
  /** Null where no measured size can be advised. */
  workers: number | null;
  reason: string;
}

/** Less than this is no gain: it would not show in the next measurement. */
export const GAIN_SHARE = 0.05;

/**
 * The smallest size whose throughput is within 5 % of the best. A size with errors is out, and so is every size from the first on
 * that needs more memory than there is.
 */
export function recommendFromMeasurements(
  points: readonly MeasuredSize[],
  { memoryLimitBytes = null }: { memoryLimitBytes?: number | null } = {},
): SizeAdvice {
  const sizes = bySize(points);
  const tooLarge = sizes.find((size) => memoryLimitBytes !== null && (size.memoryBytes ?? 0) > memoryLimitBytes);
  const room = tooLarge === undefined ? sizes : sizes.slice(0, sizes.indexOf(tooLarge));
  const usable = room.filter((size) => isClean(size) && size.throughput > 0);
  const faulty = room.filter((size) => !isClean(size)).map((size) => `${count(size.workers)} had ${errorsOf(size)}`);
  if (tooLarge !== undefined && memoryLimitBytes !== null)
    faulty.push(
      `${count(tooLarge.workers)} need${tooLarge.workers === 1 ? 's' : ''} ${formatSize(tooLarge.memoryBytes ?? 0)}, more than the ${formatSize(memoryLimitBytes)} that there are`,
    );
  if (usable.length === 0)
    return { workers: null, reason: faulty.length > 0 ? faulty.join('; ') : 'no size gave an answer' };
  const best = Math.max(...usable.map((size) => size.throughput));
  const chosen = usable.find((size) => size.throughput >= best * (1 - GAIN_SHARE)) as MeasuredSize;
  const rivals = usable.filter((size) => size.workers > chosen.workers);
  const parts = [praise(chosen, usable[0] as MeasuredSize)];
  if (rivals.length > 0) parts.push(rivalry(chosen, rivals));
  else if (faulty.length === 0) parts.push(sizes.length > 1 ? 'no larger size was measured' : 'no other was measured');
  return { workers: chosen.workers, reason: [...parts, ...faulty].join('; ') };
}

/** Smallest first; of several measurements of a size the latest counts. */
function bySize(points: readonly MeasuredSize[]): MeasuredSize[] {
  const sound = points.filter(({ workers, throughput }) => workers >= 1 && Number.isFinite(throughput));
  return [...new Map(sound.map((point) => [point.workers, point])).values()].sort((a, b) => a.workers - b.workers);
}

function praise(chosen: MeasuredSize, base: MeasuredSize): string {
  if (chosen.workers === base.workers) return `${count(chosen.workers)}: ${rate(chosen.throughput)}`;
  const speedUp = chosen.throughput / base.throughput;
  const efficiency = (speedUp * base.workers) / chosen.workers;
  const than = base.workers === 1 ? 'one' : String(base.workers);
  return `${count(chosen.workers)}: ${speedUp.toFixed(1)}× of ${than} at ${Math.round(efficiency * 100)} % efficiency`;
}

/** What the best of the larger ones would have brought, and its price. */
function rivalry(chosen: MeasuredSize, larger: readonly MeasuredSize[]): string {
  const rival = larger.reduce((most, size) => (size.throughput > most.throughput ? size : most));
  const gain = Math.round((1 - chosen.throughput / rival.throughput) * 100);
  const change =
    gain > 0
      ? `gain ${gain} %, within the ${GAIN_SHARE * 100} % that count as no gain`
      : gain < 0
        ? `lose ${Math.round((1 - rival.throughput / chosen.throughput) * 100)} %`
        : 'gain nothing';
  const extra =
    rival.memoryBytes == null || chosen.memoryBytes == null ? 0 : Math.max(0, rival.memoryBytes - chosen.memoryBytes);
  return `${count(rival.workers)} ${change}${extra > 0 ? `, and cost ${formatSize(extra)} more` : ''}`;
}

/** What somebody who asks for a size knows. All of it may be left out. */
export interface SizeContext {
  /** What the workers are about to do; for the reason only. */
  stage?: string;
  memoryPerWorkerBytes?: number | null;
  /** Default 1. */
  min?: number;
  /** Default: no limit but the box's. */
  max?: number;
  /** Requests that wait now. */
  queued?: number;
  measurements?: readonly MeasuredSize[];
}

/** The box now. Null: not known. */
export interface BoxState {
  pressure: PressureLevel | null;
  /** What may still be taken before memory is at `high`. */
  roomBytes: number | null;
  /** 0..1 of the cores; above 1 where more wants to run than can. */
  cpuShare: number | null;
  cores: number | null;
}

export interface SizeQuestion {
  current: number;
  context: SizeContext;
  resources: BoxState;
}

/** From this share on (`cpu.high`) more workers only take CPU from each other. */
export const HIGH_CPU_SHARE = 0.85;

/**
 * The next size. Memory comes first: critical leaves one worker, high takes one away. Then what was measured, then CPU and backlog.
 * Nothing grows by what is not known.
 */
export function recommendSize({ current, context, resources }: SizeQuestion): { workers: number; reason: string } {
  const min = Math.max(1, context.min ?? 1);
  const max = Math.max(min, context.max ?? Number.POSITIVE_INFINITY);
  const { workers, reason } = wanted(Math.max(1, Math.floor(current)), context, resources);
  const bounded = Math.min(max, Math.max(min, workers));
  const bound = bounded === workers ? '' : bounded === max ? `; at most ${max}` : `; at least ${min}`;
  return { workers: bounded, reason: `${context.stage === undefined ? '' : `${context.stage}: `}${reason}${bound}` };
}

function wanted(current: number, context: SizeContext, box: BoxState): { workers: number; reason: string } {
  if (box.pressure === 'critical') return { workers: 1, reason: 'memory is critical: one worker until there is room' };
  const advice = recommendFromMeasurements(context.measurements ?? []);
  if (box.pressure === 'high') {
    const fewer = Math.max(1, Math.min(current - 1, advice.workers ?? current));
    const less =
      fewer === current - 1 ? 'one worker less' : `${count(fewer)} ${fewer === 1 ? 'is' : 'are'} enough, as measured`;
    return { workers: fewer, reason: `memory is high: ${fewer < current ? less : 'one worker is the least'}` };
  }
  if (advice.workers !== null && advice.workers <= current)
    return { workers: advice.workers, reason: `measured: ${advice.reason}` };
  const { cpuShare, cores } = box;
  if (cpuShare === null || cores === null || box.pressure === null) {
    const unknown = [cpuShare === null || cores === null ? 'CPU' : null, box.pressure === null ? 'memory' : null];
    return { workers: current, reason: `${unknown.filter(Boolean).join(' and ')} not known: stays as it is` };
  }
  if (cpuShare >= HIGH_CPU_SHARE)
    return { workers: current, reason: `${busy(cpuShare)}: more workers would only share the cores` };
  const queued = context.queued ?? 0;
  if (advice.workers === null && queued === 0)
    return { workers: current, reason: 'nothing waits, and there is room: stays as it is' };
  const idleCores = Math.max(1, Math.floor((HIGH_CPU_SHARE - cpuShare) * cores));
  // At most twice as many at once: what they bring is to be seen before the next step.
  const asked = advice.workers ?? current + Math.min(idleCores, queued);
  const target = Math.min(asked, current * 2);
  const fits = current + workersThatFit(context.memoryPerWorkerBytes ?? null, box.roomBytes);
  const why =
    advice.workers === null
      ? `${queued} wait and ${busy(cpuShare)}: ${plural(target - current)} more`
      : `measured: ${advice.reason}`;
  if (fits >= target) return { workers: target, reason: why };
  if (fits > current)
    return { workers: fits, reason: `${why}, but memory has room for ${plural(fits - current)} more` };
  return { workers: current, reason: `${why}, but memory has no room for another` };
}

/** Where the size of a worker is not known, one more shows it. */
function workersThatFit(perWorkerBytes: number | null, roomBytes: number | null): number {
  if (perWorkerBytes === null || roomBytes === null || perWorkerBytes <= 0) return 1;
  return Math.max(0, Math.floor(roomBytes / perWorkerBytes));
}

/** A load average counts what wants to run, so it can be more than there is. */
function busy(cpuShare: number): string {
  return `the load is ${Math.round(cpuShare * 100)} % of the cores`;
}

function isClean(size: MeasuredSize): boolean {
  return (size.errors ?? 0) === 0;
}

function errorsOf({ errors = 0 }: MeasuredSize): string {
  return errors === 1 ? '1 error' : `${errors} errors`;
}

function count(workers: number): string {
  return workers === 1 ? '1 worker' : `${workers} workers`;
}

function plural(number: number): string {
  return number === 1 ? 'one' : String(number);
}

function rate(perSecond: number): string {
  return `${perSecond >= 100 ? Math.round(perSecond) : Number(perSecond.toPrecision(3))}/s`;
}
