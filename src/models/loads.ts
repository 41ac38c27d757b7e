import type { Clock } from '../clock.js';
import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import { decideLoad, type LoadCause, type LoadDecision, type LoadFacts, type Sizes } from '../policy/load.js';
import { loadFacts } from './load-facts.js';
import { noRoom, tooYoung } from './load-refusals.js';
import type { MemoryLedger } from './memory-ledger.js';
import { type Model, times } from './model.js';
import { isReady, RequirementLoads } from './requirement-loads.js';
import { allRequirementsOf } from './requirements.js';
import { Ticket } from './ticket.js';

export interface LoadsDependencies {
  clock: Clock;
  ledger: MemoryLedger<Model>;
  config: () => { models: ModelsConfig; unloading: UnloadingConfig };
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

const WAITS_FOR: Readonly<Record<NonNullable<LoadDecision['waitsFor']>, string>> = {
  turn: 'its turn to load',
  memory: 'memory that is being given back',
  busy: 'a busy model to make room',
  residency: 'others to have been loaded for long enough',
};

/** All loads of the box, one by model: who may load now, who has to go for it, and who waits. */
export class Loads {
  readonly #tickets = new Map<Model, Ticket>();
  readonly #requirements: RequirementLoads;
  /** Why these were refused, and nothing else was decided of them since. */
  readonly #refusals = new WeakMap<Model, string>();
  /** Loads that did not come about because what is loaded was pinned, or too young. */
  readonly #refused = { pinned: 0, young: 0 };
  #scheduled = false;

