import type { ChildProcess } from 'node:child_process';
import type { ModelAppConfig } from '../../config/schema.js';
import type { Backend, Exit, Instance, InstanceEvents, Launch } from '../backend.js';
import { describeExit } from '../backend.js';
import { signalGroup } from '../kill.js';
import type { FromHost, FromWorker, ThreadEnvelope, ToHost, ToWorker } from '../protocol.js';
import { type ChildEnvironment, reattach } from './child.js';
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
  const { config, version, hosts } = options;
  const place =
    config.threadHost === null
      ? { name: `${config.name}@${version.version}`, host: null, launched: 0 }
      : hosts.of(config);
  return {
    leave(domain) {
      if (place.host?.domain === domain) place.host = null;
    },
    launch(launch, events) {
      if (!place.host?.usable) place.host = new Host(options, `${place.name}/host-${++place.launched}`);
      return place.host.launch(options, launch, events);
    },
    get keptPid() {
      return place.host?.keptPid ?? null;
    },
    async release() {
      await place.host?.release();
    },
  };
}

/** Where the next thread is to run: in the present host, if it can take one. */
interface Place {
  readonly name: string;
  host: Host | null;
  launched: number;
}

/** Hosts that the threads of several models share, by name. Programs of another environment, folder or flags have another one. */
export class ThreadHosts {
  readonly #places = new Map<string, Place>();

  of({ threadHost, env, cwd, args, nodeArgs }: ModelAppConfig): Place {
    const key = JSON.stringify([threadHost, Object.entries(env).sort(), cwd, args, nodeArgs]);
    let place = this.#places.get(key);
    if (!place) {
      place = { name: `${threadHost}`, host: null, launched: 0 };
      this.#places.set(key, place);
    }
    return place;
  }
}

interface Thread {
  events: InstanceEvents;
  options: HostOptions;
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

  /** Whose log has what it prints. */
  #environment: ChildEnvironment;

  /** @param options of the model that needs it first */
  constructor(
    options: HostOptions,
    readonly name: string,
  ) {
    this.#environment = options.environment;
    this.#held = options.keepsProcess() || options.config.threadHost !== null ? [] : null;
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

  launch(options: HostOptions, { worker }: Launch, events: InstanceEvents): Instance {
    this.#staying = () => false;
    const number = ++this.#threadNumber;
    this.#threads.set(number, { events, options, parking: false, deadline: null });
    const { config, version } = options;
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
        this.#staying = () => wanted() && options.mayKeep();
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
    if (message.type === 'threadExit') {
      // One that was terminated did not end well, though it was asked for.
      const code = message.message === null && this.#threads.get(message.thread)?.deadline === null ? 0 : null;
      this.#threadGone(message.thread, { code, signal: null, message: message.message ?? 'thread ended' });
    } else this.#threads.get(thread)?.events.message(message);
  }

  #threadGone(number: number, exit: Exit): void {
    const thread = this.#threads.get(number);
    if (!thread) return;
    this.#threads.delete(number);
    if (thread.deadline) clearTimeout(thread.deadline);
    this.#followLog(thread.options.environment);
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

  /** An app whose last thread has left may be gone soon, and its log with it: what the host prints goes to one that is still in it. */
  #followLog(left: ChildEnvironment): void {
    const here = [...this.#threads.values()].map(({ options }) => options.environment);
    const [next] = here;
    if (this.#gone || left !== this.#environment || next === undefined || here.includes(left)) return;
    reattach(this.name, this.#child, next, left);
    this.#environment = next;
  }

  /** @param done its memory has come back, or it has ended */
  #park(mayLookAgain: boolean, done: () => void): void {
    if (this.#threads.size > 0) {
      done();
      return;
    }
    const wanted = !this.#gone && this.#staying();
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
