/** Whether the levels of pressure and of CPU load ascend, and fit what may be used. */
import type { Report } from './report.js';
import { CPU_LEVELS, MEMORY_RUNGS, PRESSURE_LEVELS } from './resource-schema.js';
import type { Config, Threshold } from './types.js';
import { valueAt } from './validate.js';

export interface Resources extends Pick<Config, 'limits' | 'pressure' | 'cpu'> {
  /** The file as it was written, to repeat a value in the words of whoever wrote it. */
  written: unknown;
}

interface Step {
  path: readonly string[];
  threshold: Threshold;
  /** As its default is written. */
  standard: string;
}

export function checkResources({ limits, pressure, cpu, written }: Resources, report: Report): void {
  const levels = stepsOf('pressure', PRESSURE_LEVELS, pressure);
  const rungs = stepsOf('pressure', MEMORY_RUNGS, pressure);
  const loads = stepsOf('cpu', CPU_LEVELS, {
    moderate: { share: cpu.moderate },
    high: { share: cpu.high },
    critical: { share: cpu.critical },
  });
  for (const step of [...levels, ...rungs]) checkLimit(step, limits.memoryBytes, written, report);
  for (const steps of [levels, rungs, loads]) checkAscending(steps, limits.memoryBytes, written, report);
}

function stepsOf<K extends string>(
  section: string,
  standards: Readonly<Record<K, string>>,
  thresholds: Readonly<Record<NoInfer<K>, Threshold>>,
): Step[] {
  return (Object.keys(standards) as K[]).map((key) => ({
    path: [section, key],
    threshold: thresholds[key],
    standard: standards[key],
  }));
}

function checkLimit({ path, threshold }: Step, memoryBytes: number | null, written: unknown, report: Report): void {
  if (memoryBytes === null || bytesOf(threshold, memoryBytes) <= memoryBytes) return;
  const value = shown(path, written, report);
  const limit = shown(['limits', 'memory'], written, report);
  report.problem(
    path,
    `${value && `\`${value}\` `}is above \`limits.memory\`${limit && ` (${limit})`}: lower it, or raise the limit`,
  );
}

/** Each step against the nearest one below it that it can be compared with. */
function checkAscending(steps: readonly Step[], memoryBytes: number | null, written: unknown, report: Report): void {
  // In place of an invalid value there is a default that nobody chose; and one error about each is enough.
  const sound = steps.filter(({ path }) => !report.isFaulty(path));
  for (const [index, step] of sound.entries()) {
    const below = sound.slice(0, index).findLast((other) => inOneUnit(other, step, memoryBytes) !== null);
    const values = below && inOneUnit(below, step, memoryBytes);
    if (!below || !values || values[0] < values[1]) continue;
    // Pointing at a key that is there: a default is not.
    const [at, other, wanted, remedy] = report.has(step.path)
      ? [step, below, 'above', 'raise it, or lower that']
      : [below, step, 'below', 'lower it, or raise that'];
    const value = report.has(other.path) ? shown(other.path, written, report) : `${other.standard} by default`;
    report.problem(at.path, `must be ${wanted} \`${other.path.join('.')}\`${value && ` (${value})`}: ${remedy}`);
  }
}

/** Null where nothing says how a share and a size compare. */
function inOneUnit(a: Step, b: Step, memoryBytes: number | null): [number, number] | null {
  if ('share' in a.threshold && 'share' in b.threshold) return [a.threshold.share, b.threshold.share];
  if ('bytes' in a.threshold && 'bytes' in b.threshold) return [a.threshold.bytes, b.threshold.bytes];
  if (memoryBytes === null) return null;
  return [bytesOf(a.threshold, memoryBytes), bytesOf(b.threshold, memoryBytes)];
}

/** Whole bytes: 0.7% of 1000 MiB is 7 MiB, and not a billionth of a byte more. */
function bytesOf(threshold: Threshold, memoryBytes: number): number {
  return 'bytes' in threshold ? threshold.bytes : Math.round(threshold.share * memoryBytes);
}

/** What was written at a path; empty where it came from the environment. */
function shown(path: readonly string[], written: unknown, report: Report): string {
  return report.isSecret(path) ? '' : String(valueAt(written, path));
}
