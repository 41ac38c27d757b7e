import type { Clock } from '../clock.js';
import type { ModelsConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import {
  COMING,
  decideLoad,
  LOADING,
  type LoadCause,
  type LoadDecision,
  type LoadedModel,
  type LoadFacts,
  type Sizes,
} from '../policy/load.js';
import type { MemoryLedger } from './memory-ledger.js';
import type { Model } from './model.js';

export interface LoadsDependencies {
  clock: Clock;
  ledger: MemoryLedger;
  config: () => ModelsConfig;
  models: () => readonly Model[];
  /** What the box leaves, before anything is reserved. */
  room: () => { room: Sizes; standbyRoom: number | null };
  keepValue: (model: Model) => number;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  unload: (model: Model, reason: string, numbers: PolicyDecision['numbers']) => void;
  /** It waits, loads, or has stopped doing so: its queue may have to open or close. */
  changed: (model: Model) => void;
  /** Its queue is told why there is nothing to wait for. */
  refused: (model: Model, error: SupError) => void;
}

/** One load that is wanted or under way. Whoever wants the same joins it. */
interface Ticket {
  readonly model: Model;
  cause: LoadCause;
  size: number;
  readonly wantedAt: number;
  /** Of the pool when it was wanted: a stop in between calls it off. */
  readonly stops: number;
  startedAt: number | null;
  /** Its first worker did not boot: others need not wait for it any longer. */
  released: boolean;
  /** Of the model, when it was wanted. */
  readonly popularity: number;
  readonly done: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Who is asked for comes before who is foreseen. */
const ORDER: readonly LoadCause[] = ['request', 'operator', 'start', 'forecast', 'popular', 'standby'];

/** All loads of the box, one by model: who may load now, who has to go for it, and who waits. */
export class Loads {
  readonly #tickets = new Map<Model, Ticket>();
  #scheduled = false;

  constructor(private readonly deps: LoadsDependencies) {}

  /** What it waits for or does; null where nothing of the kind is under way. */
  stateOf(model: Model): 'waiting' | 'loading' | null {
    const ticket = this.#tickets.get(model);
    return ticket ? (ticket.startedAt === null ? 'waiting' : 'loading') : null;
  }

  /**
   * Resolves when it is loaded with so many workers.
   * @throws SupError SUP_NO_ROOM, SUP_CONFLICT when it is stopped meanwhile, or why it did not boot
   */
  want(model: Model, cause: LoadCause, size: number): Promise<void> {
    const known = this.#tickets.get(model);
    if (known) {
      known.size = Math.max(known.size, size);
      if (ORDER.indexOf(cause) < ORDER.indexOf(known.cause)) known.cause = cause;
      if (known.startedAt !== null && known.size > model.pool.desired)
        void model.pool.resize(known.size).catch(() => {});
      this.look();
      return known.done;
    }
    const { promise, resolve, reject } = deferred();
    const { pool } = model;
    const { clock } = this.deps;
    this.#tickets.set(model, {
      model,
      cause,
      size,
      wantedAt: clock.now(),
      stops: pool.stops,
      startedAt: null,
      released: false,
      popularity: model.popularity.value(clock.wall()),
      done: promise,
      resolve,
      reject,
    });
    pool.waitingFor = 'its turn to load';
    // Most of them have nobody waiting.
    promise.catch(() => {});
    this.deps.changed(model);
    this.look();
    return promise;
  }

  /** What made it wait may be over. All that happens in one turn is looked at together, so that order counts and not chance. */
  look(): void {
    if (this.#scheduled || this.#tickets.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#grant();
    });
  }

  /** Its load has come to nothing. */
  fail(model: Model, error: Error): void {
    const ticket = this.#tickets.get(model);
    if (ticket) this.#end(ticket, () => ticket.reject(error));
  }

  /** Its first worker did not boot, and goes on trying: others need not wait for it any longer. */
  release(model: Model): void {
    const ticket = this.#tickets.get(model);
    if (!ticket || ticket.startedAt === null || ticket.released) return;
    ticket.released = true;
    this.look();
  }

  /** Stopped, or taken away: nobody waits for it any more. */
  callOff(model: Model): void {
    const ticket = this.#tickets.get(model);
    if (ticket)
      this.#end(ticket, () => ticket.reject(new SupError('SUP_CONFLICT', `${model.name} was stopped meanwhile`)));
  }

  #running(): number {
    let running = 0;
    for (const ticket of this.#tickets.values()) if (ticket.startedAt !== null && !ticket.released) running++;
    return running;
  }

  #grant(): void {
    const waiting = [...this.#tickets.values()].filter(({ startedAt }) => startedAt === null).sort(before);
    for (const ticket of waiting) {
      const { model } = ticket;
      const { pool } = model;
      if (this.#tickets.get(model) !== ticket) continue;
      if (pool.phase !== 'running' || pool.stops !== ticket.stops) {
        this.callOff(model);
        continue;
      }
      // An operator, or the policy of sizes, was faster.
      if (pool.desired > 0 && model.isReady) {
        this.#start(ticket);
        continue;
      }
      const decision = decideLoad(this.#facts(ticket));
      this.#carryOut(ticket, decision);
      // Whoever comes later must not take the room that is being made for this one. What waits for busy models keeps nobody waiting.
      if (decision.action === 'unload' || decision.reason === COMING) break;
    }
  }

  #carryOut(ticket: Ticket, decision: LoadDecision): void {
    const { model } = ticket;
    const { deps } = this;
    deps.decided(model.name, 'load', decision);
    if (decision.action !== 'load') model.pool.waitingFor = decision.reason;
    switch (decision.action) {
      case 'load':
        this.#start(ticket);
        return;
      case 'unload':
        for (const other of deps.models())
          if (decision.victims.includes(other.name))
            deps.unload(other, `it makes room for ${model.name}`, { memory_bytes: other.size.bytes });
        return;
      case 'refuse': {
        const error = noRoom(model, this.#facts(ticket));
        this.#end(ticket, () => ticket.reject(error));
        deps.refused(model, error);
        return;
      }
      case 'hold':
        // Nobody asked for it: it is thought of again when it is time.
        if (ORDER.indexOf(ticket.cause) >= FORESEEN && decision.reason !== LOADING) this.callOff(model);
        return;
    }
  }

  #start(ticket: Ticket): void {
    const { model } = ticket;
    const { clock, ledger } = this.deps;
    const startedAt = clock.now();
    ticket.startedAt = startedAt;
    model.pool.waitingFor = null;
    ledger.reserve(model.name, model.size);
    model.standby = ticket.cause === 'standby';
    const wasReady = model.isReady;
    this.deps.changed(model);
    model.pool.resize(Math.max(ticket.size, model.pool.desired)).then(
      () => {
        // One that failed was resized to nothing meanwhile, and that resolves too.
        if (this.#tickets.get(model) === ticket && !wasReady)
          model.loadEnded((clock.now() - startedAt) / 1000, clock.now());
        this.#end(ticket, ticket.resolve);
      },
      (error: Error) => this.#end(ticket, () => ticket.reject(error)),
    );
  }

  #end(ticket: Ticket, settle: () => void): void {
    if (this.#tickets.get(ticket.model) !== ticket) return;
    this.#tickets.delete(ticket.model);
    ticket.model.pool.waitingFor = null;
    if (ticket.startedAt !== null) this.deps.ledger.loaded(ticket.model.name, this.deps.clock.now());
    settle();
    this.deps.changed(ticket.model);
    this.look();
  }

  #facts({ model, cause }: Ticket): LoadFacts {
    const { ledger, config, models, room, keepValue } = this.deps;
    const byName = new Map(models().map((each) => [each.name, each]));
    const reserved = ledger.reserved((name) => byName.get(name)?.measured() ?? NOTHING);
    const box = room();
    return {
      cause,
      onDemand: model.onDemand,
      need: model.size,
      room: { bytes: less(box.room.bytes, reserved.bytes), gpuBytes: less(box.room.gpuBytes, reserved.gpuBytes) },
      coming: ledger.coming(),
      standbyRoom: less(box.standbyRoom, reserved.bytes),
      loading: this.#running(),
      concurrentLoads: config().concurrentLoads,
      maxLoaded: config().maxLoaded,
      leaving: models().filter((other) => other !== model && other.onDemand && other.isLeaving).length,
      others: models()
        .filter((other) => other !== model && other.loaded)
        .map((other): LoadedModel => {
          const isLoading = this.#tickets.has(other);
          return {
            name: other.name,
            size: isLoading ? other.size : known(other.measured(), other.size),
            onDemand: other.onDemand,
            idle: !isLoading && other.isReady && other.isIdle,
            keepValue: keepValue(other),
            standby: other.standby,
          };
        }),
    };
  }
}

