import type { ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Exit, Instance, InstanceEvents, Launch } from '../backend.js';
import { signalGroup } from '../kill.js';
import type { FromWorker, LoadMessage, ToWorker } from '../protocol.js';
import { reattach } from './child.js';
import { Footing } from './footing.js';
import { type HostOptions, spawnHost } from './host.js';

/** What the engine frees in the background gets this long before it is measured once more. */
const SECOND_LOOK_MS = 100;
/** A process without a model that does not end in this time is killed. */
const RELEASE_DEADLINE_MS = 1000;

/** One life of a worker in it. */
interface Life {
  readonly events: InstanceEvents;
  /** It is asked to unload, and its process may stay if this is true then; null: it is not asked. */
  staying: (() => boolean) | null;
}

/** A child that has one model at a time. Where that is wanted, it stays for the next one when its model is unloaded. */
export class ModelProcess {
  readonly #child: ChildProcess;
  readonly #slot: number;
  /** Of the module's file when it was imported: imported once, it is never read again. */
  readonly #stamp: string | null;
  readonly #exited: Promise<void>;
  #footing: Footing | null = null;
  /** Waits until the process without a model is measured; null: it is. */
  #held: ToWorker[] | null;
  #life: Life | null = null;

  /** @param idle it has no model any more; or has ended while it had none */
  constructor(
    private readonly options: HostOptions,
    { worker, slot }: Launch,
    private readonly idle: { began: () => void; ended: () => void },
  ) {
    this.#slot = slot;
    this.#stamp = stampOf(options.version.module);
    this.#held = options.keepsProcess() ? [] : null;
    let exited!: () => void;
    this.#exited = new Promise((resolve) => {
      exited = resolve;
    });
    this.#child = spawnHost(
      options,
      worker,
      slot,
      'process',
      (message) => this.#received(message as FromWorker),
      (exit) => {
        this.#ended(exit);
        exited();
      },
    );
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Whether what is launched now would be just like this. */
  suits({ slot }: Launch): boolean {
    const stamp = stampOf(this.options.version.module);
    return slot === this.#slot && this.#child.connected && stamp !== null && stamp === this.#stamp;
  }

  /** Another worker takes it over. */
  renamed(worker: string): void {
    const { environment } = this.options;
    reattach(worker, this.#child, environment, environment);
  }

  run({ worker }: Launch, events: InstanceEvents): Instance {
    const life: Life = { events, staying: null };
    this.#life = life;
    const { config, version } = this.options;
    this.#send({
      type: 'load',
      worker,
      app: config.name,
      version: version.version,
      module: version.module,
      options: version.options,
    } satisfies LoadMessage);
    // Once this life is over, its process may be another worker's.
    const whileMine = (act: () => void) => {
      if (this.#life === life) act();
    };
    return {
      pid: this.pid,
      thread: null,
      domain: worker,
      send: (message) => whileMine(() => this.#send(message)),
      terminate: (signal) => whileMine(() => this.#signal(signal)),
      kill: () => whileMine(() => this.#signal('SIGKILL')),
      park: (wanted) =>
        whileMine(() => {
          life.staying = wanted;
          this.#send(this.#footing && this.options.mayKeep() ? { type: 'unload', stay: true } : { type: 'unload' });
        }),
    };
  }

  /** Ends it, while it has no model. */
  async release(): Promise<void> {
    this.#send({ type: 'unload' });
    const deadline = setTimeout(() => this.#signal('SIGKILL'), RELEASE_DEADLINE_MS);
    await this.#exited;
    clearTimeout(deadline);
  }

  #received(message: FromWorker): void {
    if (message.type === 'hello' && this.#held) this.#measured();
    const life = this.#life;
    life?.events.message(message);
    if (message.type === 'unloaded' && life?.staying) this.#decide(life, true);
  }

  #measured(): void {
    const held = this.#held ?? [];
    this.#held = null;
    if (this.pid !== null) this.#footing = new Footing(this.pid);
    for (const message of held) this.#send(message);
  }

  #decide(life: Life, mayLookAgain: boolean): void {
    if (this.#life !== life) return;
    const wanted = life.staying?.() && this.options.mayKeep();
    if (wanted && this.#footing?.regained()) {
      this.#life = null;
      this.idle.began();
      life.events.exit({ code: 0, signal: null, message: null });
    } else if (wanted && mayLookAgain) setTimeout(() => this.#decide(life, false), SECOND_LOOK_MS);
    else this.#send({ type: 'unload' });
  }

  #ended(exit: Exit): void {
    const life = this.#life;
    this.#life = null;
    if (life) life.events.exit(exit);
    else this.idle.ended();
  }

  #send(message: ToWorker): void {
    if (this.#held) this.#held.push(message);
    // A failed send means that the process is gone, which its exit tells.
    else if (this.#child.connected) this.#child.send(message, () => {});
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid !== null) signalGroup(this.pid, signal);
  }
}

/** Null where it can't be read. */
function stampOf(file: string): string | null {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(file);
    return [mtimeMs, ctimeMs, size, ino].join(' ');
  } catch {
    return null;
  }
}
