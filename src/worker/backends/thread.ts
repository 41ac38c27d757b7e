import type { ChildProcess } from 'node:child_process';
import type { Backend, Exit, Instance, InstanceEvents, Launch } from '../backend.js';
import { describeExit } from '../backend.js';
import { signalGroup } from '../kill.js';
import type { FromHost, FromWorker, ThreadEnvelope, ToHost, ToWorker } from '../protocol.js';
import { Footing } from './footing.js';
import { heapMebibytes } from './heap.js';
import { type HostOptions, spawnHost } from './host.js';

/** How long a terminated thread may take before its whole host is killed: native code can't be interrupted. */
const TERMINATE_DEADLINE_MS = 3000;
/** What the engine frees in the background gets this long before it is measured once more. */
const SECOND_LOOK_MS = 100;

/**
 * Threads in one host process. The host lives as long as it has threads, or is kept for the next one; after `leave` the next thread starts a
 * new one.
 */
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
    get keptPid() {
      return host?.keptPid ?? null;
    },
    async release() {
      await host?.release();
    },
  };
}

interface Thread {
  events: InstanceEvents;
  /** It ends because its model is unloaded: its end is told when the host has given the memory back. */
  parking: boolean;
  deadline: NodeJS.Timeout | null;
}

class Host {
  readonly #child: ChildProcess;
  readonly #threads = new Map<number, Thread>();
  readonly #exited: Promise<void>;
  #threadNumber = 0;
  #gone: Exit | null = null;
  /** Waits until the host without a thread is measured; null: it is. */
  #held: ThreadEnvelope<ToWorker | ToHost>[] | null;
  #footing: Footing | null = null;
  /** Whether the host is to stay when its last thread ends. */
  #staying: () => boolean = () => false;

  constructor(
    private readonly options: HostOptions,
    readonly name: string,
  ) {
    this.#held = options.keepsProcess() ? [] : null;
    let exited!: () => void;
    this.#exited = new Promise((resolve) => {
      exited = resolve;
    });
    this.#child = spawnHost(
      options,
      name,
      0,
      'thread',
      (envelope) => this.#receive(envelope as ThreadEnvelope<FromWorker | FromHost>),
      (exit) => {
        this.#ended(exit);
        exited();
      },
    );
  }

  /** Two generations of a pool number their hosts alike; no two live processes share a pid. */
  get domain(): string {
    return `${this.name}:${this.#child.pid}`;
  }

  get usable(): boolean {
    return this.#gone === null && this.#child.connected;
  }

  /** Null while it has threads. */
  get keptPid(): number | null {
    return this.usable && this.#threads.size === 0 ? (this.#child.pid ?? null) : null;
  }

  /** Ends it, unless it has threads. */
  async release(): Promise<void> {
    if (this.#threads.size > 0) return;
    this.#leave();
    const deadline = setTimeout(() => this.#kill(), TERMINATE_DEADLINE_MS);
    await this.#exited;
    clearTimeout(deadline);
  }

  launch({ worker }: Launch, events: InstanceEvents): Instance {
    this.#staying = () => false;
    const number = ++this.#threadNumber;
    this.#threads.set(number, { events, parking: false, deadline: null });
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
      park: (wanted) => {
        this.#staying = wanted;
        const thread = this.#threads.get(number);
        if (thread) thread.parking = true;
        this.#send(0, { type: 'endThread', thread: number });
      },
      kill: () => this.#killThread(number),
    };
  }

  #send(thread: number, message: ToWorker | ToHost): void {
    const envelope: ThreadEnvelope<ToWorker | ToHost> = { thread, message };
    if (this.#held) this.#held.push(envelope);
    else if (this.#child.connected) this.#child.send(envelope, () => {});
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

  #measured(): void {
    const held = this.#held ?? [];
    this.#held = null;
    if (this.#child.pid !== undefined) this.#footing = new Footing(this.#child.pid);
    for (const { thread, message } of held) this.#send(thread, message);
  }

  #receive({ thread, message }: ThreadEnvelope<FromWorker | FromHost>): void {
    if (thread === 0 && message.type === 'hello' && this.#held) this.#measured();
    if (message.type === 'threadExit')
      this.#threadGone(message.thread, { code: null, signal: null, message: message.message ?? 'thread ended' });
    else this.#threads.get(thread)?.events.message(message);
  }

  #threadGone(number: number, exit: Exit): void {
    const thread = this.#threads.get(number);
    if (!thread) return;
    this.#threads.delete(number);
    if (thread.deadline) clearTimeout(thread.deadline);
    const tell = () => thread.events.exit(exit);
    if (thread.parking) {
      this.#park(true, tell);
      return;
    }
    tell();
    // An empty host that is still the current one stays for the thread that may follow at once; its end comes with the channel.
    setImmediate(() => {
      if (this.#threads.size === 0) this.#leave();
    });
  }

  /** @param done its memory has come back, or it has ended */
  #park(mayLookAgain: boolean, done: () => void): void {
    if (this.#threads.size > 0) {
      done();
      return;
    }
    const wanted = !this.#gone && this.#staying() && this.options.mayKeep();
    if (wanted && this.#footing?.regained()) done();
    else if (wanted && this.#footing && mayLookAgain) setTimeout(() => this.#park(false, done), SECOND_LOOK_MS);
    else {
      this.#leave();
      void this.#exited.then(done);
    }
  }

  #leave(): void {
    this.#gone ??= { code: 0, signal: null, message: null };
    if (this.#child.connected) this.#child.disconnect();
  }

  #ended(exit: Exit): void {
    this.#gone = exit;
    const message = `its host ${this.name} ${describeExit(exit)}`;
    for (const number of [...this.#threads.keys()]) this.#threadGone(number, { ...exit, message });
  }
}
