import type { ChildProcess } from 'node:child_process';
import type { Backend, Exit, Instance, InstanceEvents, Launch } from '../backend.js';
import { describeExit } from '../backend.js';
import { signalGroup } from '../kill.js';
import type { FromHost, FromWorker, ThreadEnvelope, ToHost, ToWorker } from '../protocol.js';
import { heapMebibytes } from './heap.js';
import { type HostOptions, spawnHost } from './process.js';

/** How long a terminated thread may take before its whole host is killed: native code can't be interrupted. */
const TERMINATE_DEADLINE_MS = 3000;

/** Threads in one host process. The host lives as long as it has threads; after `leave` the next thread starts a new one. */
export function threadBackend(options: HostOptions): Backend {
  let host: Host | null = null;
  let hosts = 0;
  return {
    leave(domain) {
      if (host?.domain === domain) host = null;
    },
    launch(launch, events) {
      if (!host?.usable) host = new Host(options, `${options.config.name}@${options.version.version}/host-${++hosts}`);
      return host.launch(launch, events);
    },
  };
}

interface Thread {
  events: InstanceEvents;
  deadline: NodeJS.Timeout | null;
}

class Host {
  readonly #child: ChildProcess;
  readonly #threads = new Map<number, Thread>();
  #threadNumber = 0;
  #gone: Exit | null = null;

  constructor(
    private readonly options: HostOptions,
    readonly name: string,
  ) {
    this.#child = spawnHost(
      options,
      name,
      0,
      'thread',
      (envelope) => this.#receive(envelope as ThreadEnvelope<FromWorker | FromHost>),
      (exit) => this.#exited(exit),
    );
  }

  /** Two generations of a pool number their hosts alike; no two live processes share a pid. */
  get domain(): string {
    return `${this.name}:${this.#child.pid}`;
  }

  get usable(): boolean {
    return this.#gone === null && this.#child.connected;
  }

  launch({ worker }: Launch, events: InstanceEvents): Instance {
    const number = ++this.#threadNumber;
    this.#threads.set(number, { events, deadline: null });
    const { config, version } = this.options;
    const resourceLimitsMb = heapMebibytes(config.limits.heapBytes);
    this.#send(0, { type: 'startThread', thread: number, concurrency: config.concurrency, resourceLimitsMb });
    this.#send(number, {
      type: 'load',
      worker,
      app: config.name,
      version: version.version,
      module: version.module,
      options: version.options,
    });
    return {
      pid: this.#child.pid ?? null,
      thread: number,
      domain: this.domain,
      send: (message) => this.#send(number, message),
      terminate: () => this.#send(0, { type: 'endThread', thread: number }),
      kill: () => this.#killThread(number),
    };
  }

  #send(thread: number, message: ToWorker | ToHost): void {
    if (this.#child.connected)
      this.#child.send({ thread, message } satisfies ThreadEnvelope<ToWorker | ToHost>, () => {});
  }

  #killThread(number: number): void {
    const thread = this.#threads.get(number);
    if (!thread || thread.deadline) return;
    this.#send(0, { type: 'endThread', thread: number, graceMs: 0 });
    thread.deadline = setTimeout(() => this.#kill(), TERMINATE_DEADLINE_MS);
  }

  #kill(): void {
    if (this.#child.pid !== undefined) signalGroup(this.#child.pid, 'SIGKILL');
  }

  #receive({ thread, message }: ThreadEnvelope<FromWorker | FromHost>): void {
    if (message.type === 'threadExit')
      this.#threadGone(message.thread, { code: null, signal: null, message: message.message ?? 'thread ended' });
    else this.#threads.get(thread)?.events.message(message);
  }

  #threadGone(number: number, exit: Exit): void {
    const thread = this.#threads.get(number);
    if (!thread) return;
    this.#threads.delete(number);
    if (thread.deadline) clearTimeout(thread.deadline);
    thread.events.exit(exit);
    // An empty host that is still the current one stays for the thread that may follow at once; its end comes with the channel.
    if (this.#threads.size === 0) setImmediate(() => this.#leaveIfEmpty());
  }

  #leaveIfEmpty(): void {
    if (this.#threads.size > 0 || this.#gone) return;
    this.#gone = { code: 0, signal: null, message: null };
    if (this.#child.connected) this.#child.disconnect();
  }

  #exited(exit: Exit): void {
    this.#gone = exit;
    const message = `its host ${this.name} ${describeExit(exit)}`;
    for (const number of [...this.#threads.keys()]) this.#threadGone(number, { ...exit, message });
  }
}
