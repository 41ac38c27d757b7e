import { mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogLine } from '../../src/master/supervisor.js';
import { Box, until } from '../support/box.js';

const MIB = 1024 ** 2;
/** What may not reach a terminal; newlines end the lines of the command itself. */
const ACTS_ON_TERMINAL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** Lines of an app's file and its rotated ones, oldest first. */
function fileLines(box: Box, app: string): string[] {
  const dir = path.join(box.home, 'logs');
  const age = (name: string) => Number(name.slice(`${app}.log.`.length));
  const files = readdirSync(dir).filter((name) => name.startsWith(`${app}.log`));
  return files
    .sort((a, b) => age(b) - age(a))
    .flatMap((name) => readFileSync(path.join(dir, name), 'utf8').split('\n'))
    .filter((line) => line !== '');
}

const jsonLines = (text: string): LogLine[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine);

const numberOf = (line: LogLine) => Number(/^line (\d+)/.exec(line.line)?.[1]);

describe('what apps print', () => {
  let box: Box;

  beforeAll(async () => {
    box = await Box.shared(`apps:
  rows: { command: [node, $FIXTURES/command/prints.mjs, '3'] }
  plain: { command: [node, $FIXTURES/command/prints.mjs, '3'], log: { format: plain } }
  many: { command: [node, $FIXTURES/command/prints.mjs, '600'] }
  cut: { command: [node, $FIXTURES/command/half-line.mjs], restart: { policy: never } }
  escapes: { command: [node, $FIXTURES/command/escapes.mjs] }
`);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  it('is in the log of the app with both streams, as JSON or plain', async () => {
    await until(() => fileLines(box, 'rows').length === 6 && fileLines(box, 'plain').length === 6, 'all lines');
    const rows = jsonLines(fileLines(box, 'rows').join('\n'));
    for (const [stream, word] of [
      ['stdout', 'out'],
      ['stderr', 'err'],
    ])
      expect(rows.filter((row) => row.stream === stream)).toEqual(
        [1, 2, 3].map((n) => ({
          time: expect.any(String),
          app: 'rows',
          worker: 'rows/1',
          stream,
          line: `${word} ${n}`,
        })),
      );
    const plain = fileLines(box, 'plain').map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, ''));
    expect(plain.filter((line) => line.includes('stdout'))).toEqual([1, 2, 3].map((n) => `plain/1 stdout | out ${n}`));
    expect(plain.filter((line) => line.includes('stderr'))).toEqual([1, 2, 3].map((n) => `plain/1 stderr | err ${n}`));
  });

  it('is kept to the last, unterminated line of a worker that was killed', async () => {
    const [worker] = (await box.row('cut')).workers;
    await until(() => fileLines(box, 'cut').length === 1, 'the first line');
    process.kill(worker?.pid as number, 'SIGKILL');
    await until(() => fileLines(box, 'cut').length === 2, 'the half line');
    const lines = jsonLines(await box.ok('logs', 'cut', '--json')).filter((line) => line.stream === 'stdout');
    expect(lines.map((line) => line.line)).toEqual(['a whole line', 'half a li']);
  });

  it('is shown by logs: the last lines with -n, those since a time with --since, one JSON object a line with --json', async () => {
    await until(() => fileLines(box, 'many').length === 1200, 'all lines');
    const last = (await box.ok('logs', 'many', '-n', '3')).trim().split('\n');
    expect(last).toHaveLength(3);
    expect(last.at(-1)).toMatch(/(out|err) 600$/);

    // More than is kept in memory comes from the file.
    const all = jsonLines(await box.ok('logs', 'many', '-n', '5000', '--json'));
    expect(all).toEqual(jsonLines(fileLines(box, 'many').join('\n')));
    expect((await box.ok('logs', 'many')).trim().split('\n')).toHaveLength(50);
    expect(await box.ok('logs', 'many', '-n', '0')).toBe('');

    const { time } = all.at(-1) as LogLine;
    const since = jsonLines(await box.ok('logs', 'many', '-n', '5000', '--since', time, '--json'));
    expect(since).toEqual(all.filter((line) => line.time >= time));
    expect(jsonLines(await box.ok('logs', 'many', '-n', '5000', '--since', '1h', '--json'))).toEqual(all);
    expect(await box.ok('logs', 'many', '--since', '2999-01-01T00:00:00Z')).toBe('');
    expect((await box.cli('logs', 'many', '--since', 'yesterday')).code).toBe(2);
    expect((await box.cli('logs', 'missing')).code).toBe(4);
  });

  it('cannot act on the terminal, nor can a name', async () => {
    await until(() => fileLines(box, 'escapes').length === 1, 'its line');
    const shown = await box.ok('logs', 'escapes');
    expect(shown).not.toMatch(ACTS_ON_TERMINAL);
    expect(shown).toContain('\\x1b[2Jgone \\x1b]0;owned\\x07 \\u202edesrever red \\x0d over \\x9b5n');
    const asJson = await box.ok('logs', 'escapes', '--json');
    expect(asJson).not.toMatch(ACTS_ON_TERMINAL);
    expect(jsonLines(asJson)[0]?.line).toContain('\x1b[2Jgone \x1b]0;owned\x07');

    for (const [code, ...args] of [
      [4, 'stop', '\x1b[2Jx'],
      [4, 'logs', '\x1b]0;owned\x07'],
      [2, 'start', '--name', '\x1b[2Jx', '--', 'sleep', '100'],
    ] as [number, ...string[]][]) {
      const refused = await box.cli(...args);
      expect([refused.code, refused.stdout]).toEqual([code, '']);
      expect(refused.stderr).not.toMatch(ACTS_ON_TERMINAL);
      expect(refused.stderr).toContain('\\x1b');
    }
    box.write('apps:\n  "bad\\e[2J": { command: [sleep, "1"] }\n');
    const invalid = await box.cli('start', 'supervisor.yaml');
    expect(invalid.code).toBe(2);
    expect(invalid.stderr).not.toMatch(ACTS_ON_TERMINAL);
  });
});

