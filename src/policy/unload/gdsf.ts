/** So many steps are remembered: what was used before them counts as of the oldest. */
const MOST_STEPS = 1000;

/**
 * What greedy dual size and frequency (Cherkasova, 1998) adds to all that is used from now on: the priority of what was evicted last. So what was
 * used much once, and is used no more, is overtaken in time. Kept by time, so that nothing has to be done at each use.
 */
export class Inflation {
  readonly #steps: { at: number; level: number }[] = [];

  /** Something of this priority was evicted. @param now not before the last time */
  raise(priority: number, now: number): void {
    if (priority <= (this.#steps.at(-1)?.level ?? 0)) return;
    this.#steps.push({ at: now, level: priority });
    if (this.#steps.length > MOST_STEPS) this.#steps.splice(0, MOST_STEPS / 2);
  }

  /** As it was when something was used. */
  at(ms: number): number {
    let low = 0;
    let high = this.#steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#steps[middle]!.at <= ms) low = middle + 1;
      else high = middle;
    }
    return this.#steps[low - 1]?.level ?? this.#steps[0]?.level ?? 0;
  }
}
