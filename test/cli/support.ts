import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Output } from '../../src/cli/io.js';
import { main } from '../../src/cli/program.js';
import type { DetailRow } from '../../src/control/unloading-columns.js';
import type { AppRow, LogLine } from '../../src/master/supervisor.js';

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

export interface Asked {
  method: string;
  path: string;
  body: unknown;
}

type Answer = { status?: number; body: unknown } | ((response: ServerResponse) => void);

/** A state folder and a working folder of its own, and a control server that answers as it is told. */
export class Box {
  readonly dir = mkdtempSync(join(tmpdir(), 'cli-'));
  readonly home = join(this.dir, 'home');
  readonly asked: Asked[] = [];
  readonly answers = new Map<string, Answer>();
  #server: Server | null = null;
  #interrupt: (() => void) | null = null;
  #terminate: (() => void) | null = null;

  async serve(): Promise<void> {
    mkdirSync(this.home, { recursive: true });
    const server = createServer((request, response) => void this.#answer(request, response));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(join(this.home, 'supervisor.sock'), resolve));
  }

  answer(route: string, body: unknown, status = 200): void {
    this.answers.set(route, { body, status });
  }

  fail(route: string, status: number, code: string, message: string, more: object = {}): void {
    this.answer(route, { error: { ...more, code, message } }, status);
  }

  async cli(
    argv: string[],
    more: {
      stdin?: string | Readable;
      tty?: boolean;
      stdout?: Output;
      env?: NodeJS.ProcessEnv;
      onErr?: () => void;
    } = {},
  ): Promise<Outcome> {
    const collected = new Collector(more.tty ?? false);
    const stderr = new Collector(false, more.onErr);
    const code = await main(argv, {
      stdin: more.stdin instanceof Readable ? more.stdin : Readable.from([more.stdin ?? '']),
      stdout: more.stdout ?? collected,
      stderr,
      env: { SUPERVISOR_HOME: this.home, PATH: process.env.PATH, ...more.env },
      cwd: this.dir,
      onInterrupt: (listener) => {
        this.#interrupt = listener;
        return () => {
          this.#interrupt = null;
        };
      },
      onTerminate: (listener) => {
        this.#terminate = listener;
        return () => {
          this.#terminate = null;
        };
      },
    });
    return { code, out: collected.text, err: stderr.text };
  }

  get listensForSignals(): boolean {
    return this.#interrupt !== null || this.#terminate !== null;
  }

  interrupt(): void {
    this.#interrupt?.();
  }

  terminate(): void {
    this.#terminate?.();
  }

  async stopServing(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  async end(): Promise<void> {
    await this.stopServing();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const { method = '', url = '' } = request;
    this.asked.push({ method, path: url, body: body === '' ? undefined : JSON.parse(body) });
    const answer = this.answers.get(`${method} ${url}`) ?? this.answers.get(`${method} ${url.split('?')[0]}`);
    if (typeof answer === 'function') return answer(response);
    const { status = 200, body: reply } = answer ?? {
      status: 404,
      body: { error: { code: 'SUP_NOT_FOUND', message: `no ${method} ${url}` } },
    };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
  }
}

class Collector extends Writable {
  text = '';
  readonly columns = 200;
  constructor(
    readonly isTTY: boolean,
    private readonly onText?: () => void,
  ) {
    super();
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    this.onText?.();
    done();
  }
}

export function appRow(more: Partial<AppRow> = {}): AppRow {
  return {
    name: 'web',
    version: null,
    kind: 'http',
    mode: 'cluster',
    namespace: 'default',
    state: 'online',
    reason: null,
    generation: 1,
    ready: 2,
    desired: 2,
    min: 2,
    max: 2,
    restarts: 3,
    recycles: 4,
    cpu_percent: 12.34,
    memory_bytes: 50 * 1024 * 1024,
    uptime_seconds: 3700,
    port: 8080,
    queued: 0,
    workers: [1, 2].map((n) => ({
      id: `web/${n}`,
      pid: 1000 + n,
      thread: null,
      state: 'ready',
      generation: 1,
      age_seconds: 61,
      requests: 5,
      users: 2,
      in_flight: 1,
      memory_bytes: 1024,
      cpu_percent: null,
    })),
    ...more,
  };
}

export function appDetail(more: Partial<DetailRow> = {}): DetailRow {
  return {
    ...appRow(),
    config_file: '/shop/supervisor.yaml',
    runs: 'server.mjs',
    cwd: '/shop',
    env_names: ['SECRET'],
    recycle: { max_requests: 100, max_age_ms: null },
    restart: { policy: 'always' },
    stop: { signal: 'SIGTERM' },
    model: null,
    unloading: null,
    sizing: null,
    resources: [],
    decisions: [],
    ...more,
  } as DetailRow;
}

export function logLine(line: string, more: Partial<LogLine> = {}): LogLine {
  return { time: '2026-01-01T00:00:00.000Z', app: 'web', worker: 'web/1', stream: 'stdout', line, ...more };
}
