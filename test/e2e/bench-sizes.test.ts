import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AppRow } from '../../src/master/supervisor.js';
import type { BenchReport } from '../../src/sizing/report.js';
import { Box, type CliResult, isRunning, until } from '../support/box.js';

const BURNS = 'module: $FIXTURES/models/burns-warm.mjs, batching: { max_size: 1 }';
const BARE = 'script: $FIXTURES/http/bare.mjs, port: $WEB';

/** A box in which whatever the benchmark makes for itself can be seen. */
async function openBox(apps: string): Promise<Box & { scratch: string }> {
  const box = await Box.open(apps);
  const scratch = path.join(box.dir, 'tmp');
  mkdirSync(scratch);
  box.env.TMPDIR = scratch;
  return Object.assign(box, { scratch });
}

function reportOf({ code, stdout, stderr }: CliResult): BenchReport {
  if (code !== 0) throw new Error(`bench exited with ${code}:\n${stderr}`);
  return JSON.parse(stdout) as BenchReport;
}

/** Processes of masters whose state folder lies in there, and what they left on the disk. */
function leftIn(scratch: string): { pids: number[]; files: string[] } {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isRunning(pid) && environOf(pid).includes(`SUPERVISOR_HOME=${scratch}/`));
  return { pids, files: readdirSync(scratch) };
}

function environOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    // Gone meanwhile, or another user's.
    return '';
  }
}

const NOTHING = { pids: [], files: [] };
const identities = ({ generation, workers }: AppRow) => ({
  generation,
  workers: workers.map(({ id, pid }) => `${id} ${pid}`),
});

