const LEAST_MS = 30_000;
const MOST_MS = 8 * 60_000;

/** After critical memory pressure nothing grows for a while, and for twice as long each time that it soon comes back. */
export class Recovery {
  #critical = false;
  #criticalAt = Number.NEGATIVE_INFINITY;
  #pauseMs = LEAST_MS;

  see(critical: boolean, now: number): void {
    if (critical && !this.#critical) {
      const soon = now - this.#criticalAt < 2 * this.#pauseMs;
      this.#pauseMs = soon ? Math.min(MOST_MS, this.#pauseMs * 2) : LEAST_MS;
    }
    this.#critical = critical;
    if (critical) this.#criticalAt = now;
  }

  isUnderWay(now: number): boolean {
    return now - this.#criticalAt < this.#pauseMs;
  }
}