const NOTHING: Sizes = { bytes: null, gpuBytes: null };
const FORESEEN = ORDER.indexOf('forecast');

function before(a: Ticket, b: Ticket): number {
  return (
    ORDER.indexOf(a.cause) - ORDER.indexOf(b.cause) ||
    (ORDER.indexOf(a.cause) < FORESEEN ? 0 : b.popularity - a.popularity) ||
    a.wantedAt - b.wantedAt
  );
}

function less(bytes: number | null, taken: number | null): number | null {
  return bytes === null ? null : bytes - (taken ?? 0);
}

function known(measured: Sizes, learned: Sizes): Sizes {
  return { bytes: measured.bytes ?? learned.bytes, gpuBytes: measured.gpuBytes ?? learned.gpuBytes };
}

function noRoom(model: Model, { need, room, maxLoaded, others }: LoadFacts): SupError {
  const pinned = others.filter((other) => !other.onDemand).map((other) => other.name);
  const lacking = room.bytes !== null && need.bytes !== null && need.bytes > room.bytes;
  const what = lacking
    ? `it needs ${mib(need.bytes)} and ${mib(Math.max(0, room.bytes ?? 0))} are left`
    : maxLoaded !== null
      ? `models.max_loaded is ${maxLoaded}`
      : 'the GPU has no room';
  const pins = pinned.length > 0 ? `; always loaded: ${pinned.join(', ')}` : '';
  return new SupError('SUP_NO_ROOM', `${model.name} cannot be loaded: ${what}, and nothing loaded may go${pins}`, {
    model: model.config.name,
    need_bytes: need.bytes,
    room_bytes: room.bytes === null ? null : Math.max(0, Math.round(room.bytes)),
    pinned,
  });
}

function mib(bytes: number | null): string {
  return `${Math.round((bytes ?? 0) / 1024 ** 2)} MiB`;
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
