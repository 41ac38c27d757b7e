import type { LoadCause } from '../policy/load.js';
import type { Model } from './model.js';

/** Who is asked for comes before who is foreseen. */
const TURN: readonly LoadCause[] = ['request', 'operator', 'start', 'eager', 'forecast', 'popular', 'standby'];
/** Whose word counts, where several want the same: an operator's load is not refused because a request has joined it. */
const SAY: readonly LoadCause[] = ['operator', 'start', 'request', 'eager', 'forecast', 'popular', 'standby'];
const FORESEEN = TURN.indexOf('eager');

export interface TicketFacts {
  /** Null: nobody wants it for itself. */
  cause: LoadCause | null;
  size: number;
  wantedAt: number;
  /** Of the model, when it was wanted. */
  popularity: number;
}

/** One load that is wanted or under way. Whoever wants the same joins it. */
export class Ticket {
  readonly done: Promise<void>;
  /** Workers. */
  size: number;
  /** Monotonic ms; null while it waits. */
  startedAt: number | null = null;
  /** Its first worker did not boot: others need not wait for it any longer. */
  released = false;
  /** Of the pool when it was wanted: a stop in between calls it off. */
  readonly #stops: number;
  readonly #own: Set<LoadCause>;
  /** Of models that cannot do without it. */
  readonly #dependents = new Set<Ticket>();
  #isOver = false;
  readonly #wantedAt: number;
  readonly #popularity: number;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(
    readonly model: Model,
    { cause, size, wantedAt, popularity }: TicketFacts,
  ) {
    this.size = size;
    this.#stops = model.pool.stops;
    this.#own = new Set(cause === null ? [] : [cause]);
    this.#wantedAt = wantedAt;
    this.#popularity = popularity;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Most of them have nobody waiting.
    this.done.catch(() => {});
  }

  join(cause: LoadCause, size: number): void {
    this.#own.add(cause);
    this.size = Math.max(this.size, size);
  }

  /** Another load waits for this one, which is as urgent as that from now on. */
  joinFor(dependent: Ticket): void {
    this.#dependents.add(dependent);
  }

  /** Loads that wait for this one. */
  get dependents(): Ticket[] {
    return [...this.#dependents].filter((each) => !each.#isOver && each.waits);
  }

  get waits(): boolean {
    return this.startedAt === null;
  }
  get cause(): LoadCause {
    const causes = this.#causes();
    return SAY.find((cause) => causes.has(cause)) as LoadCause;
  }
  /** It has to be there, whether anybody asks for it or not. */
  get isStart(): boolean {
    return this.#own.has('start');
  }
  /** Nobody asked for it: it is thought of again when it is time. */
  get isForeseen(): boolean {
    return this.#turn >= FORESEEN;
  }
  /** Only requests wanted it, or what they wanted, and all of them have gone. */
  get isForNobody(): boolean {
    return (
      [...this.#own].every((cause) => cause === 'request') &&
      this.model.isIdle &&
      this.dependents.every(({ isForNobody }) => isForNobody)
    );
  }
  get isStopped(): boolean {
    const { pool } = this.model;
    return pool.phase !== 'running' || pool.stops !== this.#stops;
  }

  isBefore(other: Ticket): number {
    return (
      this.#turn - other.#turn ||
      (this.isForeseen ? other.#popularity - this.#popularity : 0) ||
      this.#wantedAt - other.#wantedAt
    );
  }

  /** @param error null: it is loaded, or not worth waiting for */
  settle(error: Error | null): void {
    this.#isOver = true;
    if (error) this.#reject(error);
    else this.#resolve();
  }

  get #turn(): number {
    const causes = this.#causes();
    return TURN.findIndex((cause) => causes.has(cause));
  }

  #causes(): Set<LoadCause> {
    return new Set([...this.#own, ...this.dependents.flatMap((dependent) => [...dependent.#causes()])]);
  }
}