describe('supervisor bench', () => {
  it('measures a model at each size beside the master that runs it, without touching what runs', async () => {
    const box = await openBox(`apps:\n  burns: { ${BURNS}, depends_on: [web] }\n  web: { ${BARE} }\n`);
    await box.ok('start');
    const before = [identities(await box.row('burns')), identities(await box.row('web'))];
    const outcome = await box.cli('bench', 'burns', '--workers', '1..2', '--duration', '1s', '--json');
    const report = reportOf(outcome);
    expect(Object.keys(report)).toEqual([
      'app',
      'version',
      'cores',
      'clients',
      'duration_seconds',
      'sizes',
      'recommendation',
      'warnings',
    ]);
    expect(report).toMatchObject({ app: 'burns', version: 'v1', duration_seconds: 1, clients: 4 });
    expect(report.cores).toBeGreaterThanOrEqual(1);
    expect(report.sizes.map(({ workers, clients, errors }) => [workers, clients, errors])).toEqual([
      [1, 2, 0],
      [2, 4, 0],
    ]);
    for (const size of report.sizes) {
      // One that takes 3 ms of CPU cannot answer more often.
      expect(size.throughput).toBeGreaterThan(0);
      expect(size.throughput).toBeLessThan(340 * size.workers);
      expect(size.requests).toBeGreaterThan(0);
      expect(size.p50_ms).toBeGreaterThan(3);
      expect(size.p99_ms).toBeGreaterThanOrEqual(size.p50_ms as number);
      expect(size.cpu_percent).toBeGreaterThan(1);
      expect(size.cpu_percent).toBeLessThan(150 * size.workers);
      expect(size.box_cpu_percent).toBeGreaterThan(0);
      expect(size.speed_up).toBeCloseTo(size.throughput / report.sizes[0]!.throughput, 2);
      expect(size.efficiency).toBeCloseTo((size.speed_up as number) / size.workers, 2);
    }
    const [one, two] = report.sizes.map((size) => size.memory_bytes as number);
    expect(one).toBeGreaterThan(10 * 1024 ** 2);
    expect(two).toBeGreaterThan(1.5 * one!);
    expect([1, 2]).toContain(report.recommendation.workers);
    expect(report.recommendation.reason).toMatch(/^[12] workers?: /);
    expect(outcome.stderr).toContain('warning: burns is running too');
    expect(outcome.stderr).toMatch(/\n1 worker: [\d.]+\/s, p50 [\d.]+ms, p99 [\d.]+ms\n2 workers: /);
    expect([identities(await box.row('burns')), identities(await box.row('web'))]).toEqual(before);
    expect(leftIn(box.scratch)).toEqual(NOTHING);
  });

  it('finds the configuration of an app that runs, and writes the size into it with --apply', async () => {
    const box = await openBox(`apps:\n  web: { ${BARE} }\n`);
    const file = path.join(box.dir, 'shop.yaml');
    box.write(`# Ours.\napps:\n  burns: { ${BURNS}, workers: { min: 2,  max: 3 } }   # for now\n`, file);
    await box.ok('start', 'shop.yaml');
    const before = readFileSync(file, 'utf8');
    const { code, stdout, stderr } = await box.cli('bench', 'burns', '--workers=1', '--duration=300ms', '--apply');
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^workers +throughput .*\n1 +[\d.]+\/s .*\n\nrecommended: 1 worker: .*\n$/),
    ]);
    expect(stderr).toContain(`${file}: apps.burns.workers.min: 2 → 1, apps.burns.workers.max: 3 → 1\n`);
    expect(stderr).toContain('supervisor reload burns');
    expect(readFileSync(file, 'utf8')).toBe(before.replace('min: 2,  max: 3', 'min: 1,  max: 1'));
    expect(await box.row('burns')).toMatchObject({ ready: 2, generation: 1 });
    await box.ok('reload', 'burns');
    expect(await box.row('burns')).toMatchObject({ ready: 1, max: 1 });
    const again = await box.cli('bench', 'burns', '--workers=1', '--duration=300ms', '--apply', '--json');
    expect(reportOf(again).recommendation.workers).toBe(1);
    expect(again.stderr).toContain('at this size already');
  });

  it('needs no master; measures threads; takes inputs, clients and a file; counts what fails', async () => {
    const box = await openBox('apps: {}\n');
    mkdirSync(path.join(box.dir, 'there'));
    box.write(`apps:\n  burns: { ${BURNS}, isolation: thread }\n`, path.join(box.dir, 'there/own.yaml'));
    writeFileSync(path.join(box.dir, 'inputs.jsonl'), '1\n-1\n');
    const options = ['--file', 'there/own.yaml', '--input', 'inputs.jsonl', '--clients', '3', '--duration', '500ms'];
    const outcome = await box.cli('bench', 'burns@v1', '--workers', '1', ...options, '--json');
    const { clients, sizes, recommendation, warnings } = reportOf(outcome);
    const [size] = sizes;
    expect([clients, size?.clients]).toEqual([3, 3]);
    expect(size?.errors).toBeGreaterThan(0);
    expect(size?.requests).toBeGreaterThan(size?.errors as number);
    expect(warnings.join()).toMatch(/errors at 1 worker, the first: Error: cannot burn for -1 ms/);
    expect(recommendation).toEqual({ workers: null, reason: `1 worker had ${size?.errors} errors` });
    expect(leftIn(box.scratch)).toEqual(NOTHING);
    const { code, stderr } = await box.cli('bench', 'burns', '--workers', '1', ...options, '--apply');
    expect(code).toBe(1);
    expect(stderr).toContain('there is no size to apply');
  });

  it('measures an http app on a port of its own, by a list of requests', async () => {
    const box = await openBox(`apps:\n  web: { ${BARE}, workers: 2, ready: { probe: "http://127.0.0.1:$WEB/" } }\n`);
    writeFileSync(path.join(box.dir, 'requests.txt'), 'GET /?a\n\nPOST / {"b": 1}\n');
    const options = ['--workers', '1,2', '--duration', '500ms', '--json'];
    const alone = reportOf(await box.cli('bench', 'web', ...options));
    expect(alone).toMatchObject({ app: 'web', version: null, clients: 32 });
    await box.ok('start');
    const before = identities(await box.row('web'));
    const report = reportOf(await box.cli('bench', 'web', '--input', 'requests.txt', '--clients', '8', ...options));
    expect(report.sizes.map(({ workers, clients, errors }) => [workers, clients, errors])).toEqual([
      [1, 8, 0],
      [2, 8, 0],
    ]);
    for (const size of report.sizes) expect(size.throughput).toBeGreaterThan(10);
    const row = await box.row('web');
    expect(identities(row)).toEqual(before);
    // None of the load has reached them.
    expect(row.workers.reduce((sum, worker) => sum + worker.requests, 0)).toBeLessThan(10);
    expect(leftIn(box.scratch)).toEqual(NOTHING);
  });

  it('says what is wrong, and exits accordingly', async () => {
    const box = await openBox(`apps:
  burns: { ${BURNS} }
  cold: { module: $FIXTURES/models/turns.mjs }
  broken: { module: $FIXTURES/models/load-throws.mjs }
  job: { command: [sleep, "100"] }
`);
    writeFileSync(path.join(box.dir, 'bad.json'), '[-1, -2]');
    const table: [string[], number, RegExp][] = [
      [['nosuch'], 4, /has no app 'nosuch'; there are: burns, cold, broken, job/],
      [['burns@v9'], 4, /burns has no version 'v9'/],
      [['burns/1'], 2, /for a whole app/],
      [['job'], 2, /job is a command/],
      [['burns', '--workers', '2..1'], 2, /--workers/],
      [['burns', '--duration', '5'], 2, /write 5s or 5ms/],
      [['burns', '--clients', 'x'], 2, /--clients/],
      [['burns', '--file', 'nosuch.yaml'], 2, /no file nosuch\.yaml/],
      [['burns', '--input', 'nosuch.json'], 2, /cannot be read/],
      [['cold'], 2, /no `warmup` samples.*--input FILE/],
      [['broken', '--input', 'bad.json'], 1, /broken@v1\/1 failed to load/],
      [['burns', '--input', 'bad.json'], 1, /every request failed, the first with: .*cannot burn for -1 ms/],
    ];
    for (const [argv, exit, reason] of table) {
      const { code, stdout, stderr } = await box.cli('bench', ...argv, '--json');
      expect([argv, code, stdout]).toEqual([argv, exit, '']);
      expect(stderr).toMatch(reason);
    }
    expect(leftIn(box.scratch)).toEqual(NOTHING);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends all that it started', async (signal, exit) => {
    const box = await openBox(`apps:\n  burns: { ${BURNS} }\n`);
    const child = box.spawn('bench', 'burns', '--workers', '2', '--duration', '60s');
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await until(() => leftIn(box.scratch).pids.length >= 2, 'workers');
    const { pids, files } = leftIn(box.scratch);
    expect(files).toHaveLength(1);
    child.kill(signal);
    expect(await ended).toBe(exit);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(leftIn(box.scratch)).toEqual(NOTHING);
  });
});
