#!/usr/bin/env node
/** `npm run bench -- NAME [--json] [--quick]`. Exit code 1: it broke, or we lost requests; a goal that is missed is only reported. */
import { parseArgs } from 'node:util';
import { messageOf } from '../src/errors.js';
import type { BenchModule, BenchRun, OptionValue } from './support/bench.js';
import { machine, ourVersion, type Report, render, save } from './support/report.js';
import { Scope } from './support/scope.js';
import { UsageError } from './support/usage.js';

const BENCHES: Record<string, () => Promise<BenchModule>> = {
  adaptive: () => import('./adaptive.js'),
  balancers: () => import('./balancers.js'),
  breach: () => import('./breach.js'),
  'cold-start': () => import('./cold-start.js'),
  http: () => import('./http.js'),
  'keepalive-sim': () => import('./keepalive-sim.js'),
  overhead: () => import('./overhead.js'),
  overload: () => import('./overload.js'),
  predict: () => import('./predict.js'),
  processes: () => import('./processes.js'),
  reload: () => import('./reload.js'),
  'scale-sim': () => import('./scale-sim.js'),
  'unload-sim': () => import('./unload-sim.js'),
};

const COMMON = { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } as const;
const USAGE = `usage: npm run bench -- NAME [--json] [--quick]\nNAME: ${Object.keys(BENCHES).join(', ')}`;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

interface Args {
  name: string;
  module: BenchModule;
  json: boolean;
  quick: boolean;
  values: BenchRun['values'];
}

/** @returns what is wrong, where it can't be understood */
async function parse(argv: readonly string[]): Promise<Args | string> {
  // Only the bench knows which of its options take a value, so its name is looked for first.
  const name = argv.find((word) => Object.hasOwn(BENCHES, word));
  if (name === undefined)
    return argv[0] === undefined || argv[0].startsWith('-') ? USAGE : `there is no bench '${argv[0]}'\n${USAGE}`;
  const module = await BENCHES[name]!();
  const usage = module.usage ? `${USAGE}\n${module.usage}` : USAGE;
  try {
    const options = { ...module.options, ...COMMON };
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    if (positionals.length > 1) return usage;
    const { json, quick, ...own } = values as Record<string, OptionValue>;
    return { name, module, json: json === true, quick: quick === true, values: own };
  } catch (error) {
    return `${messageOf(error)}\n${usage}`;
  }
}

async function main(): Promise<number> {
  const args = await parse(process.argv.slice(2));
  if (typeof args === 'string') {
    console.error(args);
    return EXIT_USAGE;
  }
  const { name, module, json, quick, values } = args;
  const scope = new Scope();
  const interrupt = async () => {
    if (scope.closing) return;
    console.error('ending what was started');
    for (const problem of await scope.close()) console.error(problem);
    process.exit(EXIT_INTERRUPTED);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);

  const notes: string[] = [];
  const before = machine();
  const date = new Date().toISOString();
  const startedAt = performance.now();
  const run: BenchRun = {
    scope,
    quick,
    values,
    progress: (text) => console.error(`${name} ${Math.round((performance.now() - startedAt) / 1000)} s: ${text}`),
    note: (text) => notes.push(text),
  };
  try {
    const findings = await module.bench(run);
    notes.push(...(await scope.close()));
    const report: Report = {
      bench: name,
      date,
      tookSeconds: Math.round((performance.now() - startedAt) / 1000),
      quick,
      version: ourVersion(),
      peers: findings.peers,
      machine: before,
      goals: findings.goals,
      lostRequests: findings.lostRequests,
      results: findings.results,
      notes,
    };
    const file = save(report);
    const printed = module.virtual ? { ...report, ...findings.results } : report;
    console.log(json ? JSON.stringify(printed, null, 2) : `${render(report, findings)}\n\nresults: ${file}`);
    return findings.lostRequests > 0 ? 1 : 0;
  } catch (error) {
    // After Ctrl-C everything fails that was being waited for; interrupt() has the last word.
    if (scope.closing) await new Promise(() => {});
    console.error(error instanceof UsageError ? error.message : error);
    for (const problem of await scope.close()) console.error(problem);
    return error instanceof UsageError ? EXIT_USAGE : 1;
  }
}

process.exitCode = await main();
