import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resourceReport } from '../../support/reports.js';
import { appRow, Box } from '../support.js';

const DIST = process.env.SUPERVISOR_TEST_DIST ?? fileURLToPath(new URL('../../../dist', import.meta.url));
const MAIN = `${DIST}/src/cli/main.js`;
const LEAVE = '\u001b[?1049l';

/** The built command on a pseudo terminal, by script(1). */
class Terminal {
  shown = '';
  readonly #child: ChildProcess;

  constructor(home: string) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`);
    const top = `echo pid $$ && exec '${process.execPath}' '${MAIN}' top`;
    const command = `stty cols 90 rows 20; sh -c '${top.replaceAll("'", `'\\''`)}'; echo code $?; stty -a`;
    this.#child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, SUPERVISOR_HOME: home, TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 60_000,
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text;
    });
  }

  get pid(): number {
    return Number(/pid (\d+)/.exec(this.shown)?.[1]);
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  async shows(text: string): Promise<void> {
    await expect.poll(() => this.shown, { timeout: 30_000 }).toContain(text);
  }

  /** What was printed after the other screen was left, by the command line that follows. */
  async end(): Promise<string> {
    await once(this.#child, 'close');
    return this.shown.slice(this.shown.lastIndexOf(LEAVE) + LEAVE.length);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

let box: Box;
let terminal: Terminal;

beforeEach(async () => {
  box = new Box();
  await box.serve();
  box.answer('GET /api/resources', resourceReport());
  box.answer('GET /api/apps', { apps: [appRow()] });
  box.answer('GET /api/decisions', { decisions: [] });
  terminal = new Terminal(box.home);
});
afterEach(async () => {
  terminal.kill();
  await box.end();
});

describe('top on a real terminal', () => {
  it.each([
    ['q', () => terminal.type('q')],
    ['Ctrl-C', () => terminal.type('\u0003')],
    ['SIGTERM', () => void process.kill(terminal.pid, 'SIGTERM')],
    ['SIGINT', () => void process.kill(terminal.pid, 'SIGINT')],
  ])('leaves it as it was, at %s', async (_, end) => {
    await terminal.shows('web/2');
    expect(terminal.shown).toContain('\u001b[?1049h');
    terminal.type('c');
    await terminal.shows('workers by cpu');
    end();
    const rest = await terminal.end();
    expect(rest).toMatch(/^\s*code 0\s/);
    // As a shell left it: lines are edited and echoed, Ctrl-C is a signal again.
    expect(rest).toMatch(/[^-]icanon/);
    expect(rest).toMatch(/[^-]echo /);
    expect(rest).toMatch(/[^-]isig/);
  });
});
