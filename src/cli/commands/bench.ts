import { resolve } from 'node:path';
import { availableCores } from '../../config/cores.js';
import { loadConfig } from '../../config/load.js';
import type { AppDetail } from '../../master/supervisor.js';
import { applySize } from '../../sizing/apply.js';
import { type BenchPlan, benchSizes } from '../../sizing/bench.js';
import { findSubject, type Subject } from '../../sizing/derive.js';
import { readHttpRequests, readModelInputs } from '../../sizing/inputs.js';
import type { BenchReport } from '../../sizing/report.js';
import { warmUpSamples } from '../../sizing/samples.js';
import { defaultSizes, parseSizes } from '../../sizing/sizes.js';
import { parseDuration } from '../../units.js';
import { targetPath } from '../act.js';
import { benchProgress } from '../bench-progress.js';
import type { Context } from '../context.js';
import { EXIT, ReplyError, usage } from '../exit.js';
import { isFile } from '../files.js';
import { onceInterrupted } from '../interrupt.js';
import { wholeNumber } from '../numbers.js';
import { sizesTable } from '../render/sizes.js';
import type { Options, Run } from '../verbs.js';

const DEFAULT_DURATION = '5s';
const LEAST_MS = 100;
const MOST_CLIENTS = 10_000;

export const run: Run = async (context, [target = ''], options) => {
  const { name, version } = parseTarget(target);
  const durationMs = durationOf(options.duration);
  const sizes = options.workers === undefined ? null : parseSizes(String(options.workers));
  const clients = options.clients === undefined ? null : wholeNumber('--clients', options.clients, 1, MOST_CLIENTS);
  const running = await runningApp(context, name);
  const subject = findSubject(configFile(context, options, name, running), name, version, context.io.env);
  if (running && running.ready > 0)
    context.warn(`${running.name} is running too: what it does meanwhile takes from what is measured`);
  const interrupt = onceInterrupted(context.io);
  try {
    const cores = availableCores();
    const plan: BenchPlan = {
      subject,
      sizes: sizes ?? defaultSizes(subject.app.workers, cores),
      durationMs,
      clients,
      input: await inputOf(context, subject, options.input, interrupt.signal),
      env: context.io.env,
      cores,
    };
    const progress = await benchProgress(context, plan);
    const report = await benchSizes(plan, progress, interrupt.signal).finally(() => progress.stop());
    return await conclude(context, subject, report, options);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    context.say('broken off; nothing of it is left running');
    return interrupt.exitCode;
  } finally {
    interrupt.release();
  }
};

async function conclude(context: Context, subject: Subject, report: BenchReport, options: Options): Promise<number> {
  const { workers, reason } = report.recommendation;
  for (const warning of report.warnings) context.warn(warning);
  if (options.json === true) context.printJson(report);
  else {
    context.print(`${sizesTable(report.sizes, context.colors)}\n`);
    context.print(workers === null ? `no recommendation: ${reason}` : `recommended: ${reason}`);
  }
  if (options.apply !== true) return EXIT.done;
  if (workers === null) {
    context.fail('there is no size to apply');
    return EXIT.failed;
  }
  await apply(context, subject, workers, report.cores);
  return EXIT.done;
}

/** On stderr: with --json, stdout holds the report alone. */
async function apply(context: Context, { file, app }: Subject, workers: number, cores: number): Promise<void> {
  const changes = await applySize(file, app.name, workers, cores);
  if (changes.length === 0) return context.say(`${file} has ${app.name} at this size already`);
  context.say(`${file}: apps.${app.name}.${changes.join(`, apps.${app.name}.`)}`);
  context.say(`to take it: supervisor reload ${app.name}`);
  const { config } = loadConfig(file, { env: context.io.env });
  const now = config.apps.find((each) => each.name === app.name);
  if (now?.workers.max !== workers)
    context.warn(`the environment overrides the file: ${app.name} still gets up to ${now?.workers.max} workers`);
}

function parseTarget(target: string): { name: string; version: string | null } {
  const [, name, version = null] = /^([^@/]+)(?:@([^@/]+))?$/.exec(target) ?? [];
  if (name === undefined) throw usage(`bench is for a whole app, such as intents or intents@v1, not '${target}'`);
  return { name, version };
}

function durationOf(option: unknown): number {
  const ms = parseDuration(String(option ?? DEFAULT_DURATION));
  if (ms < LEAST_MS) throw usage(`--duration wants at least ${LEAST_MS}ms`);
  return ms;
}

/** As the running master knows it; null where there is no master, or where it does not know it. */
async function runningApp(context: Context, name: string): Promise<AppDetail | null> {
  try {
    if (!(await context.client.probe())) return null;
    const { versions } = await context.client.get<{ versions: AppDetail[] }>(targetPath(name));
    // A namespace would name others.
    return versions.find((app) => app.name === name) ?? null;
  } catch (error) {
    if (error instanceof ReplyError && error.status === 404) return null;
    throw error;
  }
}

function configFile(context: Context, options: Options, name: string, running: AppDetail | null): string {
  const { cwd } = context.io;
  const given = options.file ?? running?.config_file ?? 'supervisor.yaml';
  const file = resolve(cwd, String(given));
  if (isFile(file, cwd)) return file;
  throw usage(
    options.file === undefined
      ? `no file is known that has ${name}, and there is no supervisor.yaml here: name one with --file`
      : `there is no file ${given}`,
  );
}

async function inputOf(
  context: Context,
  { app, version }: Subject,
  option: unknown,
  signal: AbortSignal,
): Promise<BenchPlan['input']> {
  const file = option === undefined ? null : resolve(context.io.cwd, String(option));
  if (app.kind === 'http') {
    const requests = file === null ? [{ method: 'GET', path: '/', body: null }] : readHttpRequests(file);
    return { kind: 'http', requests };
  }
  if (file !== null) return { kind: 'model', inputs: readModelInputs(file) };
  const inputs = await warmUpSamples(app, version as string, signal);
  if (inputs.length === 0)
    throw usage(
      `${app.name}@${version} has no \`warmup\` samples that it could be asked: give an example with --input FILE (JSON: one input, or an array of them)`,
    );
  return { kind: 'model', inputs };
}