  constructor(private readonly deps: LoadsDependencies) {
    const { clock, models, refused } = deps;
    this.#requirements = new RequirementLoads({
      clock,
      models,
      tickets: this.#tickets,
      add: (model, size) => this.#add(model, null, size),
      end: (ticket, error) => this.#end(ticket, error),
      // Whoever wanted the start has heard already why it failed.
      start: (model, size) => void this.want(model, 'start', size),
      decided: (model, decision) => this.#say(model, decision),
      refused,
    });
  }

  /** Wanted or under way. */
  get size(): number {
    return this.#tickets.size;
  }

  get refused(): Readonly<{ pinned: number; young: number }> {
    return this.#refused;
  }

  /** What it waits for or does; null where nothing of the kind is under way. */
  stateOf(model: Model): 'waiting' | 'loading' | null {
    const ticket = this.#tickets.get(model);
    return ticket ? (ticket.waits ? 'waiting' : 'loading') : null;
  }

  /** The end of what is wanted or under way; null where nothing is. */
  ofModel(model: Model): Promise<void> | null {
    return this.#tickets.get(model)?.done ?? null;
  }

  /**
   * Resolves when it is loaded with so many workers, or where nobody asked for it and there is no room.
   * @throws SupError SUP_NO_ROOM, SUP_CHURN, SUP_CONFLICT when it is stopped meanwhile, or why it, or what it requires, did not boot
   */
  want(model: Model, cause: LoadCause, size: number): Promise<void> {
    const known = this.#tickets.get(model);
    if (known) {
      known.join(cause, size);
      if (!known.waits && known.size > model.pool.desired) model.pool.setSize(known.size);
      this.look();
      return known.done;
    }
    return this.#add(model, cause, size).done;
  }

  #add(model: Model, cause: LoadCause | null, size: number): Ticket {
    const { clock } = this.deps;
    const popularity = model.history.popularity(clock.wall());
    const ticket = new Ticket(model, { cause, size, wantedAt: clock.now(), popularity });
    this.#tickets.set(model, ticket);
    model.pool.waitingFor = WAITS_FOR.turn;
    this.deps.changed(model);
    this.look();
    return ticket;
  }

  /** What made it wait may be over. All that happens in one turn is looked at together, so that order counts and not chance. */
  look(): void {
    if (this.#scheduled || this.#tickets.size + this.#requirements.owed === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#grant();
    });
  }

  /** Its load has come to nothing. */
  fail(model: Model, error: Error): void {
    const ticket = this.#tickets.get(model);
    if (ticket) this.#end(ticket, error);
  }

  /** Its first worker did not boot, and goes on trying: others need not wait for it any longer. */
  release(model: Model): void {
    const ticket = this.#tickets.get(model);
    if (!ticket || ticket.waits || ticket.released) return;
    ticket.released = true;
    this.look();
  }

  /** Stopped, or taken away: nobody waits for it any more. */
  callOff(model: Model): void {
    this.fail(model, new SupError('SUP_CONFLICT', `${model.name} was stopped meanwhile`));
  }

  #grant(): void {
    this.#requirements.makeUpForStarts();
    const waiting = [...this.#tickets.values()].filter(({ waits }) => waits).sort((a, b) => a.isBefore(b));
    /** What those need that come first: whoever comes later does not take it away. */
    const held = new Set<Model>();
    for (const ticket of waiting) {
      const { model } = ticket;
      // What was done for another one may have ended it.
      if (this.#tickets.get(model) !== ticket) continue;
      if (ticket.isStopped || ticket.isForNobody) this.callOff(model);
      // An operator, or the policy of sizes, was faster.
      else if (isReady(model)) this.#start(ticket);
      // Whoever comes later must not take the room that is being made for this one. What waits for busy models keeps nobody waiting.
      else if (this.#decide(ticket, held) === 'makes room') break;
      if (this.#tickets.get(model) === ticket && ticket.waits)
        for (const required of allRequirementsOf(model, this.deps.models())) held.add(required);
    }
  }

  #decide(ticket: Ticket, held: ReadonlySet<Model>): 'makes room' | 'done' {
    const { model } = ticket;
    const { deps } = this;
    const facts = this.facts(model, ticket.cause, ticket.size, held);
    const decision = decideLoad(facts);
    // What there will be no room for need not bring what it requires.
    const isFutile = decision.action === 'refuse' || isGivenUp(ticket, decision);
    if (!isFutile && this.#requirements.awaits(ticket)) return 'done';
    this.#say(model, decision);
    switch (decision.action) {
      case 'load':
        this.#start(ticket);
        return 'done';
      case 'unload':
        model.pool.waitingFor = WAITS_FOR.memory;
        for (const other of deps.models())
          if (other !== model && decision.victims.includes(other.name))
            deps.unload(other, `it makes room for ${model.name}`, { for: model.name });
        return 'makes room';
      case 'refuse': {
        const error = this.#refusalOf(model, facts, decision);
        this.#end(ticket, error);
        deps.refused(model, error);
        return 'done';
      }
      case 'hold':
        if (decision.waitsFor !== null) model.pool.waitingFor = WAITS_FOR[decision.waitsFor];
        if (isGivenUp(ticket, decision)) this.#end(ticket, null);
        return decision.waitsFor === 'memory' ? 'makes room' : 'done';
    }
  }

  /** Whoever is asked for again and again is refused again and again: once is news. */
  #say(model: Model, decision: PolicyDecision): void {
    const isRefused = decision.action === 'refuse';
    if (isRefused && this.#refusals.get(model) === decision.reason) return;
    if (isRefused) this.#refusals.set(model, decision.reason);
    else this.#refusals.delete(model);
    this.deps.decided(model.name, 'load', decision);
  }

  #refusalOf(model: Model, facts: LoadFacts, { tooYoung: young }: LoadDecision): SupError {
    if (young === null) {
      if (facts.others.some(({ onDemand, kept }) => !onDemand || kept)) this.#refused.pinned++;
      return noRoom(model, facts);
    }
    this.#refused.young++;
    const loadedAt = this.deps.models().find(({ name }) => name === young.victim)?.loadedAt ?? null;
    return tooYoung(model, facts, young, loadedAt === null ? null : this.deps.clock.now() - loadedAt);
  }

  #start(ticket: Ticket): void {
    const { model } = ticket;
    const { clock, ledger, changed } = this.deps;
    const { pool } = model;
    const startedAt = clock.now();
    const wasReady = model.isReady;
    ticket.startedAt = startedAt;
    pool.waitingFor = null;
    pool.bootsOnce = () => model.onDemand;
    if (!wasReady) ledger.reserve(model, times(model.size, ticket.size));
    model.standby = ticket.cause === 'standby';
    changed(model);
    pool.setSize(Math.max(ticket.size, pool.desired));
    // Not `resize`: what still drains of its former workers is not waited for.
    pool.settled().then(
      () => {
        if (this.#tickets.get(model) !== ticket) return;
        // Scaled to nothing while it loaded.
        if (pool.desired === 0)
          return this.fail(model, new SupError('SUP_CONFLICT', `${model.name} was unloaded meanwhile`));
        if (!wasReady) model.loadEnded((clock.now() - startedAt) / 1000, clock.now());
        this.#end(ticket, null);
      },
      (error: Error) => this.#end(ticket, error),
    );
  }

  #end(ticket: Ticket, error: Error | null): void {
    const { model } = ticket;
    if (this.#tickets.get(model) !== ticket) return;
    this.#tickets.delete(model);
    model.pool.waitingFor = null;
    model.pool.bootsOnce = () => false;
    if (!ticket.waits) this.deps.ledger.loaded(model, this.deps.clock.now());
    ticket.settle(error);
    this.#requirements.ended(ticket, error);
    this.deps.changed(model);
    this.look();
  }

  /** What would count if it were to load now. */
  facts(model: Model, cause: LoadCause, size: number, held: ReadonlySet<Model> = new Set()): LoadFacts {
    const { ledger, config, models, room, keepValue, clock } = this.deps;
    return loadFacts(model, cause, size, {
      models: models(),
      ledger,
      config: config(),
      box: room(),
      keepValue,
      isLoading: (other) => this.#tickets.get(other)?.waits === false,
      isHeld: (other) => held.has(other),
      loading: [...this.#tickets.values()].filter((each) => !each.waits && !each.released).length,
      now: clock.now(),
    });
  }
}

/** Nobody asked for it, and it would have to wait for more than its turn. */
function isGivenUp({ isForeseen }: Ticket, { action, waitsFor }: LoadDecision): boolean {
  return isForeseen && action === 'hold' && waitsFor !== 'turn';
}