describe('the log of an app', () => {
  it('loses no line while it rotates, and can be followed across rotations', async () => {
    const box = await Box.open(`apps:
  counts:
    command: [node, $FIXTURES/command/counts.mjs]
    log: { rotate: { size: 64KiB, keep: 500 } }
`);
    await box.ok('start', 'supervisor.yaml');
    const follower = box.spawn('logs', '-f', '-n', '10', '--json', 'counts');
    const followed: LogLine[] = [];
    createInterface({ input: follower.stdout as Readable }).on('line', (line) => followed.push(JSON.parse(line)));
    await until(() => followed.length > 0, 'the follower to begin');
    const files = () => readdirSync(path.join(box.home, 'logs')).length;
    const before = files();
    await until(() => files() >= before + 5, 'five rotations');
    await box.ok('stop', 'counts');
    await until(() => followed.at(-1)?.line === 'the end', 'the follower to see the end');
    follower.kill('SIGINT');

    const written = jsonLines(fileLines(box, 'counts').join('\n')).filter((line) => line.stream === 'stdout');
    expect(written.pop()?.line).toBe('the end');
    expect(written.map(numberOf)).toEqual(written.map((_, i) => i + 1));
    followed.pop();
    const first = numberOf(followed[0] as LogLine);
    expect(followed.map(numberOf)).toEqual(followed.map((_, i) => first + i));
    expect(followed.length).toBeGreaterThan(written.length - first);
  });

  it('is written to a new file after SIGUSR1, for tools that move files away', async () => {
    const box = await Box.open(`apps:
  counts: { command: [node, $FIXTURES/command/counts.mjs] }
`);
    await box.ok('start', 'supervisor.yaml');
    const file = path.join(box.home, 'logs', 'counts.log');
    await until(() => fileLines(box, 'counts').length > 20, 'some lines');
    renameSync(file, `${file}.1`);
    process.kill(box.masterPid(), 'SIGUSR1');
    await until(() => readdirSync(path.join(box.home, 'logs')).includes('counts.log'), 'the new file');
    await until(() => statSync(file).size > 0, 'lines in it');
    await box.ok('stop', 'counts');
    const lines = jsonLines(fileLines(box, 'counts').join('\n')).filter((line) => line.line.startsWith('line '));
    expect(lines.map(numberOf)).toEqual(lines.map((_, i) => i + 1));
  });

  it('stops no worker when it cannot be written; its lines can still be seen', async () => {
    const box = await Box.open(`apps:
  barred: { command: [node, $FIXTURES/command/prints.mjs, '3'] }
`);
    mkdirSync(path.join(box.home, 'logs', 'barred.log'), { recursive: true, mode: 0o700 });
    await box.ok('start', 'supervisor.yaml');
    expect(await box.row('barred')).toMatchObject({ state: 'online', ready: 1 });
    const lines = jsonLines(await box.ok('logs', 'barred', '--json'));
    expect(lines.filter((line) => line.stream === 'stdout').map((line) => line.line)).toEqual([
      'out 1',
      'out 2',
      'out 3',
    ]);
    const warnings = readFileSync(path.join(box.home, 'master.log'), 'utf8').match(/barred\.log cannot be written/g);
    expect(warnings).toHaveLength(1);
  });

  it('grows neither the master nor the disk when a worker floods it, with a follower too', async () => {
    const box = await Box.open(`apps:
  floods: { command: [node, $FIXTURES/command/floods.mjs], log: { rotate: { size: 8MiB, keep: 2 } } }
`);
    await box.ok('start', 'supervisor.yaml');
    const master = box.masterPid();
    const follower = box.spawn('logs', '-f', 'floods');
    let followedBytes = 0;
    follower.stdout?.on('data', (chunk: Buffer) => {
      followedBytes += chunk.length;
    });
    const end = Date.now() + 6000;
    let rssBytes = 0;
    await until(async () => {
      rssBytes = Math.max(
        rssBytes,
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${master}/status`, 'utf8'))?.[1]) * 1024,
      );
      expect((await box.api('GET', '/api/health/')).status).toBe(200);
      return Date.now() > end;
    }, 'six seconds');
    const dir = path.join(box.home, 'logs');
    // A rotation may take a file away in between.
    const sizes = readdirSync(dir).map((name) => statSync(path.join(dir, name), { throwIfNoEntry: false })?.size ?? 0);
    follower.kill('SIGINT');
    expect(followedBytes).toBeGreaterThan(0);
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(4 * 9 * MIB);
    // 150 MiB is the goal under 100 MB/s; this is as fast as the machine goes, and its neighbours make it lumpy.
    expect(rssBytes).toBeLessThan(220 * MIB);
  });
});
