/** What a policy did with one model. */
export interface Tally {
  cold: number;
  /** What callers waited for loads. */
  coldSeconds: number;
  /** Loaded without a request, loads before a request included. */
  wastedMbSeconds: number;
}

/** One policy and one model: when it is loaded after a request, and what came of that. */
export class Contender {
  readonly tally: Tally = { cold: 0, coldSeconds: 0, wastedMbSeconds: 0 };
  /** From when on it is loaded again, after it was idle for so long; 0: it stays loaded. */
  fromMs = 0;
  /** When it is unloaded. */
  untilMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly mb: number,
    readonly loadMs: number,
  ) {}

  /** Up to this long it is loaded all the time while idle. */
  get safeMs(): number {
    return this.fromMs > 0 ? 0 : this.untilMs;
  }

  /** The first request of all. */
  first(): void {
    this.#cold(this.loadMs);
  }

  /** The next request came after so long. */
  idle(ms: number): void {
    const { fromMs, untilMs, loadMs } = this;
    if (ms > fromMs) this.waste(Math.min(ms, untilMs) - fromMs);
    if (ms > untilMs || ms < fromMs) this.#cold(loadMs);
    // What was begun in time but isn't done yet is waited for, too.
    else if (fromMs > 0 && ms < fromMs + loadMs) this.#cold(fromMs + loadMs - ms);
  }

  waste(ms: number): void {
    this.tally.wastedMbSeconds += (Math.max(0, ms) * this.mb) / 1000;
  }

  #cold(waitMs: number): void {
    this.tally.cold++;
    this.tally.coldSeconds += waitMs / 1000;
  }
}

/** Knows when the next request comes: is loaded just in time, where that is sooner than unloading and loading. */
export class Clairvoyant extends Contender {
  override first(): void {
    this.waste(this.loadMs);
  }

  override idle(ms: number): void {
    this.waste(Math.min(ms, this.loadMs));
  }
}
