/** Time as a dependency: policies get numbers, everything else gets a Clock, and tests move it by hand. */
export interface Clock {
  /** Wall time, ms since 1970. For showing and storing, never for measuring. */
  wall(): number;
  /** Monotonic time in ms. */
  now(): number;
  setTimeout(callback: () => void, ms: number): Timer;
  setInterval(callback: () => void, ms: number): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  now: () => performance.now(),
  setTimeout(callback, ms) {
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  setInterval(callback, ms) {
    const timer = setInterval(callback, ms);
    return { cancel: () => clearInterval(timer) };
  },
};

interface Scheduled {
  at: number;
  every: number | null;
  callback: () => void;
}

/** A clock that moves only by `advance`; due callbacks run in order of their time. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #scheduled = new Set<Scheduled>();

  constructor(readonly epoch = 1_700_000_000_000) {}

  wall(): number {
    return this.epoch + this.#now;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    return this.#schedule({ at: this.#now + ms, every: null, callback });
  }

  setInterval(callback: () => void, ms: number): Timer {
    return this.#schedule({ at: this.#now + ms, every: ms, callback });
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#scheduled].filter((s) => s.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#now = Math.max(this.#now, due.at);
      if (due.every === null) this.#scheduled.delete(due);
      else due.at += due.every;
      due.callback();
    }
    this.#now = end;
  }

  #schedule(entry: Scheduled): Timer {
    this.#scheduled.add(entry);
    return { cancel: () => this.#scheduled.delete(entry) };
  }
}
