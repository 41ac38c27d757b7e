import type { BenchEvents, BenchPhase, BenchPlan } from '../sizing/bench.js';
import type { SizeRow } from '../sizing/report.js';
import type { Context } from './context.js';
import { rate } from './render/sizes.js';
import { milliseconds } from './render/values.js';
import { startSpinner } from './spinner.js';

export interface BenchProgress extends BenchEvents {
  stop(): void;
}

const WIDTH = 20;
const REDRAW_MS = 250;

/** On stderr: a bar on a terminal, else a line for each size that is done. */
export async function benchProgress(
  context: Context,
  { subject: { app, version }, sizes, durationMs }: Pick<BenchPlan, 'subject' | 'sizes' | 'durationMs'>,
): Promise<BenchProgress> {
  const name = version === null ? app.name : `${app.name}@${version}`;
  const isTerminal = context.io.stderr.isTTY === true;
  const spinner = await startSpinner(context, `${name}: starting`);
  if (!isTerminal) context.say(`measuring ${name} at ${sizes.join(', ')} workers, ${durationMs / 1000} s each`);
  let now = { size: sizes[0] ?? 1, phase: 'starting' as BenchPhase, ms: null as number | null, since: 0 };
  const draw = () => {
    const index = Math.max(0, sizes.indexOf(now.size));
    const passed = now.ms === null ? 0 : Math.min(1, (performance.now() - now.since) / now.ms);
    const within = now.phase === 'measuring' ? passed : 0;
    const left = now.ms === null ? '' : ` · ${milliseconds(Math.max(0, now.ms * (1 - passed)))} left`;
    spinner.say(
      `${bar((index + within) / sizes.length)} ${name}: ${count(now.size)} (${index + 1} of ${sizes.length}) · ${now.phase}${left}`,
    );
  };
  const timer = isTerminal ? setInterval(draw, REDRAW_MS) : null;
  return {
    onPhase(size, phase, ms) {
      now = { size, phase, ms, since: performance.now() };
      draw();
    },
    onSize(row) {
      if (!isTerminal) context.say(`${count(row.workers)}: ${summary(row)}`);
    },
    stop() {
      if (timer) clearInterval(timer);
      spinner.stop();
    },
  };
}

export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * WIDTH);
  return `${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}`;
}

function summary(row: SizeRow): string {
  const errors = row.errors > 0 ? `, ${row.errors} errors` : '';
  return `${rate(row.throughput)}, p50 ${milliseconds(row.p50_ms)}, p99 ${milliseconds(row.p99_ms)}${errors}`;
}

function count(workers: number): string {
  return workers === 1 ? '1 worker' : `${workers} workers`;
}
