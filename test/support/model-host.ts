import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromHost, FromWorker, LoadMessage, ThreadEnvelope, ToHost, ToWorker } from '../../src/worker/protocol.js';
import { builtWorker } from './built.js';

interface Ending {
  code: number | null;
  signal: string | null;
}

type Incoming = FromWorker | ThreadEnvelope<FromWorker | FromHost>;

const DEADLINE_MS = 10_000;
const started = new Set<TestHost>();

export function modelFixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/models/${name}`, import.meta.url));
}

export function loadMessage(fixture: string, options: Record<string, unknown> = {}): LoadMessage {
  const module = modelFixture(fixture);
  return { type: 'load', worker: 'echo@v1/1', app: 'echo', version: 'v1', module, options };
}

/** A forked host, and everything that it said. */
export class TestHost {
  readonly messages: Incoming[] = [];
  output = '';
  readonly exited: Promise<Ending>;
  /** Its output is complete. Never comes after a `disconnect` of ours. */
  readonly closed: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #looking = new Set<() => void>();

  constructor(isolation: 'process' | 'thread') {
    this.#child = fork(builtWorker('model-host.js'), [isolation], {
      serialization: 'advanced',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    started.add(this);
    this.#child.on('message', (message) => {
      this.messages.push(message as Incoming);
      for (const look of this.#looking) look();
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk) => {
        this.output += chunk;
        for (const look of this.#looking) look();
      });
    const ending = ([code, signal]: unknown[]) => ({ code, signal }) as Ending;
    this.exited = once(this.#child, 'exit').then(ending);
    this.closed = once(this.#child, 'close').then(ending);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  send(message: ToWorker | ThreadEnvelope<ToWorker | ToHost>): void {
    this.#child.send(message);
  }

  disconnect(): void {
    this.#child.disconnect();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The first message, past or to come, of which `wanted` is true. */
  seen<M extends Incoming>(wanted: (message: Incoming) => message is M): Promise<M> {
    return this.#until(() => this.messages.find(wanted));
  }

  async said(line: string): Promise<void> {
    await this.#until(() => this.output.includes(line) || undefined);
  }

  #until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const tryNow = () => {
        const found = look();
        if (found === undefined) return;
        clearTimeout(timer);
        this.#looking.delete(tryNow);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#looking.delete(tryNow);
        reject(new Error(`not seen in ${JSON.stringify(this.messages)}; output: ${this.output}`));
      }, DEADLINE_MS);
      this.#looking.add(tryNow);
      tryNow();
    });
  }

  type<T extends FromWorker['type']>(type: T) {
    return this.seen((m): m is Extract<FromWorker, { type: T }> => 'type' in m && m.type === type);
  }

  result(batch: number) {
    return this.seen(
      (m): m is Extract<FromWorker, { type: 'result' }> => 'type' in m && m.type === 'result' && m.batch === batch,
    );
  }

  /** What one of its threads said; thread 0 is the host. */
  async ofThread<T extends (FromWorker | FromHost)['type']>(thread: number, type: T, batch?: number) {
    const { message } = await this.seen(
      (m): m is ThreadEnvelope<Extract<FromWorker | FromHost, { type: T }>> =>
        'thread' in m &&
        m.message.type === type &&
        (m.message.type === 'threadExit' ? m.message.thread : m.thread) === thread &&
        (batch === undefined || (m.message.type === 'result' && m.message.batch === batch)),
    );
    return message;
  }

  async loaded(fixture: string, options: Record<string, unknown> = {}): Promise<this> {
    this.send(loadMessage(fixture, options));
    await this.type('loaded');
    return this;
  }

  async predict(batch: number, inputs: unknown[]) {
    this.send({ type: 'predict', batch, inputs, timeoutMs: DEADLINE_MS });
    return (await this.result(batch)).outcomes;
  }
}

/** Kills what a test left behind, and what that started. */
export async function endHosts(): Promise<void> {
  for (const host of started) {
    try {
      process.kill(-host.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await host.exited;
  }
  started.clear();
}
