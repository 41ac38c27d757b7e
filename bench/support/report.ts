/** One run's results: as tables for people, as one JSON document for programs and for bench/results. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import CliTable from 'cli-table3';
import type { Findings, Table } from './bench.js';
import type { Goal } from './goals.js';
import { rounded } from './numbers.js';
import { resultsDir, root } from './paths.js';

export interface Report {
  bench: string;
  /** ISO 8601, the start. */
  date: string;
  tookSeconds: number;
  quick: boolean;
  version: string;
  peers: Record<string, string | null>;
  machine: {
    cores: number;
    cpu: string;
    memoryBytes: number;
    node: string;
    platform: string;
    /** Mean number of runnable processes in the minute before: above 0.5 somebody else disturbed the figures. */
    loadBefore: number;
  };
  goals: Goal[];
  lostRequests: number;
  results: Record<string, unknown>;
  notes: string[];
}

export function machine(): Report['machine'] {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    loadBefore: rounded(loadavg()[0] ?? 0) as number,
  };
}

export function ourVersion(): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}

/** @returns the file */
export function save(report: Report): string {
  mkdirSync(resultsDir, { recursive: true });
  const file = join(resultsDir, `${report.bench}.json`);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  return file;
}

export function render(report: Report, findings: Findings): string {
  const goals: Table = {
    title: 'goals',
    head: ['goal', 'wanted', 'measured', 'met'],
    rows: report.goals.map((goal) => [
      goal.name,
      `${goal.rule} ${goal.limit}${goal.unit}`,
      goal.value === null ? null : `${rounded(goal.value, 3)}${goal.unit}`,
      goal.met === null ? 'not measured' : goal.met ? 'yes' : 'NO',
    ]),
  };
  const { cores, cpu, node, loadBefore } = report.machine;
  return [
    `${report.bench}${report.quick ? ' (quick: figures mean little)' : ''}: ${cores} cores (${cpu}), Node ${node}, load before ${loadBefore}, took ${report.tookSeconds} s`,
    ...[...findings.tables, goals].map(renderTable),
    ...report.notes.map((note) => `note: ${note}`),
    ...(report.lostRequests > 0 ? [`${report.lostRequests} of our requests were lost or answered wrongly`] : []),
  ].join('\n');
}

function renderTable({ title, head, rows }: Table): string {
  const table = new CliTable({ head, style: { head: [], border: [] } });
  table.push(...rows.map((row) => row.map((cell) => (cell === null ? '-' : String(cell)))));
  return `\n${title}\n${table.toString()}`;
}
