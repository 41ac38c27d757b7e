import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resourceReport, workerResources } from '../../support/reports.js';
import { appRow, Box } from '../support.js';

const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?1049l';

/** A terminal of its own size, and what was written on it. */
class Terminal extends Writable {
  readonly isTTY = true;
  columns = 100;
  rows = 30;
  written = '';
  writes: string[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written += chunk.toString();
    this.writes.push(chunk.toString());
    this.emit('written');
    done();
  }

  /** Resolves once the text appears after what was there at the call. */
  async shows(text: string | RegExp, from = this.written.length): Promise<void> {
    const found = () => {
      const later = this.written.slice(from);
      return typeof text === 'string' ? later.includes(text) : text.test(later);
    };
    while (!found()) await once(this, 'written', { signal: AbortSignal.timeout(20_000) });
  }
}

class Keyboard extends PassThrough {
  readonly isTTY = true;
  raw = false;
  setRawMode(raw: boolean): this {
    this.raw = raw;
    return this;
  }
}

let box: Box;
let terminal: Terminal;
let keyboard: Keyboard;

beforeEach(async () => {
  box = new Box();
  terminal = new Terminal();
  keyboard = new Keyboard();
  await box.serve();
  box.answer('GET /api/resources', resourceReport());
  box.answer('GET /api/apps', { apps: [appRow()] });
  box.answer('GET /api/decisions', { decisions: [] });
});
afterEach(() => box.end());

function top(argv: string[] = ['top'], env: NodeJS.ProcessEnv = {}) {
  return box.cli(argv, { stdin: keyboard, stdout: terminal, env: { TERM: 'xterm', ...env } });
}

describe('once', () => {
  it('without a terminal: prints a snapshot and ends', async () => {
    const { code, out, err } = await box.cli(['monit']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^supervisor {2}[\s\S]*memory {2}\[[\s\S]*web\/2[\s\S]*no decisions yet\n$/);
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain('quits');
  });

  it.each([
    [['top', '--once'], {}],
    [['top'], { TERM: 'dumb' }],
  ])('%j on a terminal with %j', async (argv, env) => {
    const { code } = await top(argv, env);
    expect(code).toBe(0);
    expect(terminal.written).toMatch(/web\/2/);
    expect(terminal.written).not.toContain(ENTER);
    expect(
      Math.max(
        ...terminal.written
          .replace(/\u001b\[\d+m/g, '')
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(100);
    expect(keyboard.raw).toBe(false);
  });

  it('with --json: one object, also on a terminal', async () => {
    await top(['top', '--json']);
    expect(JSON.parse(terminal.written)).toEqual({ resources: resourceReport(), apps: [appRow()], decisions: [] });
    expect(box.asked.map(({ path }) => path).sort()).toEqual([
      '/api/apps',
      '/api/decisions?limit=20',
      '/api/resources',
    ]);
  });

  it('without a master: exits 3 and leaves the terminal alone', async () => {
    await box.stopServing();
    const { code, err } = await top();
    expect([code, terminal.written]).toEqual([3, '']);
    expect(err).toMatch(/no master is running/);
  });
});

describe('live', () => {
  it('draws in place, takes keys, and puts the terminal back at q', async () => {
    const running = top();
    await terminal.shows('workers by memory', 0);
    expect(terminal.written.startsWith(ENTER)).toBe(true);
    expect(keyboard.raw).toBe(true);
    // The letters of a function key, or of a terminal's answer, are no keys.
    keyboard.write('\u001b[q\u001b[?1;2q\u001bOq');
    const sorted = terminal.shows('workers by cpu');
    keyboard.write('c');
    await sorted;
    keyboard.write('q');
    expect((await running).code).toBe(0);
    expect(terminal.written.endsWith(LEAVE)).toBe(true);
    expect([keyboard.raw, keyboard.listenerCount('data'), terminal.listenerCount('resize')]).toEqual([false, 0, 0]);
    expect(box.listensForSignals).toBe(false);
  });

  it('writes of a new frame only the lines that changed, all at once', async () => {
    const running = top();
    await terminal.shows('web/1', 0);
    const workers = [workerResources('web/1', { memory_bytes: 123 * 1024 ** 2 })];
    box.answer('GET /api/resources', resourceReport({ workers }));
    await terminal.shows('123MiB');
    const update = terminal.writes.at(-1) ?? '';
    expect(update).toMatch(/^\u001b\[\?2026h[\s\S]*\u001b\[\?2026l$/);
    expect(update).toContain('web/1');
    expect(update).not.toMatch(/\u001b\[2J|stalled/);
    keyboard.write('q');
    await running;
  });

  it('draws all of it anew after a change of size', async () => {
    const running = top();
    await terminal.shows('stalled', 0);
    terminal.columns = 40;
    terminal.rows = 8;
    const before = terminal.writes.length;
    const redrawn = terminal.shows('\u001b[2J');
    terminal.emit('resize');
    await redrawn;
    const drawn = terminal.writes[before] ?? '';
    expect(drawn).not.toContain('stalled');
    expect(drawn).not.toContain('\u001b[9;1H');
    keyboard.write('q');
    await running;
  });

  it('says when the master is gone, and goes on when it is back', async () => {
    const running = top();
    await terminal.shows('web/1', 0);
    const gone = terminal.shows('no master is running; trying again');
    await box.stopServing();
    await gone;
    const back = terminal.shows(/supervisor {2}\d/);
    await box.serve();
    await back;
    box.fail('GET /api/resources', 500, 'SUP_INTERNAL', 'sensors on fire');
    await terminal.shows('sensors on fire; trying again');
    keyboard.write('q');
    expect((await running).code).toBe(0);
  });

  it.each([
    ['Ctrl-C of a raw terminal', () => void keyboard.write('\u0003')],
    ['SIGINT', () => box.interrupt()],
    ['SIGTERM or SIGHUP', () => box.terminate()],
  ])('ends at %s, also while the master does not answer', async (_, end) => {
    const running = top();
    await terminal.shows('web/1', 0);
    const hanging = new Promise<void>((resolve) => box.answers.set('GET /api/resources', () => resolve()));
    await hanging;
    const began = performance.now();
    end();
    expect((await running).code).toBe(0);
    // The answer is given up after 10 s.
    expect(performance.now() - began).toBeLessThan(6000);
    expect(terminal.written.endsWith(LEAVE)).toBe(true);
    expect(keyboard.raw).toBe(false);
  });

  it('takes 80 columns and 24 lines where the terminal does not know its size', async () => {
    terminal.columns = 0;
    terminal.rows = 0;
    const workers = Array.from({ length: 60 }, (_, n) => workerResources(`web/${n}`));
    box.answer('GET /api/resources', resourceReport({ workers }));
    const running = top();
    await terminal.shows('more', 0);
    expect(terminal.written).toContain('\u001b[24;1H');
    expect(terminal.written).not.toContain('\u001b[25;1H');
    keyboard.write('q');
    await running;
  });
});
