#!/usr/bin/env node
/** `npm run bench -- NAME [--json] [--quick]`. Exit code 1: it broke, or we lost requests; a goal that is missed is only reported. */
import { parseArgs } from 'node:util';
import { messageOf } from '../src/errors.js';
import type { Bench, BenchRun } from './support/bench.js';
import { machine, ourVersion, type Report, render, save } from './support/report.js';
import { Scope } from './support/scope.js';

const BENCHES: Record<string, () => Promise<{ bench: Bench }>> = {
  adaptive: () => import('./adaptive.js'),
  breach: () => import('./breach.js'),
  http: () => import('./http.js'),
  overhead: () => import('./overhead.js'),
  predict: () => import('./predict.js'),
  processes: () => import('./processes.js'),
  reload: () => import('./reload.js'),
};

const USAGE = `usage: npm run bench -- NAME [--json] [--quick]\nNAME: ${Object.keys(BENCHES).join(', ')}`;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

function parse(): { name: string; load: () => Promise<{ bench: Bench }>; json: boolean; quick: boolean } | string {
  try {
    const { values, positionals } = parseArgs({
      options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) return USAGE;
    const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
    return load ? { name, load, json: values.json, quick: values.quick } : `there is no bench '${name}'\n${USAGE}`;
  } catch (error) {
    return `${messageOf(error)}\n${USAGE}`;
  }
}

async function main(): Promise<number> {
  const args = parse();
  if (typeof args === 'string') {
    console.error(args);
    return EXIT_USAGE;
  }
  const { name, load, json, quick } = args;
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
    progress: (text) => console.error(`${name} ${Math.round((performance.now() - startedAt) / 1000)} s: ${text}`),
    note: (text) => notes.push(text),
  };
  try {
    const { bench } = await load();
    const findings = await bench(run);
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
    console.log(json ? JSON.stringify(report, null, 2) : `${render(report, findings)}\n\nresults: ${file}`);
    return findings.lostRequests > 0 ? 1 : 0;
  } catch (error) {
    // After Ctrl-C everything fails that was being waited for; interrupt() has the last word.
    if (scope.closing) await new Promise(() => {});
    console.error(error);
    for (const problem of await scope.close()) console.error(problem);
    return 1;
  }
}

process.exitCode = await main();
