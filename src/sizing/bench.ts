/** Runs the real pool of an app at each of several sizes, under load, and says which one to take. */
import type { ModelAppConfig } from '../config/schema.js';
import { messageOf, SupError } from '../errors.js';
import type { Master } from '../master/master.js';
import type { AppRow } from '../master/supervisor.js';
import { deriveConfig, type Subject } from './derive.js';
import { freePort } from './free-port.js';
import type { HttpRequest } from './inputs.js';
import { type Measurement, measure } from './measure.js';
import { type BenchReport, type MeasuredAt, missingMemory, reportOf, rowsOf, type SizeRow } from './report.js';
import { checkReport, withScratchMaster, writeConfig } from './scratch-master.js';
import { askModel, httpTarget, modelTarget, type Target } from './target.js';

export interface BenchPlan {
  subject: Subject;
  /** Ascending. */
  sizes: readonly number[];
  durationMs: number;
  /** Null: as many as keep the workers busy. */
  clients: number | null;
  input: { kind: 'model'; inputs: readonly unknown[] } | { kind: 'http'; requests: readonly HttpRequest[] };
  env: NodeJS.ProcessEnv;
  cores: number;
}

export type BenchPhase = 'starting' | 'warming' | 'measuring';

export interface BenchEvents {
  /** `ms`: how long it takes; null where nobody knows. */
  onPhase(size: number, phase: BenchPhase, ms: number | null): void;
  onSize(row: SizeRow): void;
}

const LOOPBACK = '127.0.0.1';
/** New workers compile their code first. */
const WARM_UP = { share: 0.25, leastMs: 250, mostMs: 2000 };
/** A few answers one by one tell what one takes. */
const PROBES = 3;
const PROBE_MS = 1000;

/** @throws SupError where it does not start, or where nothing is answered well; AbortError when it was broken off */
export function benchSizes(plan: BenchPlan, events: BenchEvents, signal: AbortSignal): Promise<BenchReport> {
  return withScratchMaster(signal, async (master, dir) => {
    const { subject, sizes } = plan;
    const port = await freePort(LOOPBACK);
    const [first = 1] = sizes;
    events.onPhase(first, 'starting', null);
    const file = await writeConfig(dir, deriveConfig(subject, plan.env, first, port));
    checkReport(await master.apply(file));
    const target = await targetOf(plan, master, port);
    const results: MeasuredAt[] = [];
    const warnings: string[] = [];
    for (const workers of sizes) {
      const missing = missingMemory(results.at(-1), workers, process.availableMemory());
      if (missing !== null) {
        warnings.push(missing);
        break;
      }
      events.onPhase(workers, 'starting', null);
      try {
        checkReport(await master.scale(subject.app.name, String(workers)));
      } catch (error) {
        // What the smaller ones came to is worth knowing all the same.
        if (results.length === 0) throw error;
        warnings.push(`${workers} workers did not start: ${messageOf(error)}`);
        break;
      }
      const measured = await measureSize(plan, master, target, workers, events, signal);
      if (results.length === 0) checkAnswered(measured);
      results.push({ workers, measured });
      events.onSize(rowsOf(results).at(-1) as SizeRow);
    }
    return reportOf(plan, results, warnings);
  });
}

function measureSize(
  plan: BenchPlan,
  master: Master,
  target: Target,
  workers: number,
  events: BenchEvents,
  signal: AbortSignal,
): Promise<Measurement> {
  const { app } = plan.subject;
  return measure(target, {
    clients: plan.clients ?? target.clientsFor(workers),
    warmUpMs: Math.min(WARM_UP.mostMs, Math.max(WARM_UP.leastMs, plan.durationMs * WARM_UP.share)),
    durationMs: plan.durationMs,
    patienceMs: app.kind === 'model' ? app.timeoutMs : 0,
    row: () => master.list()[0] as AppRow,
    signal,
    onPhase: (phase, ms) => events.onPhase(workers, phase, ms),
  });
}

/** @throws SupError where nothing was answered well */
function checkAnswered({ answers, firstError }: Measurement): void {
  if (answers > 0) return;
  throw firstError === null
    ? new SupError('SUP_ACT_FAILED', 'there was no answer in time; a longer --duration may show one')
    : nothingButErrors(firstError);
}

async function targetOf({ subject, input }: BenchPlan, master: Master, port: number): Promise<Target> {
  const { app } = subject;
  if (input.kind === 'http') return httpTarget(LOOPBACK, port, input.requests);
  const version = subject.version as string;
  const serviceMs = await probe(master, app.name, version, input.inputs);
  return modelTarget(master, app as ModelAppConfig, version, input.inputs, serviceMs);
}

/** What one input alone takes. @throws SupError where none is answered */
async function probe(master: Master, model: string, version: string, inputs: readonly unknown[]): Promise<number> {
  const ask = askModel(master, model, version, inputs);
  const startedAt = performance.now();
  let fastestMs = Number.POSITIVE_INFINITY;
  let firstError: string | null = null;
  for (let turn = 0; turn < PROBES && (turn === 0 || performance.now() - startedAt < PROBE_MS); turn++) {
    const askedAt = performance.now();
    const error = await ask(turn);
    if (error === null) fastestMs = Math.min(fastestMs, performance.now() - askedAt);
    else firstError ??= error;
  }
  if (fastestMs === Number.POSITIVE_INFINITY) throw nothingButErrors(firstError ?? '');
  return fastestMs;
}

function nothingButErrors(first: string): SupError {
  return new SupError('SUP_ACT_FAILED', `every request failed, the first with: ${first}`);
}
