import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, ManualClock, systemClock } from '../../src/clock.js';
import { AppLog, type AppLogOptions, joinTails } from '../../src/logs/app-log.js';
import type { LogLine } from '../../src/master/supervisor.js';

const DAY_MS = 86_400_000;
let dir: string;
let warnings: string[];
let open: AppLog[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'app-log-'));
  warnings = [];
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((log) => log.close()));
  rmSync(dir, { recursive: true, force: true });
});

function create(more: Partial<AppLogOptions> = {}): AppLog {
  const log = new AppLog({
    app: 'web',
    dir,
    format: 'json',
    rotate: { sizeBytes: 1 << 20, keep: 5, maxAgeMs: DAY_MS },
    onWarning: (message) => warnings.push(message),
    ...more,
  });
  open.push(log);
  return log;
}
const file = () => join(dir, 'web.log');
const rows = (path = file()): LogLine[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((text) => JSON.parse(text));
/** Numbers like `.2` sort after `.1`, and the current file is the newest. */
const filesOldestFirst = () =>
  readdirSync(dir)
    .sort((a, b) => Number(b.slice(8)) - Number(a.slice(8)))
    .map((name) => join(dir, name));

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Real timers, but the retry of a bad file comes when the test says so. */
function clockWithRetry(): { clock: Clock; retry: () => void } {
  let retry = () => {};
  const clock: Clock = {
    ...systemClock,
    setTimeout(callback, ms) {
      if (ms !== 5000) return systemClock.setTimeout(callback, ms);
      retry = callback;
      return { cancel: () => undefined };
    },
  };
  return {
    clock,
    retry: () => {
      const due = retry;
      retry = () => {};
      due();
    },
  };
}

it('writes nothing without a folder: lines are in memory, and with those who listen', async () => {
  const rotate = { sizeBytes: 1000, keep: 1, maxAgeMs: DAY_MS };
  const log = new AppLog({ app: 'web', dir: null, format: 'plain', rotate, onWarning: (text) => warnings.push(text) });
  const lines: string[] = [];
  log.follow(({ line }) => lines.push(line), { everyLine: true });
  const stream = new PassThrough();
  log.attach('web/1', 'stdout', stream);
  stream.end('one\ntwo\n');
  await once(stream, 'close');
  log.reopen();
  log.configure({ format: 'json', rotate: { ...rotate, keep: 2 } });
  expect((await log.tail({ lines: 10, since: null })).map(({ line }) => line)).toEqual(['one', 'two']);
  expect([lines, log.lostLines, warnings]).toEqual([['one', 'two'], 0, []]);
  await log.close();
});

it('knows whose a stream is since it was attached again', async () => {
  const log = create();
  const stream = new PassThrough();
  for (let life = 1; life <= 20; life++) {
    log.detach(stream);
    log.attach(`model/${life}`, 'stdout', stream);
    stream.write(`one of ${life}\nhalf of ${life}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  await once(stream, 'close');
  await log.close();
  const expected = Array.from({ length: 20 }, (_, i) => i + 1).flatMap((life) => [
    [`model/${life}`, `one of ${life}`],
    [`model/${life}`, `half of ${life}`],
  ]);
  expect(rows().map(({ worker, line }) => [worker, line])).toEqual(expected);
  // Node warns of the eleventh.
  expect(stream.listenerCount('error')).toBeLessThan(10);
});

describe('AppLog', () => {
  it('writes what a child prints, the unterminated last line and broken bytes included', async () => {
    const log = create();
    const script = `process.stdout.write('one\\r\\ntwo\\nthr'); process.stdout.write('ee'); process.stderr.write(Buffer.from([0x61, 0xff, 0xc3]))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    log.attach('web/1', 'stdout', child.stdout);
    log.attach('web/1', 'stderr', child.stderr);
    await once(child, 'close');
    log.note('web/1', 'exited (0)');
    await log.close();
    const of = (stream: string) =>
      rows()
        .filter((r) => r.stream === stream)
        .map((r) => r.line);
    expect(of('stdout')).toEqual(['one', 'two', 'three']);
    expect(of('stderr')).toEqual(['a\ufffd\ufffd']);
    expect(of('supervisor')).toEqual(['exited (0)']);
    expect(Object.keys(rows()[0]!)).toEqual(['time', 'app', 'worker', 'stream', 'line']);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('loses no line while it rotates', async () => {
    const log = create({ rotate: { sizeBytes: 50_000, keep: 500, maxAgeMs: DAY_MS } });
    const script = `let i = 0; const go = () => { while (i < 20000) if (!process.stdout.write('line ' + i++ + '\\n')) return process.stdout.once('drain', go); }; go();`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    log.attach('web/1', 'stdout', child.stdout);
    await once(child, 'close');
    await log.close();
    const files = filesOldestFirst();
    expect(files.length).toBeGreaterThan(5);
    expect(files.flatMap((path) => rows(path)).map((r) => r.line)).toEqual(
      Array.from({ length: 20_000 }, (_, i) => `line ${i}`),
    );
    expect(files.every((path) => (statSync(path).mode & 0o777) === 0o600)).toBe(true);
  });

  it('keeps as many rotated files as told, none included', async () => {
    for (const keep of [2, 0]) {
      const log = create({ app: `keep${keep}`, rotate: { sizeBytes: 1000, keep, maxAgeMs: DAY_MS } });
      for (let i = 0; i < 50; i++) {
        log.note('web/1', 'x'.repeat(100));
        await log.tail({ lines: 10_000, since: null });
      }
      await log.close();
      await until(
        () => readdirSync(dir).filter((name) => name.startsWith(`keep${keep}.log.`)).length === keep,
        `${keep} rotated files`,
      );
    }
  });

  it('holds a fast writer back instead of buffering, and goes on', async () => {
    const log = create();
    const source = new PassThrough({ highWaterMark: 64 * 1024 });
    log.attach('web/1', 'stdout', source);
    const chunk = Buffer.from('0123456789abcdef\n'.repeat(4000));
    let stalled = 0;
    for (let i = 0; i < 100; i++) {
      if (!source.write(chunk)) {
        stalled++;
        await once(source, 'drain');
      }
    }
    source.end();
    await once(source, 'close');
    await log.close();
    expect(stalled).toBeGreaterThan(10);
    expect(filesOldestFirst().reduce((sum, path) => sum + rows(path).length, 0)).toBeLessThanOrEqual(400_000);
    expect(rows().length).toBeGreaterThan(0);
  });

  it('lets no flooding worker starve a quiet one', async () => {
    const log = create({ rotate: { sizeBytes: 200 << 20, keep: 1, maxAgeMs: DAY_MS } });
    const flood = spawn('yes', ['flooding all day long'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const quiet = new PassThrough();
    log.attach('web/1', 'stdout', flood.stdout);
    log.attach('web/2', 'stdout', quiet);
    try {
      await until(() => existsSync(file()) && statSync(file()).size > 10_000_000, 'the flood');
      for (let i = 0; i < 50; i++) {
        const heard = new Promise<void>((resolve) => {
          const stop = log.follow(
            (l) => {
              if (l.line === `quiet ${i}`) {
                stop();
                resolve();
              }
            },
            { everyLine: true },
          );
        });
        quiet.write(`quiet ${i}\n`);
        await heard;
      }
    } finally {
      flood.kill('SIGKILL');
      await once(flood, 'close');
    }
  });

  it('shows lines from the ring, and from the files where more is wanted', async () => {
    const log = create({ rotate: { sizeBytes: 20_000, keep: 50, maxAgeMs: DAY_MS } });
    for (let i = 0; i < 1500; i++) log.note(`web/${i % 2}`, `line ${i}`);
    expect((await log.tail({ lines: 3, since: null })).map((l) => l.line)).toEqual([
      'line 1497',
      'line 1498',
      'line 1499',
    ]);
    expect((await log.tail({ lines: 1200, since: null })).map((l) => l.line)).toEqual(
      Array.from({ length: 1200 }, (_, i) => `line ${300 + i}`),
    );
    expect(await log.tail({ lines: 5000, since: null })).toHaveLength(1500);
    const odd = await log.tail({ lines: 600, since: null, worker: 'web/1' });
    expect(odd.map((l) => l.line)).toEqual(Array.from({ length: 600 }, (_, i) => `line ${301 + 2 * i}`));
    expect(await log.tail({ lines: 10, since: new Date(Date.now() + 1000) })).toEqual([]);
    await log.close();
    const next = create();
    expect((await next.tail({ lines: 2, since: null })).map((l) => l.line)).toEqual(['line 1498', 'line 1499']);
  });

  it('calls followers back with each line, and not after they ended', async () => {
    const log = create();
    const seen: string[] = [];
    const every: string[] = [];
    const stop = log.follow((l) => seen.push(l.line));
    log.follow((l) => every.push(l.line), { everyLine: true });
    log.follow(() => {
      throw new Error('broken');
    });
    log.note('web/1', 'a');
    stop();
    log.note('web/1', 'b\nc');
    expect(seen).toEqual(['a']);
    expect(every).toEqual(['a', 'b', 'c']);
    expect(warnings).toEqual([expect.stringContaining('broken')]);
  });

  it('changes format and rotation in place', async () => {
    const log = create();
    log.note('web/1', 'first');
    log.configure({ format: 'plain', rotate: { sizeBytes: 100, keep: 3, maxAgeMs: DAY_MS } });
    log.note('web/1', 'second');
    await log.tail({ lines: 10, since: null });
    log.note('web/1', 'third');
    const lines = await log.tail({ lines: 10, since: null });
    expect(lines.map((l) => l.line)).toEqual(['first', 'second', 'third']);
    await log.close();
    expect(
      filesOldestFirst()
        .map((path) => readFileSync(path, 'utf8'))
        .join(''),
    ).toMatch(/^\{.*first.*\}\n\S+ web\/1 supervisor \| second\n\S+ web\/1 supervisor \| third\n$/);
  });

  it('writes into a new file after reopen, and no line is lost on the way', async () => {
    const log = create();
    log.note('web/1', 'before');
    await log.tail({ lines: 10, since: null });
    renameSync(file(), join(dir, 'moved'));
    log.reopen();
    log.note('web/1', 'after');
    await log.close();
    expect(rows(join(dir, 'moved')).map((r) => r.line)).toEqual(['before']);
    expect(rows().map((r) => r.line)).toEqual(['after']);
  });

  it('rotates a file that is older than the maximum age and deletes what is older still', async () => {
    writeFileSync(join(dir, 'web.log.1'), 'ancient\n');
    utimesSync(join(dir, 'web.log.1'), new Date(0), new Date(0));
    const log = create({ rotate: { sizeBytes: 1 << 20, keep: 5, maxAgeMs: 400 } });
    log.note('web/1', 'old');
    const ageMs = () => Date.now() - statSync(file()).birthtimeMs;
    await until(() => existsSync(file()) && ageMs() > 250, 'half of the maximum age');
    log.note('web/1', 'younger');
    await until(
      () => existsSync(join(dir, 'web.log.1')) && readFileSync(join(dir, 'web.log.1'), 'utf8').includes('"younger"'),
      'the rotation by age',
    );
    log.note('web/1', 'new');
    expect(readdirSync(dir).some((name) => readFileSync(join(dir, name), 'utf8').includes('ancient'))).toBe(false);
    expect((await log.tail({ lines: 5, since: null })).at(-1)?.line).toBe('new');
    await until(
      () => !readdirSync(dir).some((name) => readFileSync(join(dir, name), 'utf8').includes('"old"')),
      'the end of what is too old',
    );
    expect(warnings).toEqual([]);
  });

  it('ends a line that a crash left without an end, and tightens the mode', async () => {
    writeFileSync(file(), '{"time":"2026', { mode: 0o644 });
    chmodSync(file(), 0o644);
    const log = create();
    log.note('web/1', 'next');
    expect((await log.tail({ lines: 5, since: null })).map((l) => l.line)).toEqual(['next']);
    await log.close();
    expect(readFileSync(file(), 'utf8')).toMatch(/^\{"time":"2026\n\{.*"next"\}\n$/);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });
});

describe('AppLog with a file that cannot be written', () => {
  for (const [name, spoil, repair] of [
    ['a link to /dev/full', () => symlinkSync('/dev/full', file()), () => unlinkSync(file())],
    ['a folder at its place', () => mkdirSync(file()), () => rmdirSync(file())],
  ] as const) {
    it(`${name}: nobody is blocked, one warning, and the loss is told afterwards`, async () => {
      spoil();
      const { clock, retry } = clockWithRetry();
      const log = create({ clock });
      const seen: string[] = [];
      log.follow((l) => seen.push(l.line), { everyLine: true });
      await until(() => warnings.length > 0, 'the warning');
      const source = new PassThrough();
      log.attach('web/1', 'stdout', source);
      for (let i = 0; i < 20; i++) {
        const text = Array.from({ length: 1000 }, (_, k) => `line ${i * 1000 + k}\n`).join('');
        if (!source.write(text)) await once(source, 'drain');
      }
      await until(() => seen.length === 20_000, 'all lines at the follower');
      retry();
      await until(() => log.lostLines === 20_000, 'the failed retry');
      expect((await log.tail({ lines: 2, since: null })).map((l) => l.line)).toEqual(['line 19998', 'line 19999']);
      await new Promise((resolve) => setImmediate(resolve));
      repair();
      await until(() => {
        retry();
        return log.lostLines === 0;
      }, 'the recovery');
      source.end('back\n');
      await once(source, 'close');
      await log.close();
      expect(rows().map((r) => r.line)).toEqual([expect.stringContaining('20000 lines are missing'), 'back']);
      expect(warnings).toHaveLength(1);
    });
  }

  it('gives up closing after 2 s when nothing moves', async () => {
    const clock = new ManualClock();
    const log = create({ clock });
    const closed = log.close();
    clock.advance(2000);
    await closed;
    open = [];
  });
});

describe('joinTails', () => {
  const line = (text: string, time = '1'): LogLine => ({ time, app: 'a', worker: 'a/1', stream: 'stdout', line: text });
  it('joins at the longest overlap, also where lines are alike', () => {
    const y = (n: number) => Array.from({ length: n }, () => line('y'));
    expect(joinTails(y(1000), y(500))).toHaveLength(1000);
    expect(joinTails([line('a'), line('b')], [line('b'), line('c')]).map((l) => l.line)).toEqual(['a', 'b', 'c']);
  });
  it('keeps both where the file missed the newest', () => {
    expect(joinTails([line('a', '1')], [line('c', '3')]).map((l) => l.line)).toEqual(['a', 'c']);
  });
});
