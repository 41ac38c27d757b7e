/** What runs beside us and is no dependency of the project: installed on demand into bench/peers. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { BenchRun } from './bench.js';
import { run } from './command.js';
import { peersDir, root } from './paths.js';

const INSTALL_DEADLINE_MS = 300_000;

/** False, with a note in the results, where it is not there and can't be installed. @param title for the note */
export async function peerInstalled(bench: BenchRun, name: string, title = name): Promise<boolean> {
  if (existsSync(packageFile(name))) return true;
  if (bench.quick) {
    bench.note(`${title} is not installed yet, and a quick run does not install it: measured without it`);
    return false;
  }
  bench.progress('installing the peers (npm ci --prefix bench/peers)');
  const result = await run(bench.scope, 'npm', ['ci', '--prefix', peersDir, '--no-audit', '--no-fund'], {
    cwd: root,
    deadlineMs: INSTALL_DEADLINE_MS,
  });
  if (result.code === 0) return true;
  const why = result.stderr.trim().split('\n').at(-1);
  bench.note(`${title} could not be installed (${why}): measured without it`);
  return false;
}

export function peerVersion(name: string): string | null {
  const file = packageFile(name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : null;
}

/** A library. @throws Error where it is not installed */
export function requirePeer(name: string): unknown {
  return createRequire(join(peersDir, 'package.json'))(name);
}

function packageFile(name: string): string {
  return join(peersDir, 'node_modules', name, 'package.json');
}
