/** How much a server can take: wrk where it is installed (it costs the least on a shared machine), else autocannon. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import autocannon from 'autocannon';
import type { BenchRun } from './bench.js';
import { runOrThrow } from './command.js';
import type { Scope } from './scope.js';

export interface LoadPlan {
  url: string;
  connections: number;
  seconds: number;
  /** Every request on a connection of its own. */
  connectionPerRequest?: boolean;
  /** POSTed as JSON in turn; without them it is GET. */
  bodies?: readonly string[];
}

export interface LoadResult {
  requestsPerSecond: number;
  p50Ms: number | null;
  p99Ms: number | null;
  /** Broken connections, timeouts and answers that were no 2xx. */
  failed: number;
}

export const loadTool: 'wrk' | 'autocannon' =
  spawnSync('wrk', ['--version'], { stdio: 'ignore' }).error === undefined ? 'wrk' : 'autocannon';

/** For benches that use either: what the figures are worth without wrk. */
export function noteLoadTool(run: BenchRun): void {
  if (loadTool === 'autocannon')
    run.note('wrk is not installed: autocannon needs more CPU itself, which flattens ratios, and counts whole ms');
}

/** Compiled code and open connections are what a server has in its long life; the first second is not measured. */
export async function warmUp(scope: Scope, plan: Omit<LoadPlan, 'seconds'>): Promise<void> {
  await applyLoad(scope, { ...plan, seconds: 1 });
}

/** Longer than the longest pause that a server may make here. */
const TIMEOUT_SECONDS = 10;

export function applyLoad(scope: Scope, plan: LoadPlan): Promise<LoadResult> {
  return loadTool === 'wrk' ? withWrk(scope, plan) : withAutocannon(plan);
}

async function withWrk(scope: Scope, plan: LoadPlan): Promise<LoadResult> {
  const args = ['-t1', `-c${plan.connections}`, `-d${plan.seconds}s`, `--timeout=${TIMEOUT_SECONDS}s`, '--latency'];
  if (plan.connectionPerRequest) args.push('-H', 'Connection: close');
  if (plan.bodies) args.push('-s', writeScript(scope, plan.bodies));
  const { stdout } = await runOrThrow(scope, 'wrk', [...args, plan.url]);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
  if (rate === undefined) throw new Error(`wrk printed no rate:\n${stdout}`);
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? [];
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? '0';
  return {
    requestsPerSecond: Number(rate),
    p50Ms: percentile(stdout, 50),
    p99Ms: percentile(stdout, 99),
    failed: [...broken, refused].reduce((sum, count) => sum + Number(count), 0),
  };
}

const UNIT_MS: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function percentile(output: string, percent: number): number | null {
  const found = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m)$`, 'm').exec(output);
  return found ? Number(found[1]) * UNIT_MS[found[2]!]! : null;
}

/** Requests are made up front: composing them while the clock runs would measure Lua. */
function writeScript(scope: Scope, bodies: readonly string[]): string {
  const file = join(scope.dir, 'post.lua');
  const list = bodies.map((body) => `  [=[${body}]=],`).join('\n');
  writeFileSync(
    file,
    `local bodies = {
${list}
}
local requests = {}
local turn = 0
init = function()
  for i, body in ipairs(bodies) do
    requests[i] = wrk.format('POST', nil, { ['Content-Type'] = 'application/json' }, body)
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
`,
  );
  return file;
}

async function withAutocannon(plan: LoadPlan): Promise<LoadResult> {
  const result = await autocannon({
    url: plan.url,
    connections: plan.connections,
    duration: plan.seconds,
    timeout: TIMEOUT_SECONDS,
    ...(plan.connectionPerRequest ? { headers: { connection: 'close' } } : {}),
    ...(plan.bodies
      ? {
          requests: plan.bodies.map((body) => ({
            method: 'POST' as const,
            headers: { 'content-type': 'application/json' },
            body,
          })),
        }
      : {}),
  });
  return {
    requestsPerSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.errors + result.non2xx,
  };
}
