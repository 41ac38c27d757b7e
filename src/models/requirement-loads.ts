import type { Clock } from '../clock.js';
import { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { LoadCause } from '../policy/load.js';
import { lacksRequirement } from './load-refusals.js';
import type { Model } from './model.js';
import { refusal } from './refusal.js';
import { allRequirementsOf, requirementsOf, shortName } from './requirements.js';
import type { Ticket } from './ticket.js';

export interface RequirementLoadsDependencies {
  clock: Clock;
  models: () => readonly Model[];
  tickets: ReadonlyMap<Model, Ticket>;
  /** A load of a model that has none under way, and that nobody wants for itself. */
  add: (model: Model, size: number) => Ticket;
  end: (ticket: Ticket, error: Error | null) => void;
  start: (model: Model, size: number) => void;
  decided: (model: Model, decision: PolicyDecision) => void;
  /** Its queue is told why there is nothing to wait for. */
  refused: (model: Model, error: SupError) => void;
}

/** Loads of what other loads cannot do without: they come first, and take those along that wait for them when they come to nothing. */
export class RequirementLoads {
  /** That boot without a ticket, while others wait for them. */
  readonly #watched = new Set<Model>();
  /** Starts that failed because of what they require: they are made up for when that can be had. */
  readonly #owed = new Map<Model, { size: number; stops: number }>();

  constructor(private readonly deps: RequirementLoadsDependencies) {}

  /** Starts that are to be made up for. */
  get owed(): number {
    return this.#owed.size;
  }

  /** Whether what it requires is not there: that is loaded first, in turns of its own, and nobody's turn is kept meanwhile. */
  awaits(ticket: Ticket): boolean {
    const { model } = ticket;
    const missing = this.#missing(model);
    for (const requirement of missing) {
      const obstacle = this.#obstacle(requirement, ticket.cause);
      if (obstacle) {
        this.#fail(ticket, requirement, obstacle);
        return true;
      }
      this.#want(requirement, ticket);
    }
    if (missing.length === 0) return false;
    model.pool.waitingFor = waitsFor(missing);
    this.deps.decided(model, {
      action: 'hold',
      reason: 'what it requires is not loaded',
      numbers: { requires: missing.map(shortName).join(' ') },
    });
    return true;
  }

  /** A load is over, whatever has come of it. */
  ended({ model, dependents }: Ticket, error: Error | null): void {
    // Stopped, or unloaded by hand: whoever still wants it finds out what has become of it.
    const isOver = error === null || (error instanceof SupError && error.code === 'SUP_CONFLICT');
    for (const dependent of dependents) {
      if (!isOver) this.#fail(dependent, model, error);
      // There was no room for it, and nobody had asked.
      else if (dependent.isForeseen && !isReady(model)) this.deps.end(dependent, null);
    }
  }

  makeUpForStarts(): void {
    const now = this.deps.clock.now();
    for (const [model, { size, stops }] of this.#owed) {
      const { pool } = model;
      const isWanted = this.deps.tickets.has(model);
      const missing = this.#missing(model);
      if (model.loaded || model.onDemand || pool.phase !== 'running' || pool.stops !== stops) {
        this.#owed.delete(model);
        if (!isWanted) pool.waitingFor = null;
      } else if (isWanted) {
        // By a request, which may give up, or fail as the start did: it is still owed then.
      } else if (missing.every((each) => !each.loaded && refusal(each, now) === null)) {
        this.#owed.delete(model);
        this.deps.start(model, size);
      } else pool.waitingFor = waitsFor(missing);
    }
  }

  #want(requirement: Model, ticket: Ticket): void {
    const { pool, app } = requirement;
    const known = this.deps.tickets.get(requirement);
    if (known) known.joinFor(ticket);
    else if (requirement.loaded) this.#watch(requirement);
    // One that is being restarted is back soon.
    else if (pool.phase === 'running') this.deps.add(requirement, Math.max(1, app.sizeOf(pool))).joinFor(ticket);
  }

  /** What it requires and is not there. What would require each other could never load: that is nobody's requirement. */
  #missing(model: Model): Model[] {
    const models = this.deps.models();
    return requirementsOf(model, models).filter(
      (each) => !isReady(each) && !allRequirementsOf(each, models).has(model),
    );
  }

  /** Why it need not even be tried. */
  #obstacle(requirement: Model, cause: LoadCause): SupError | null {
    if (cause === 'operator' || cause === 'start') {
      // They try again at once.
      requirement.failure = null;
      if (requirement.loaded) return null;
    }
    return refusal(requirement, this.deps.clock.now());
  }

  /** Its workers start, and not by way of a ticket: those who wait are told if that comes to nothing. */
  #watch(model: Model): void {
    if (this.#watched.has(model)) return;
    this.#watched.add(model);
    model.pool.settled().then(
      () => this.#watched.delete(model),
      (error: Error) => {
        this.#watched.delete(model);
        for (const ticket of [...this.deps.tickets.values()])
          if (ticket.waits && this.#missing(ticket.model).includes(model)) this.#fail(ticket, model, error);
      },
    );
  }

  #fail(ticket: Ticket, requirement: Model, error: Error): void {
    const { model } = ticket;
    const { clock, end, decided, refused } = this.deps;
    const name = shortName(requirement);
    const until = requirement.failure?.until ?? null;
    const lacking = lacksRequirement(model, requirement, error, until === null ? null : until - clock.now());
    decided(model, {
      action: 'refuse',
      reason: `it requires ${name}, which is not to be had`,
      numbers: { requires: name },
    });
    end(ticket, lacking);
    if (ticket.isStart && !model.onDemand && !ticket.isStopped) {
      this.#owed.set(model, { size: ticket.size, stops: model.pool.stops });
      model.pool.waitingFor = waitsFor([requirement]);
    }
    refused(model, lacking);
  }
}

function waitsFor(missing: readonly Model[]): string {
  return `its requirement ${missing.map(shortName).join(', ')}`;
}

export function isReady(model: Model): boolean {
  return model.loaded && model.isReady;
}
