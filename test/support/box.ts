import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { AppRow, Decision } from '../../src/master/supervisor.js';
import { HOME_PREFIX } from './no-orphans.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const FIXTURES = path.join(ROOT, 'test/fixtures');
const DIST = process.env.SUPERVISOR_TEST_DIST ?? path.join(ROOT, 'dist');
const MAIN = path.join(DIST, 'src/cli/main.js');

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  json: unknown;
  /** Code of the transport's error; then `status` is 0. */
  error: string | null;
}

/** A state folder, free ports and a configuration for one test, driven only by the built command and its HTTP paths. */
export class Box {
  readonly dir: string;
  readonly home: string;
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #foreground: ChildProcess[] = [];

  private constructor(
    readonly control: number,
    readonly inference: number,
    readonly web: number,
    env: NodeJS.ProcessEnv,
  ) {
    this.dir = mkdtempSync(HOME_PREFIX);
    this.home = path.join(this.dir, 'home');
    this.file = path.join(this.dir, 'supervisor.yaml');
    mkdirSync(this.home, { mode: 0o700 });
    this.env = { ...process.env, NO_COLOR: '1', ...env, SUPERVISOR_HOME: this.home };
  }

  /** `$WEB` in the text is a free port, `$FIXTURES` the folder of fixtures. Ends with its test, whatever happens there. */
  static async open(apps: string, env: NodeJS.ProcessEnv = {}): Promise<Box> {
    const box = await Box.shared(apps, env);
    onTestFinished(() => box.close());
    return box;
  }

  /** For several tests: whoever opens it in `beforeAll` closes it in `afterAll`. */
  static async shared(apps: string, env: NodeJS.ProcessEnv = {}): Promise<Box> {
    const box = new Box(await freePort(), await freePort(), await freePort(), env);
    box.write(apps);
    return box;
  }

  write(apps: string, file = this.file): void {
    const head = `version: 1\ncontrol: { port: ${this.control} }\ninference: { port: ${this.inference} }\n`;
    writeFileSync(file, head + apps.replaceAll('$WEB', String(this.web)).replaceAll('$FIXTURES', FIXTURES));
  }

  async cli(...args: string[]): Promise<CliResult> {
    const child = this.spawn(...args);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }

  /** The command as a child that goes on: `run`, `logs -f`. */
  spawn(...args: string[]): ChildProcess {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: this.dir,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
    this.#foreground.push(child);
    return child;
  }

  /** @throws Error with what the command said, unless it exits with 0 */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(...args);
    if (code !== 0) throw new Error(`supervisor ${args.join(' ')} exited with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  async apps(): Promise<AppRow[]> {
    return JSON.parse(await this.ok('list', '--json')) as AppRow[];
  }

  async app(name: string): Promise<AppRow> {
    const row = (await this.apps()).find((app) => app.name === name);
    if (!row) throw new Error(`no app ${name} in the list`);
    return row;
  }

  /** As `app`, over HTTP: cheap enough to look again and again. */
  async row(name: string, version?: string): Promise<AppRow> {
    const { apps } = (await this.api('GET', '/api/apps')).json as { apps: AppRow[] };
    const row = apps.find((app) => app.name === name && (version === undefined || app.version === version));
    if (!row) throw new Error(`no app ${name} among ${apps.map((app) => app.name).join(', ')}`);
    return row;
  }

  async decisions(filter: (decision: Decision) => boolean = () => true): Promise<Decision[]> {
    return (JSON.parse(await this.ok('decisions', '--json')) as Decision[]).filter(filter);
  }

  masterPid(): number {
    return (JSON.parse(readFileSync(path.join(this.home, 'master.pid'), 'utf8')) as { pid: number }).pid;
  }

  token(): string {
    return readFileSync(path.join(this.home, 'token'), 'utf8').trim();
  }

  predict(inputs: unknown, more: Record<string, unknown> = {}): Promise<Answer> {
    return request(this.inference, 'POST', '/predict', { inputs, ...more });
  }

  api(method: string, pathname: string, body?: unknown, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
    return request(this.control, method, pathname, body, { authorization: `Bearer ${this.token()}`, ...headers });
  }

  async close(): Promise<void> {
    await this.cli('kill');
    for (const child of this.#foreground)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** One request on a connection of its own; a transport error is an answer with status 0. The signal makes the client go away. */
export function request(
  port: number,
  method: string,
  pathname: string,
  body?: unknown,
  headers: http.OutgoingHttpHeaders = {},
  signal?: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve) => {
    const data = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const fail = (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, headers: {}, text: '', json: undefined, error: error.code ?? error.message });
    const outgoing = http.request(
      {
        host: '127.0.0.1',
        port,
        method,
        path: pathname,
        agent: false,
        timeout: 30_000,
        signal,
        headers: {
          ...(data === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', fail);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: parse(text),
            error: null,
          }),
        );
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('ETIMEDOUT')));
    outgoing.on('error', fail);
    outgoing.end(data);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not every answer is JSON; the text is there.
    return undefined;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Alive and no zombie. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // No such process.
    return false;
  }
}

/** Processes whose environment carries this state folder. */
export function processesOf(home: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && isRunning(pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`SUPERVISOR_HOME=${home}\0`);
      } catch {
        // Gone meanwhile.
        return false;
      }
    });
}

/** Looks every 50 ms until it is so. @throws Error that names what did not come */
export async function until<T>(look: () => T | Promise<T>, what: string, timeoutMs = 20_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value) return value as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
