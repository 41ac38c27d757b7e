import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { messageOf } from '../src/errors.js';
import type { FromWorker, LoadMessage, PredictMessage } from '../src/worker/protocol.js';
import type { SharingMessage, TaskResult, ThreadNote, ThreadTask } from './thread-protocol.js';

/** A thread that does not end in this time is in native code, where nothing can reach it but the end of the process. */
const TERMINATE_DEADLINE_MS = 2000;

export interface ThreadEvents {
  message(message: FromWorker): void;
  sharing(message: SharingMessage): void;
  /** Once; null: it was asked to end. */
  exit(message: string | null): void;
}

/** One worker thread: a Piscina pool of exactly one, which is the public way to own, address and end a single thread. */
export class HostedThread {
  readonly #pool: Piscina<ThreadTask, TaskResult | undefined>;
  readonly #port: MessagePort;
  readonly #exited: Promise<void>;
  #ending: Promise<void> | null = null;
  #terminating: Promise<void> | null = null;
  #failure: string | null = null;
  #asked = false;
  #inFlight = 0;

  constructor(
    private readonly options: { concurrency: number; resourceLimitsMb: number | null },
    private readonly events: ThreadEvents,
  ) {
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL('./model-thread.js', import.meta.url)),
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      argv: process.argv.slice(2),
      // One more than predictions may take, for the tasks that are none.
      concurrentTasksPerWorker: options.concurrency + 1,
      // The others block the thread's loop between tasks: no heartbeat would come, and it would look busy for ever.
      atomics: 'disabled',
      ...(options.resourceLimitsMb === null
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: options.resourceLimitsMb } }),
    });
    this.#exited = this.#watch();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (message: FromWorker | SharingMessage) => {
      if (message.type === 'sharing') this.events.sharing(message);
      else this.events.message(message);
    });
    void this.#run({ type: 'start', port: port2 }, [port2]);
  }

  /** Predictions. */
  get inFlight(): number {
    return this.#inFlight;
  }

  load(message: LoadMessage): void {
    void this.#run({ type: 'load', message }).then((result) => {
      if (!result) return;
      this.events.message(result);
      if (result.type !== 'loadFailed') return;
      this.#failure ??= result.message;
      process.stderr.write(`${result.stack ?? result.message}\n`);
      void this.#terminate();
    });
  }

  predict(message: PredictMessage): void {
    this.#inFlight++;
    void this.#run(message).then(() => {
      this.#inFlight--;
    });
  }

  tell(note: ThreadNote, transferList: MessagePort[] = []): void {
    this.#port.postMessage(note, transferList);
  }

  /** Unloads it, then terminates it. Asked again with less patience, it is terminated sooner. */
  end(graceMs: number): Promise<void> {
    this.#asked = true;
    if (graceMs === 0) return this.#terminate();
    this.#ending ??= (async () => {
      const unloaded = await Promise.race([this.#run({ type: 'unload' }), sleep(graceMs, undefined)]);
      if (unloaded) this.events.message(unloaded);
      await this.#terminate();
    })();
    return this.#ending;
  }

  #terminate(): Promise<void> {
    this.#terminating ??= (async () => {
      // Not pool.close(): it resolves at the first finished task. Nor is its promise waited for: the thread's exit is what counts.
      void this.#pool.destroy();
      const ended = await Promise.race([this.#exited.then(() => true), sleep(TERMINATE_DEADLINE_MS, false)]);
      if (!ended) process.kill(process.pid, 'SIGKILL');
    })();
    return this.#terminating;
  }

  async #run(task: ThreadTask, transferList: MessagePort[] = []): Promise<TaskResult | undefined> {
    try {
      return await this.#pool.run(task, { transferList });
    } catch (error) {
      // The thread ended under the task, which #watch reports; anything else that gets here is worth a line.
      if (!this.#terminating) process.stderr.write(`${messageOf(error)}\n`);
      return undefined;
    }
  }

  /** Resolves when the thread is gone, and reports that. */
  #watch(): Promise<void> {
    // Piscina would put a fresh thread, with nothing loaded, in the place of a dead one.
    this.#pool.on('workerDestroy', () => {
      this.#terminating ??= this.#exited;
      void this.#pool.destroy();
    });
    // Raised for an uncaught error between tasks; the thread's own event tells the same.
    this.#pool.on('error', () => {});
    const [thread] = this.#pool.threads;
    thread?.once('error', (error) => {
      this.#failure ??= this.#describe(error);
      process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    });
    return new Promise((resolve) => {
      thread?.once('exit', (code) => {
        // Results that it posted before it died are read first.
        setImmediate(() => {
          this.#port.close();
          this.events.exit(this.#failure ?? (this.#asked ? null : `thread exited with code ${code}`));
          resolve();
        });
      });
    });
  }

  #describe(error: unknown): string {
    const { resourceLimitsMb } = this.options;
    const full = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
    if (!full) return messageOf(error);
    return `its heap is full${resourceLimitsMb === null ? '' : `: limits.heap is ${resourceLimitsMb} MiB`}`;
  }
}
